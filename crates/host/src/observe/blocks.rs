//! Block devices: which function each sits on, and what is on top of what.
//!
//! In: `/sys/class/block` and what file systems say of their members. Out: the
//! functions below a block device, however high the stack (a file system on
//! LVM on a mirror of two NVMe drives is on both), and the uses of each.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use model::parse::attribute::device_number;
use model::parse::{link, mounts};
use model::usage::{Use, UseKind};
use model::{Bdf, Why};

use super::uses::Uses;
use super::{shares, sight};
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// All block devices of the machine.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    by_name: BTreeMap<String, Block>,
    by_number: BTreeMap<(u32, u32), String>,
    /// The first that could not be read, and why.
    unread: Option<(PathBuf, Why)>,
}

#[derive(Debug, Default)]
struct Block {
    /// The function whose device this is, or several: an NVMe namespace that
    /// more than one controller leads to.
    owners: Vec<Bdf>,
    /// What it is put together from (LVM, MD, device mapper).
    members: Vec<String>,
    /// The disk that it is a part of, where that is not a function's own.
    disk: Option<String>,
    /// What the device mapper calls it.
    mapped: Option<String>,
}

impl Blocks {
    pub fn read(root: &Root) -> Result<Self, Why> {
        let path = root.class("block");
        let folder = Folder::open(&path)?;
        let mut buffer = Buffer::default();
        let mut blocks = Self::default();
        for name in folder.names()? {
            let target = match folder.link(&name, &mut buffer).map(str::to_owned) {
                Ok(target) => target,
                Err(why) => {
                    blocks.lacks(path.join(&name), why);
                    continue;
                }
            };
            match folder.text(&format!("{name}/dev"), &mut buffer).and_then(device_number) {
                Ok(number) => {
                    blocks.by_number.insert(number, name.clone());
                }
                Err(why) => blocks.lacks(path.join(&name).join("dev"), why),
            }
            let block = match link::owner(&target) {
                Some(owner) => Block { owners: vec![owner], ..Block::default() },
                None => stacked(root, &folder, &name, &target),
            };
            blocks.by_name.insert(name, block);
        }
        Ok(blocks)
    }

    /// A device that went away meanwhile is none.
    fn lacks(&mut self, path: PathBuf, why: Why) {
        if !matches!(why, Why::NotProvided | Why::Vanished) {
            self.unread.get_or_insert((path, why));
        }
    }

    /// The functions that have a block device.
    pub fn all_owners(&self) -> BTreeSet<Bdf> {
        self.by_name.values().flat_map(|block| block.owners.iter().copied()).collect()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The functions that a block device needs.
    pub fn owners(&self, name: &str) -> BTreeSet<Bdf> {
        let mut owners = BTreeSet::new();
        let mut seen = BTreeSet::new();
        let mut todo = vec![name];
        while let Some((name, block)) = todo.pop().and_then(|name| self.by_name.get_key_value(name))
        {
            if seen.insert(name.as_str()) {
                owners.extend(&block.owners);
                todo.extend(block.members.iter().chain(&block.disk).map(String::as_str));
            }
        }
        owners
    }

    /// As a person knows it: `nvme0n1p2`, `dm-0 (vg-root)`.
    fn label(&self, name: &str) -> String {
        match self.by_name.get(name).and_then(|block| block.mapped.as_ref()) {
            Some(mapped) => format!("{name} ({mapped})"),
            None => name.to_owned(),
        }
    }

    /// The block device that a path means, by name or through a link of udev's.
    fn at(&self, root: &Root, path: &str) -> Option<&str> {
        let known = |name: &str| self.by_name.get_key_value(name).map(|(name, _)| name.as_str());
        let name = link::name(path);
        let mapped = || {
            let called = |block: &Block| block.mapped.as_deref() == Some(name);
            self.by_name.iter().find(|(_, block)| called(block)).map(|(name, _)| name.as_str())
        };
        let linked = || {
            let target = std::fs::read_link(root.at(path)).ok()?;
            known(link::name(target.to_str()?))
        };
        known(name).or_else(mapped).or_else(linked)
    }
}

/// A block device that is no function's own.
fn stacked(root: &Root, folder: &Folder, name: &str, target: &str) -> Block {
    let mut parts = target.rsplit('/').skip(1);
    let above = parts.next().unwrap_or_default();
    // .../virtual/block/md0/md0p1: a part of another one.
    let disk = folder.has(&format!("{above}/dev")).then(|| above.to_owned());
    let mut buffer = Buffer::default();
    let mapped = folder.text(&format!("{name}/dm/name"), &mut buffer);
    let mapped = mapped.ok().map(|name| name.trim().to_owned());
    let members = folder.folder(&format!("{name}/slaves")).and_then(|slaves| slaves.names());
    let mut members = members.unwrap_or_default();
    // A loop device over a file is on the file system that holds it.
    let backing = folder.text(&format!("{name}/loop/backing_file"), &mut buffer);
    members.extend(backing.ok().and_then(|path| node_name(path.trim())));
    let owners = if above.starts_with("nvme-subsys") { controllers(root, above) } else { vec![] };
    Block { owners, members, disk, mapped }
}

/// The name of a block device, from the path of its node.
fn node_name(path: &str) -> Option<String> {
    let name = path.strip_prefix(&Root::node_text(""))?;
    (!name.contains('/')).then(|| name.to_owned())
}

/// The controllers of an NVMe subsystem, over each of which its namespaces
/// are reached (`nvme_subsys_attrs` in drivers/nvme/host/sysfs.c: a link each).
fn controllers(root: &Root, subsystem: &str) -> Vec<Bdf> {
    let Ok(folder) = Folder::open(&root.class("nvme-subsystem").join(subsystem)) else {
        return Vec::new();
    };
    let mut buffer = Buffer::default();
    let names = folder.names().unwrap_or_default();
    let owner = |name: &String| link::owner(folder.link(name, &mut buffer).ok()?);
    names.iter().filter(|name| name.starts_with("nvme")).filter_map(owner).collect()
}

/// A block device that somebody named by a path.
#[derive(Debug)]
pub struct Named {
    /// The functions that it needs; none for one over the network.
    pub owners: BTreeSet<Bdf>,
    /// The kernel has given it away, in whole or in part: to a file system
    /// wherever it is mounted, to swap, to a volume.
    pub claimed: bool,
}

/// The block device that a path leads to; `None` where it leads to something else.
pub fn block_device(root: &Root, path: &Path) -> Option<Named> {
    let found = std::fs::metadata(path).ok().filter(|found| found.file_type().is_block_device())?;
    let blocks = Blocks::read(root).ok()?;
    let number = (rustix::fs::major(found.rdev()), rustix::fs::minor(found.rdev()));
    let owners = blocks.by_number.get(&number).map(|name| blocks.owners(name)).unwrap_or_default();
    Some(Named { owners, claimed: is_claimed(path) })
}

/// Without O_CREAT, O_EXCL asks for a block device alone (open(2)).
fn is_claimed(path: &Path) -> bool {
    use rustix::fs::{Mode, OFlags, open};
    let flags = OFlags::RDONLY | OFlags::EXCL | OFlags::NONBLOCK | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).is_err_and(|error| error == rustix::io::Errno::BUSY)
}

/// What the host has on them.
pub(super) fn uses(root: &Root, blocks: &Blocks, uses: &mut Uses<'_>) {
    if let Some((path, why)) = &blocks.unread {
        uses.missed(UseKind::Disk, path, why.clone());
    }
    for (name, block) in &blocks.by_name {
        for member in &block.members {
            let part = Use::Member { block: blocks.label(member), of: blocks.label(name) };
            uses.add(blocks.owners(member), &part);
        }
    }
    if let Ok(proc) = Folder::open(&root.processes())
        && let Err(why) = sight::mounts(&proc)
    {
        uses.missed(UseKind::Disk, &root.processes(), why);
    }
    let mounts = mounted(root, uses);
    let mut lost = None;
    for mount in &mounts {
        let names = members(root, blocks, mount);
        if names.is_empty() && mount.is_on_device() {
            lost = lost.or(Some(mount));
        }
        for name in names {
            uses.add(blocks.owners(&name), &mounted_as(mount, blocks.label(&name)));
        }
    }
    if let Some(mount) = lost {
        let why = format!("{} lies on no block device that is known", mount.at);
        uses.missed(UseKind::Disk, &root.class("block"), Why::Failed(why));
    }
    swapped(root, blocks, &mounts, uses);
    shares::uses(root, &mounts, uses);
}

fn mounted(root: &Root, uses: &mut Uses<'_>) -> Vec<mounts::Mount> {
    let mut refused: Option<(PathBuf, Why)> = None;
    for (first, path) in ["1", "self"].into_iter().zip(root.mountinfo()) {
        match read::text(&path) {
            Ok(text) => {
                let (mut good, bad) = sorted(mounts::mounts(&text));
                uses.garbled(UseKind::Disk, &path, bad);
                elsewhere(root, first, &mut good, uses);
                return good;
            }
            // The first that says more than "not there" tells what to do.
            Err(why) => match &refused {
                Some((_, first)) if *first != Why::NotProvided || why == Why::NotProvided => {}
                _ => refused = Some((path, why)),
            },
        }
    }
    if let Some((path, why)) = refused {
        uses.missed(UseKind::Disk, &path, why);
    }
    Vec::new()
}

/// A mount as a use of what it lies on.
pub(super) fn mounted_as(mount: &mounts::Mount, block: String) -> Use {
    let at = mount.at.clone();
    match mount.within {
        None => Use::Mount { block, at },
        Some(pid) => Use::MountElsewhere { block, at, pid },
    }
}

/// Adds what is mounted in other mount namespaces only, those of containers and
/// of services with mounts of their own. Most have what the host has; a file
/// system that is mounted there alone is still one. Whoever may not see others'
/// namespaces sees those of the table that could be read, `first`'s.
fn elsewhere(root: &Root, first: &str, mounts: &mut Vec<mounts::Mount>, uses: &mut Uses<'_>) {
    let Ok(folder) = Folder::open(&root.processes()) else { return };
    let mut buffer = Buffer::default();
    let mut link = |name: String| folder.link(&name, &mut buffer).map(str::to_owned);
    let mut seen: BTreeSet<String> = link(format!("{first}/ns/mnt")).into_iter().collect();
    let key = |mount: &mounts::Mount| (mount.number, mount.source.clone());
    let mut known: BTreeSet<_> = mounts.iter().map(key).collect();
    for name in folder.names().unwrap_or_default() {
        let Ok(pid) = name.parse::<u32>() else { continue };
        let Ok(space) = link(format!("{pid}/ns/mnt")) else { continue };
        if seen.contains(&space) {
            continue;
        }
        let path = root.process(pid).join("mountinfo");
        let text = match read::text(&path) {
            Ok(text) => text,
            // It ended; others of its namespace tell.
            Err(_) => continue,
        };
        // One that was shut into a folder sees what is below it only.
        if !text.is_empty() && link(format!("{pid}/root")).is_ok_and(|root| root == "/") {
            seen.insert(space);
        }
        let (good, bad) = sorted(mounts::mounts(&text));
        uses.garbled(UseKind::Disk, &path, bad);
        let new =
            good.into_iter().filter(|mount| mount.tells_of_device() && known.insert(key(mount)));
        mounts.extend(new.map(|mount| mounts::Mount { within: Some(pid), ..mount }));
    }
}

/// What makes sense, and what does not.
fn sorted<T>(lines: impl Iterator<Item = Result<T, Why>>) -> (Vec<T>, Vec<Why>) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for line in lines {
        match line {
            Ok(line) => good.push(line),
            Err(why) => bad.push(why),
        }
    }
    (good, bad)
}

/// The block devices that a mounted file system lies on.
fn members(root: &Root, blocks: &Blocks, mount: &mounts::Mount) -> Vec<String> {
    if let Some(name) = blocks.by_number.get(&mount.number) {
        return vec![name.clone()];
    }
    match mount.fs.as_str() {
        "zfs" => pool(root, blocks, &mount.source),
        // bcachefs names all its devices: /dev/sda:/dev/sdb.
        _ => {
            let named = mount.source.split(':').filter(|source| source.starts_with('/'));
            let named: Vec<&str> = named.filter_map(|source| blocks.at(root, source)).collect();
            match (mount.fs.as_str(), &named[..]) {
                ("btrfs", [first]) => btrfs(root, first),
                _ => named.into_iter().map(str::to_owned).collect(),
            }
        }
    }
}

/// All devices of the btrfs that one of them belongs to.
fn btrfs(root: &Root, device: &str) -> Vec<String> {
    let all = read::names(&root.btrfs()).unwrap_or_default();
    let devices = |uuid: &String| read::names(&root.btrfs().join(uuid).join("devices")).ok();
    let with = |names: &Vec<String>| names.iter().any(|name| name == device);
    all.iter().filter_map(devices).find(with).unwrap_or_else(|| vec![device.to_owned()])
}

/// The devices of a ZFS pool. The kernel does not say; udev looked at each
/// device's label when it appeared.
fn pool(root: &Root, blocks: &Blocks, dataset: &str) -> Vec<String> {
    let pool = dataset.split('/').next().unwrap_or(dataset);
    let label = format!("E:ID_FS_LABEL={pool}");
    let member = |(number, name): (&(u32, u32), &String)| {
        let (major, minor) = number;
        let text = read::text(&root.udev_block(format_args!("{major}:{minor}"))).ok()?;
        let has = |wanted: &str| text.lines().any(|line| line == wanted);
        (has("E:ID_FS_TYPE=zfs_member") && has(&label)).then(|| name.clone())
    };
    blocks.by_number.iter().filter_map(member).collect()
}

fn swapped(root: &Root, blocks: &Blocks, mounts: &[mounts::Mount], uses: &mut Uses<'_>) {
    let text = match read::text(&root.swaps()) {
        Ok(text) => text,
        // A kernel without swap.
        Err(Why::NotProvided) => return,
        Err(why) => return uses.missed(UseKind::Disk, &root.swaps(), why),
    };
    let (swaps, bad) = sorted(mounts::swaps(&text));
    uses.garbled(UseKind::Disk, &root.swaps(), bad);
    for swap in swaps {
        let names = if swap.is_file {
            // The file is on the file system that is mounted closest above it.
            let above = mounts.iter().filter(|mount| is_below(&swap.path, &mount.at));
            let closest = above.max_by_key(|mount| mount.at.len());
            closest.map_or_else(Vec::new, |mount| members(root, blocks, mount))
        } else {
            blocks.at(root, &swap.path).map(str::to_owned).into_iter().collect()
        };
        for name in names {
            uses.add(blocks.owners(&name), &Use::Swap { block: blocks.label(&name) });
        }
    }
}

fn is_below(path: &str, at: &str) -> bool {
    path.strip_prefix(at).is_some_and(|rest| at.ends_with('/') || rest.starts_with('/'))
}

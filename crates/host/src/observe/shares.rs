//! Folders that a hypervisor shares with this machine, where it is a guest
//! itself: virtiofs and 9p.
//!
//! In: the mounts, and the virtio devices of the two drivers. Out: the function
//! that each share comes through. A function that may carry one of several,
//! the kernel not saying which, has uses that are not known.

use std::path::Path;

use model::parse::link;
use model::parse::mounts::Mount;
use model::usage::{Use, UseKind};
use model::{Bdf, Why};

use super::blocks::mounted_as;
use super::uses::Uses;
use crate::paths::Root;
use crate::read::{Buffer, Folder};

/// A virtio device that carries a share.
struct Carrier {
    owner: Bdf,
    /// What the share is called, which a mount has as its source.
    tag: Result<String, Why>,
}

pub(super) fn uses(root: &Root, mounts: &[Mount], uses: &mut Uses<'_>) {
    let of = |fs: &str| -> Vec<&Mount> { mounts.iter().filter(|mount| mount.fs == fs).collect() };
    let (nine, virtio) = (of("9p"), of("virtiofs"));
    if !nine.is_empty() {
        let folder = root.virtio_driver("9pnet_virtio");
        // 9p has transports without a device; those are not among them.
        match carriers(&folder, true) {
            Ok(carriers) => matched(uses, &nine, &carriers, &folder),
            Err(why) => uses.missed(UseKind::Disk, &folder, why),
        }
    }
    if !virtio.is_empty() {
        let folder = root.virtiofs();
        match tagged(&folder) {
            Ok(carriers) => matched(uses, &virtio, &carriers, &folder),
            // Before Linux 6.9 the kernel does not tell their tags.
            Err(Why::NotProvided) => untold(uses, &virtio, root),
            Err(why) => uses.missed(UseKind::Disk, &folder, why),
        }
    }
}

fn matched(uses: &mut Uses<'_>, mounts: &[&Mount], carriers: &[Carrier], folder: &Path) {
    for Carrier { owner, tag } in carriers {
        match tag {
            Ok(tag) => {
                let own = mounts.iter().filter(|mount| mount.source == *tag);
                own.for_each(|mount| uses.add([*owner], &shared(mount)));
            }
            Err(why) => uses.unseen(*owner, UseKind::Disk, folder, why.clone()),
        }
    }
}

/// One share can only be that of the one device.
fn untold(uses: &mut Uses<'_>, mounts: &[&Mount], root: &Root) {
    let folder = root.virtio_driver("virtiofs");
    let carriers = match carriers(&folder, false) {
        Ok(carriers) => carriers,
        Err(why) => return uses.missed(UseKind::Disk, &folder, why),
    };
    match &carriers[..] {
        [only] => mounts.iter().for_each(|mount| uses.add([only.owner], &shared(mount))),
        several => {
            let at: Vec<&str> = mounts.iter().map(|mount| mount.at.as_str()).collect();
            let text = format!("which of them carries {} is not told", at.join(", "));
            for carrier in several {
                uses.unseen(carrier.owner, UseKind::Disk, &folder, Why::Failed(text.clone()));
            }
        }
    }
}

fn shared(mount: &Mount) -> Use {
    mounted_as(mount, format!("the share {}", mount.source))
}

/// The devices of a driver of the virtio bus; `mount_tag` is 9p's
/// (`p9_mount_tag_show()` in net/9p/trans_virtio.c).
fn carriers(driver: &Path, tags: bool) -> Result<Vec<Carrier>, Why> {
    let folder = match Folder::open(driver) {
        // Another transport's.
        Err(Why::NotProvided) => return Ok(Vec::new()),
        folder => folder?,
    };
    let mut buffer = Buffer::default();
    let mut found = Vec::new();
    for name in folder.names()? {
        let owner = folder.link(&name, &mut buffer).ok().and_then(link::owner);
        let Some(owner) = owner.filter(|_| name.starts_with("virtio")) else { continue };
        let tag = match tags {
            true => folder.text(&format!("{name}/mount_tag"), &mut buffer).map(plain),
            false => Err(Why::NotProvided),
        };
        found.push(Carrier { owner, tag });
    }
    Ok(found)
}

/// Every virtiofs with its tag (Documentation/ABI/testing/sysfs-fs-virtiofs).
fn tagged(virtiofs: &Path) -> Result<Vec<Carrier>, Why> {
    let folder = Folder::open(virtiofs)?;
    let mut buffer = Buffer::default();
    let mut found = Vec::new();
    for name in folder.names()? {
        let owner = folder.link(&format!("{name}/device"), &mut buffer).ok().and_then(link::owner);
        let Some(owner) = owner else { continue };
        let tag = folder.text(&format!("{name}/tag"), &mut buffer).map(plain);
        found.push(Carrier { owner, tag });
    }
    Ok(found)
}

fn plain(text: &str) -> String {
    text.trim_end_matches(['\n', '\0']).to_owned()
}

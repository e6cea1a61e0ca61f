//! Processes that hold a device's nodes open.
//!
//! In: `/proc/*/fd` and the table of nodes. Out: the holders of each function,
//! or that they are unknown: who may not see every process never says
//! "nobody". Never: `/proc/PID/cmdline` or `maps`, which wait for the lock of
//! a process's memory, and so for ever if it is stuck in the kernel.

use std::collections::{BTreeMap, BTreeSet};

use model::parse::{attribute, link, process, session};
use model::snapshot::{Group, GroupId};
use model::usage::Holder;
use model::{Bdf, Fact, Function, Why};

use super::blocks::Blocks;
use super::nodes::Nodes;
use super::{parallel, sight};
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// Find the holders of all functions.
pub(super) fn holders(root: &Root, nodes: &Nodes, functions: &mut BTreeMap<Bdf, Function>) {
    let found = scan(root, nodes).map_err(|why| match why {
        Why::NotProvided if root.is_recorded() => Why::NotRecorded,
        why => why,
    });
    for function in functions.values_mut() {
        function.holders = match &found {
            Ok(holders) => holders.get(&function.bdf).cloned().unwrap_or_default().into(),
            Err(why) => Fact::Unknown(why.clone()),
        };
    }
}

/// Who holds one function now.
pub fn holders_of(root: &Root, bdf: Bdf) -> Fact<Vec<Holder>> {
    let found = holders_of_any(root, &[bdf]);
    found.map(|found| found.into_iter().map(|(_, holder)| holder).collect())
}

/// Who holds any of these functions now, by one look at all processes. Of the
/// functions themselves nothing is read that waits for their locks: somebody
/// may be stuck with one.
pub fn holders_of_any(root: &Root, asked: &[Bdf]) -> Fact<Vec<(Bdf, Holder)>> {
    let (mut functions, mut groups) = (BTreeMap::new(), BTreeMap::new());
    for bdf in asked {
        let mut function = Function::unknown(*bdf, &Why::NotObserved);
        let id = group_of(root, *bdf);
        function.group = Fact::Known(id);
        functions.insert(*bdf, function);
        let Some(id) = id else { continue };
        let group: &mut Group = groups.entry(id).or_insert_with(|| Group {
            id,
            members: Vec::new(),
            domain: Fact::Unknown(Why::NotObserved),
            reserved: Fact::Unknown(Why::NotObserved),
        });
        group.members.push(*bdf);
    }
    let blocks = Blocks::read(root).unwrap_or_default();
    let nodes = Nodes::read(root, &blocks, &functions, &groups);
    let asked = |(bdf, holders): (Bdf, Vec<Holder>)| {
        let own = functions.contains_key(&bdf).then_some(holders);
        own.into_iter().flatten().map(move |holder| (bdf, holder))
    };
    scan(root, &nodes).map(|found| found.into_iter().flat_map(asked).collect()).into()
}

fn group_of(root: &Root, bdf: Bdf) -> Option<GroupId> {
    let mut buffer = Buffer::default();
    let devices = Folder::open(&root.pci_devices()).ok()?;
    let link = devices.link(&format!("{bdf}/iommu_group"), &mut buffer).ok()?;
    attribute::number(link::name(link)).ok().map(GroupId)
}

fn scan(root: &Root, nodes: &Nodes) -> Result<BTreeMap<Bdf, Vec<Holder>>, Why> {
    let folder = Folder::open(&root.processes())?;
    sight::processes(&folder)?;
    // Where others' processes are hidden (`hidepid`), the first one is, too;
    // and a recording that looked at processes has it.
    folder.folder("1/fd")?;
    let names = folder.names()?;
    let pids: Vec<u32> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let held =
        parallel::parts(&pids, |part| part.iter().map(|pid| held(&folder, *pid, nodes)).collect());
    let mut holders: BTreeMap<Bdf, Vec<Holder>> = BTreeMap::new();
    for held in held {
        match held {
            Ok(held) => held.into_iter().for_each(|(bdf, holder)| {
                holders.entry(bdf).or_default().push(holder);
            }),
            // It ended meanwhile, and holds nothing any more.
            Err(Why::NotProvided | Why::Vanished) => {}
            Err(why) => return Err(why),
        }
    }
    holders.values_mut().for_each(|holders| holders.sort());
    let all = || holders.values().flatten();
    if all().any(|holder| holder.login.is_some()) {
        let desktops = Desktops::read(root);
        let all = holders.values_mut().flatten();
        all.for_each(|holder| holder.desktop = desktops.have(holder));
    }
    Ok(holders)
}

/// The logins that show a desktop.
#[derive(Default)]
struct Desktops {
    scopes: BTreeSet<String>,
    users: BTreeSet<u32>,
}

impl Desktops {
    fn read(root: &Root) -> Self {
        let mut desktops = Self::default();
        let path = root.logins();
        for name in read::names(&path).unwrap_or_default() {
            let text = read::text(&path.join(&name));
            let Some(user) = text.ok().as_deref().and_then(session::desktop_of) else { continue };
            desktops.scopes.insert(format!("session-{name}.scope"));
            desktops.users.insert(user);
        }
        desktops
    }

    /// In the session itself, or in what the user's own systemd runs for it.
    fn have(&self, holder: &Holder) -> bool {
        let unit = holder.unit.as_deref().unwrap_or_default();
        let own = unit.starts_with("user@");
        self.scopes.contains(unit)
            || own && holder.login.is_some_and(|user| self.users.contains(&user))
    }
}

/// What one process holds, each node once.
fn held(folder: &Folder, pid: u32, nodes: &Nodes) -> Result<Vec<(Bdf, Holder)>, Why> {
    let files = folder.folder(&format!("{pid}/fd"))?;
    let mut buffer = Buffer::default();
    let mut open: Vec<(&str, &[Bdf])> = Vec::new();
    for file in files.names()? {
        let Ok(path) = files.link(&file, &mut buffer) else { continue };
        open.extend(nodes.functions(path));
    }
    open.sort_unstable();
    open.dedup();
    let mut held = Vec::new();
    for (node, functions) in open {
        let holder = holder(folder, pid, node, &mut buffer)?;
        held.extend(functions.iter().map(|bdf| (*bdf, holder.clone())));
    }
    Ok(held)
}

fn holder(folder: &Folder, pid: u32, node: &str, buffer: &mut Buffer) -> Result<Holder, Why> {
    let stat = lossy(folder, &format!("{pid}/stat"), buffer)?;
    let start_time = process::start_time(&stat).ok_or(Why::Vanished)?;
    // A kernel thread has no program file.
    let program = match folder.link(&format!("{pid}/exe"), buffer) {
        Ok(path) => link::name(path.strip_suffix(" (deleted)").unwrap_or(path)).to_owned(),
        Err(_) => lossy(folder, &format!("{pid}/comm"), buffer)?.trim().to_owned(),
    };
    let cgroup = folder.text(&format!("{pid}/cgroup"), buffer).unwrap_or_default();
    let (unit, login) = (process::unit(cgroup).map(str::to_owned), process::login(cgroup));
    Ok(Holder { pid, start_time, program, node: node.to_owned(), unit, login, desktop: false })
}

/// A process names itself as it likes, in bytes that need not be text.
fn lossy(folder: &Folder, name: &str, buffer: &mut Buffer) -> Result<String, Why> {
    let bytes = folder.bytes(name, usize::MAX, buffer)?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

//! Device nodes, and the functions that they lead to.
//!
//! In: the classes of sysfs and what drivers say in `/proc`. Out: a table by
//! the node's path. `/dev/nvidiactl` and `/dev/vfio/vfio` are not in it: they
//! are open to all cards alike and hold none.

use std::collections::BTreeMap;

use model::parse::{attribute, link};
use model::snapshot::{Group, GroupId};
use model::{Bdf, Function};

use super::blocks::Blocks;
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// Classes whose devices have a node, and the folder that udev puts it into.
const CLASSES: &[(&str, &str)] = &[
    ("accel", "accel"),
    ("apex", ""),
    ("drm", "dri"),
    ("habanalabs", ""),
    ("infiniband_mad", "infiniband"),
    ("infiniband_verbs", "infiniband"),
    ("nvme", ""),
    ("nvme-generic", ""),
    ("sound", "snd"),
    ("uio", ""),
    ("vfio-dev", "vfio/devices"),
    ("virtio-ports", ""),
];

/// Nodes by path, as processes see it.
#[derive(Debug, Default)]
pub(super) struct Nodes(BTreeMap<String, Vec<Bdf>>);

impl Nodes {
    pub fn read(
        root: &Root,
        blocks: &Blocks,
        functions: &BTreeMap<Bdf, Function>,
        groups: &BTreeMap<GroupId, Group>,
    ) -> Self {
        let mut nodes = Self::default();
        for (class, folder) in CLASSES {
            nodes.class(root, class, folder);
        }
        for name in blocks.names() {
            nodes.add(name, blocks.owners(name));
        }
        for group in groups.values() {
            let movers =
                group.members.iter().copied().filter(|member| {
                    functions.get(member).is_some_and(|function| !function.stays())
                });
            let movers: Vec<Bdf> = movers.collect();
            // The second form is that of a group without an IOMMU.
            nodes.add(&format!("vfio/{}", group.id), movers.iter().copied());
            nodes.add(&format!("vfio/noiommu-{}", group.id), movers);
        }
        nodes.nvidia(root);
        nodes.amd(root);
        nodes
    }

    /// The functions that an open file leads to.
    pub fn functions(&self, path: &str) -> Option<(&str, &[Bdf])> {
        let path = path.strip_suffix(" (deleted)").unwrap_or(path);
        self.0.get_key_value(path).map(|(path, functions)| (path.as_str(), functions.as_slice()))
    }

    fn add(&mut self, name: &str, functions: impl IntoIterator<Item = Bdf>) {
        let mut functions = functions.into_iter().peekable();
        if functions.peek().is_some() {
            self.0.entry(Root::node_text(name)).or_default().extend(functions);
        }
    }

    fn class(&mut self, root: &Root, class: &str, below: &str) {
        let Ok(folder) = Folder::open(&root.class(class)) else { return };
        let mut buffer = Buffer::default();
        for name in folder.names().unwrap_or_default() {
            let owner = folder.link(&name, &mut buffer).ok().and_then(link::owner);
            let node = if below.is_empty() { name } else { format!("{below}/{name}") };
            self.add(&node, owner);
        }
    }

    /// The driver numbers its cards by itself; the class says nothing.
    fn nvidia(&mut self, root: &Root) {
        let path = root.nvidia_gpus();
        for name in read::names(&path).unwrap_or_default() {
            let text = read::text(&path.join(&name).join("information"));
            let minor = text.ok().as_deref().and_then(attribute::nvidia_minor);
            if let (Some(minor), Ok(bdf)) = (minor, name.parse()) {
                self.add(&format!("nvidia{minor}"), [bdf]);
            }
        }
    }

    /// Who opens `/dev/kfd` gets a context on every compute node at once
    /// (`kfd_open()` in drivers/gpu/drm/amd/amdkfd/kfd_chardev.c).
    fn amd(&mut self, root: &Root) {
        let path = root.kfd_nodes();
        let properties = |name: &String| read::text(&path.join(name).join("properties")).ok();
        let names = read::names(&path).unwrap_or_default();
        let texts = names.iter().filter_map(properties);
        let cards: Vec<Bdf> = texts.filter_map(|text| attribute::kfd_node(&text)).collect();
        self.add("kfd", cards);
    }
}

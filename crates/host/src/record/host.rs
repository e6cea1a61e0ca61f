//! What is recorded besides devices: the sidecar.
//!
//! In: a machine. Out: entries by path, for everything that `observe` reads
//! and umockdev's format has no place for. Never: a machine id, a serial
//! number of the machine, a file of a user.

use model::parse::sidecar::{Content, Sidecar};

use super::source::{Found, Source};
use super::sources::{
    FILES, FOLDERS, LISTED, LISTS, MEMORY, MODULES, NODES, NODES_OF_TREE, Place, TABLES, UDEV_KEPT,
    device_mounts, first_processor, lines, node_memory,
};

/// Adds all of it.
pub(super) fn add<'a>(source: Source<'a>, sidecar: &'a mut Sidecar) {
    let mut take = Taker { source, sidecar };
    for place in FILES {
        take.file(&take.text(*place));
    }
    for (place, names) in FOLDERS {
        take.folder_of_folders(&take.text(*place), names);
    }
    for place in NODES {
        take.existence(&take.text(*place));
    }
    take.mounts();
    take.shortened("meminfo", |text| lines(text, MEMORY));
    take.shortened("cpuinfo", first_processor);
    take.numa_nodes();
    take.guest_firmware();
    take.drivers();
    take.modules();
    take.module_lists();
    take.udev();
    take.btrfs();
    take.shares();
    take.tables();
    take.device_tree();
    take.kfd();
    take.setup();
    take.drm_clients();
}

/// What is being taken, and from where.
pub(super) struct Taker<'a> {
    pub(super) source: Source<'a>,
    sidecar: &'a mut Sidecar,
}

impl Taker<'_> {
    fn text(&self, place: Place) -> String {
        let root = self.source.root();
        let path = match place {
            Place::Proc(rest) => root.proc(rest),
            Place::Sys(rest) => root.sys(rest),
            Place::Dev(name) => root.dev(name),
        };
        self.source.name(&path).unwrap_or_default()
    }

    fn put(&mut self, path: &str, content: Content) {
        // A path with `=` has no form in the sidecar; none that is wanted has one.
        if !path.contains('=') {
            self.sidecar.insert(path.to_owned(), content);
        }
    }

    pub(super) fn file(&mut self, path: &str) {
        match self.source.bytes(path) {
            Found::Here(bytes) => self.put(path, Content::File(bytes)),
            Found::Refused(number) => self.put(path, Content::Refused(number)),
            Found::Missing => {}
        }
    }

    pub(super) fn existence(&mut self, path: &str) {
        if self.source.exists(path) {
            self.put(path, Content::File(Vec::new()));
        }
    }

    /// A folder's names, whether or not there is something in it.
    pub(super) fn names(&mut self, folder: &str) -> Vec<String> {
        match self.source.names(folder) {
            Found::Here(names) => {
                self.put(folder, Content::Folder);
                names
            }
            Found::Refused(number) => {
                self.put(folder, Content::Refused(number));
                Vec::new()
            }
            Found::Missing => Vec::new(),
        }
    }

    /// That a folder is there, and not what is in it.
    pub(super) fn folder(&mut self, folder: &str) {
        self.put(folder, Content::Folder);
    }

    fn folder_of_folders(&mut self, folder: &str, files: &[&str]) {
        for name in self.names(folder) {
            let inner = format!("{folder}/{name}");
            self.put(&inner, Content::Folder);
            files.iter().for_each(|file| self.file(&format!("{inner}/{file}")));
        }
    }

    /// A file of which only a part is recorded.
    fn shortened(&mut self, name: &'static str, keep: impl Fn(&str) -> String) {
        let path = self.text(Place::Proc(name));
        self.kept(&path, keep);
    }

    pub(super) fn kept(&mut self, path: &str, keep: impl Fn(&str) -> String) {
        match self.source.bytes(path) {
            Found::Here(bytes) => {
                let text = keep(&String::from_utf8_lossy(&bytes));
                self.put(path, Content::File(text.into_bytes()));
            }
            Found::Refused(number) => self.put(path, Content::Refused(number)),
            Found::Missing => {}
        }
    }

    /// The host's mounts, as the first process sees them, else our own. Those
    /// without a device behind them say nothing about devices.
    fn mounts(&mut self) {
        let source = self.source;
        for path in source.root().mountinfo().iter().filter_map(|path| source.name(path)) {
            self.kept(&path, device_mounts);
            if matches!(self.sidecar.get(&path), Some(Content::File(_))) {
                return;
            }
        }
    }

    /// Drivers of the PCI bus, those without a device included.
    fn drivers(&mut self) {
        let source = self.source;
        let Some(folder) = source.name(&source.root().drivers()) else { return };
        for name in self.names(&folder) {
            self.put(&format!("{folder}/{name}"), Content::Folder);
        }
        if let Some(probe) = source.name(&source.root().drivers_probe()) {
            self.existence(&probe);
        }
    }

    /// Memory and hugepages of each NUMA node.
    fn numa_nodes(&mut self) {
        let source = self.source;
        let Some(folder) = source.name(&source.root().numa_nodes()) else { return };
        for name in source.names(&folder).here().unwrap_or_default() {
            if name.strip_prefix("node").is_none_or(|number| number.parse::<u32>().is_err()) {
                continue;
            }
            let node = format!("{folder}/{name}");
            self.kept(&format!("{node}/meminfo"), node_memory);
            let pools = format!("{node}/hugepages");
            for pool in source.names(&pools).here().unwrap_or_default() {
                self.file(&format!("{pools}/{pool}/free_hugepages"));
            }
        }
    }

    /// Descriptors of the UEFIs that guests can be started with.
    fn guest_firmware(&mut self) {
        let source = self.source;
        let Some(folder) = source.name(&source.root().qemu_firmware()) else { return };
        let names = source.names(&folder).here().unwrap_or_default();
        for name in names.iter().filter(|name| name.ends_with(".json")) {
            self.file(&format!("{folder}/{name}"));
        }
    }

    fn modules(&mut self) {
        let folder = self.text(Place::Sys("module"));
        for name in self.names(&folder) {
            let module = format!("{folder}/{name}");
            self.put(&module, Content::Folder);
            self.file(&format!("{module}/initstate"));
            if MODULES.contains(&name.as_str()) {
                let inner = format!("{module}/parameters");
                let files = self.source.names(&inner).here().unwrap_or_default();
                files.iter().for_each(|file| self.file(&format!("{inner}/{file}")));
            }
        }
    }

    fn module_lists(&mut self) {
        let source = self.source;
        let release = source.name(&source.root().sysctl("kernel/osrelease"));
        let Some(release) = release.and_then(|path| source.word(&path)) else { return };
        let Some(folder) = source.name(&source.root().modules_of(&release)) else { return };
        for list in LISTS {
            self.kept(&format!("{folder}/{list}"), |text| {
                let listed = |line: &&str| LISTED.iter().any(|name| line.contains(name));
                text.lines().filter(listed).flat_map(|line| [line, "\n"]).collect()
            });
        }
    }

    fn udev(&mut self) {
        let source = self.source;
        let Some(class) = source.name(&source.root().class("block")) else { return };
        for name in source.names(&class).here().unwrap_or_default() {
            let number = source.word(&format!("{class}/{name}/dev"));
            let path = number.and_then(|number| source.name(&source.root().udev_block(number)));
            if let Some(path) = path {
                self.kept(&path, |text| {
                    // A label matters where it names the pool of a disk.
                    let pool = text.contains("E:ID_FS_TYPE=zfs_member");
                    lines(text, if pool { UDEV_KEPT } else { &UDEV_KEPT[1..] })
                });
            }
        }
    }

    /// The devices of each btrfs: links, below a folder named by its UUID.
    fn btrfs(&mut self) {
        let source = self.source;
        let Some(folder) = source.name(&source.root().btrfs()) else { return };
        for name in source.names(&folder).here().unwrap_or_default() {
            let devices = format!("{folder}/{name}/devices");
            for device in source.names(&devices).here().unwrap_or_default() {
                let path = format!("{devices}/{device}");
                if let Some(target) = source.link(&path).here() {
                    self.put(&path, Content::Link(target));
                }
            }
        }
    }

    /// What a hypervisor shares with this machine, and through which device.
    fn shares(&mut self) {
        let root = self.source.root();
        for driver in ["9pnet_virtio", "virtiofs"] {
            let Some(folder) = self.source.name(&root.virtio_driver(driver)) else { continue };
            let names = self.source.names(&folder).here().unwrap_or_default();
            for name in names.iter().filter(|name| name.starts_with("virtio")) {
                let path = format!("{folder}/{name}");
                self.link(&path);
                if let Some(device) = self.source.resolve(&path) {
                    self.file(&format!("{device}/mount_tag"));
                }
            }
        }
        let Some(folder) = self.source.name(&root.virtiofs()) else { return };
        for name in self.names(&folder) {
            self.link(&format!("{folder}/{name}/device"));
            self.file(&format!("{folder}/{name}/tag"));
        }
    }

    fn link(&mut self, path: &str) {
        if let Some(target) = self.source.link(path).here() {
            self.put(path, Content::Link(target));
        }
    }

    /// The firmware's tables about IOMMUs. That there is none of them is a fact.
    fn tables(&mut self) {
        let source = self.source;
        let Some(folder) = source.name(&source.root().acpi_tables()) else { return };
        let names = self.names(&folder);
        for name in names.iter().filter(|name| TABLES.contains(&name.as_str())) {
            self.file(&format!("{folder}/{name}"));
        }
    }

    /// Names of the nodes that tell of IOMMUs, at the top and in systems on a chip.
    fn device_tree(&mut self) {
        let source = self.source;
        let Some(base) = source.name(&source.root().device_tree()) else { return };
        let tells = |name: &&String| NODES_OF_TREE.iter().any(|start| name.starts_with(start));
        let names = source.names(&base).here().unwrap_or_default();
        for node in names.iter().filter(tells).map(|name| format!("{base}/{name}")) {
            self.put(&node, Content::Folder);
            let names = source.names(&node).here().unwrap_or_default();
            for inner in names.iter().filter(tells).filter(|_| node.contains("/soc")) {
                self.put(&format!("{node}/{inner}"), Content::Folder);
            }
        }
    }

    /// Who has each graphics card open. The kernel makes the table under a
    /// lock of the device.
    fn drm_clients(&mut self) {
        let source = self.source;
        let Some(class) = source.name(&source.root().class("drm")) else { return };
        for name in source.names(&class).here().unwrap_or_default() {
            let minor = name.strip_prefix("card").and_then(|number| number.parse().ok());
            let path = minor.and_then(|minor| source.name(&source.root().drm_clients(minor)));
            let device = source.resolve(&format!("{class}/{name}/device"));
            let Some((path, device)) = path.zip(device) else { continue };
            if source.spares(&device) {
                continue;
            }
            match source.locked(&path) {
                Found::Here(bytes) => self.put(&path, Content::File(bytes)),
                Found::Refused(number) => self.put(&path, Content::Refused(number)),
                Found::Missing => {}
            }
        }
    }

    /// The class folder of amdgpu's compute device, through which it is found.
    fn kfd(&mut self) {
        let source = self.source;
        let Some(class) = source.name(&source.root().class("kfd")) else { return };
        self.link(&format!("{class}/kfd"));
    }
}

//! A root directory with what the kernel would show in it.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::config::Space;

/// A root directory.
#[derive(Debug)]
pub struct Tree {
    root: PathBuf,
}

/// One function to be put into a tree.
#[derive(Clone, Debug)]
pub struct Device {
    pub bdf: String,
    /// The bridges above, from the root bus down.
    pub above: Vec<String>,
    pub vendor: u16,
    pub device: u16,
    pub class: u32,
    pub driver: Option<&'static str>,
    pub group: Option<u32>,
    pub config: Vec<u8>,
    /// Rows of `resource`: start, end, flags.
    pub resource: Vec<(u64, u64, u64)>,
    pub reset: Option<&'static str>,
}

impl Device {
    /// An endpoint with PCI Express, MSI-X and a 64-bit range.
    pub fn endpoint(bdf: &str, ids: (u16, u16), class: u32) -> Self {
        let mut space = Space::new(ids.0, ids.1, class);
        space.power(0).msi(3).msix(33).express(0);
        space
            .extended(0x0d, &[0; 4])
            .extended(0x03, &[0x78, 0x56, 0x34, 0x12, 0xef, 0xcd, 0xab, 0]);
        let mut resource = vec![(0, 0, 0); 13];
        resource[0] = (0x4000_0000_0000, 0x4000_0000_3fff, 0x14_0204);
        Self {
            bdf: bdf.to_owned(),
            above: Vec::new(),
            vendor: ids.0,
            device: ids.1,
            class,
            driver: None,
            group: None,
            config: space.bytes().to_vec(),
            resource,
            reset: Some("flr bus"),
        }
    }

    /// A root port.
    pub fn port(bdf: &str, buses: (u8, u8, u8)) -> Self {
        let mut space = Space::bridge(0x8086, 0x347a, buses);
        space.power(0).express(4).extended(0x0d, &[0x5f, 0, 0x1d, 0]);
        let mut port = Self::endpoint(bdf, (0x8086, 0x347a), 0x06_0400);
        port.config = space.bytes().to_vec();
        port.resource = vec![(0, 0, 0); 17];
        port.driver = Some("pcieport");
        port.reset = Some("pm");
        port
    }
}

impl Tree {
    pub fn new(root: &Path) -> Self {
        let tree = Self { root: root.to_owned() };
        fs::create_dir_all(root.join("sys/bus/pci/devices")).unwrap();
        tree
    }

    pub fn path(&self) -> &Path {
        &self.root
    }

    /// Write a file below the root, and the folders above it.
    pub fn file(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// Make a link below the root with exactly this target.
    pub fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self
    }

    /// A device of a class, below a function or virtual; its folder is the answer.
    pub fn device(&self, class: &str, below: &str, name: &str) -> String {
        let place = format!("devices/{below}/{name}");
        self.file(&format!("sys/{place}/uevent"), "");
        self.link(&format!("sys/class/{class}/{name}"), &format!("../../{place}"));
        format!("sys/{place}")
    }

    /// The folder of a function behind its link, as in `devices/pci0000:00/0000:00:01.0`.
    pub fn place(device: &Device) -> String {
        let (root_bus, _) = device.bdf.rsplit_once(':').unwrap();
        let top = device.above.first().map_or(root_bus, |top| top.rsplit_once(':').unwrap().0);
        let mut place = format!("devices/pci{top}");
        for part in device.above.iter().chain([&device.bdf]) {
            write!(place, "/{part}").unwrap();
        }
        place
    }

    /// Put a function there, with every file that matters to somebody.
    pub fn add(&self, device: &Device) -> &Self {
        let place = Self::place(device);
        let up = "../".repeat(place.split('/').count());
        let Device { bdf, vendor, device: id, class, .. } = device;
        self.link(&format!("sys/bus/pci/devices/{bdf}"), &format!("../../../{place}"));
        let put = |name: &str, text: String| {
            self.file(&format!("sys/{place}/{name}"), text);
        };
        let [_, base, sub, interface] = class.to_be_bytes();
        put(
            "modalias",
            format!(
                "pci:v{vendor:08X}d{id:08X}sv0000{vendor:04X}sd00000001bc{base:02X}sc{sub:02X}i{interface:02X}\n"
            ),
        );
        let driver = device.driver.map_or(String::new(), |driver| format!("DRIVER={driver}\n"));
        put(
            "uevent",
            format!(
                "{driver}PCI_CLASS={class:X}\nPCI_ID={vendor:04X}:{id:04X}\nPCI_SUBSYS_ID={vendor:04X}:0001\nPCI_SLOT_NAME={bdf}\n"
            ),
        );
        for (name, value) in [
            ("vendor", *vendor),
            ("device", *id),
            ("subsystem_vendor", *vendor),
            ("subsystem_device", 1),
        ] {
            put(name, format!("{value:#06x}\n"));
        }
        put("class", format!("{class:#08x}\n"));
        for (name, text) in [
            ("revision", "0xa1"),
            ("irq", "16"),
            ("numa_node", "-1"),
            ("enable", "1"),
            ("d3cold_allowed", "1"),
            ("driver_override", "(null)"),
            ("power/control", "auto"),
            ("power/runtime_status", "active"),
        ] {
            put(name, format!("{text}\n"));
        }
        if let Some(reset) = device.reset {
            put("reset_method", format!("{reset}\n"));
        }
        let rows = device.resource.iter();
        put(
            "resource",
            rows.map(|(start, end, flags)| format!("{start:#018x} {end:#018x} {flags:#018x}\n"))
                .collect(),
        );
        self.file(&format!("sys/{place}/config"), &device.config);
        if let Some(driver) = device.driver {
            self.link(&format!("sys/{place}/driver"), &format!("{up}bus/pci/drivers/{driver}"));
            self.link(
                &format!("sys/bus/pci/drivers/{driver}/{bdf}"),
                &format!("../../../../{place}"),
            );
        }
        if let Some(group) = device.group {
            self.group(&place, bdf, group);
        }
        self
    }

    fn group(&self, place: &str, bdf: &str, group: u32) {
        let up = "../".repeat(place.split('/').count());
        let folder = format!("kernel/iommu_groups/{group}");
        self.link(&format!("sys/{place}/iommu_group"), &format!("{up}{folder}"));
        self.link(&format!("sys/{folder}/devices/{bdf}"), &format!("../../../../{place}"));
        self.file(&format!("sys/{folder}/type"), "DMA-FQ\n");
        let msi = "0x00000000fee00000 0x00000000feefffff msi\n";
        self.file(&format!("sys/{folder}/reserved_regions"), msi);
    }
}

/// A machine with these endpoints (address and class), of which the host uses none.
pub fn unused(devices: &[(&str, u32)]) -> (tempfile::TempDir, Tree) {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::new(dir.path());
    for (bdf, class) in devices {
        tree.add(&Device::endpoint(bdf, (0x1b36, 0x0010), *class));
    }
    tree.file("proc/1/mountinfo", "").file("proc/iomem", "");
    tree.file("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
    tree.file("proc/net/route", "Iface\tDestination\n").file("proc/net/fib_trie", "");
    (dir, tree)
}

//! The pretended machine: a tree, and what a kernel knows besides it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use model::Bdf;
use rustix::io::Errno;
use tempfile::TempDir;

use crate::driver::Driver;
use crate::generators::Botch;
use crate::offers::Shelved;
use crate::place::AddressSpace;
use crate::tree::Tree;

/// The release of the pretended kernel.
pub(crate) const RELEASE: &str = "6.12.0-fakehost";

#[derive(Debug)]
pub(crate) struct Machine {
    pub tree: Tree,
    /// Outside the tree: what drivers made and took away again.
    pub shelf: TempDir,
    pub shelved: BTreeMap<(Bdf, String), Shelved>,
    pub space: AddressSpace,
    /// The folder that holds the functions of a bus behind a bridge.
    pub buses: BTreeMap<(u32, u8), String>,
    /// The controller whose requester id a whole domain uses.
    pub controllers: BTreeMap<u32, Bdf>,
    pub iommu: bool,
    /// Loaded drivers, in the order in which the kernel asks them.
    pub drivers: Vec<Driver>,
    /// Drivers that `modprobe` would load, by module.
    pub loadable: BTreeMap<String, Vec<Driver>>,
    /// Probes that fail, and how.
    pub refused_probes: BTreeMap<(Bdf, String), Errno>,
    /// Functions that were suspended when they were told to stay awake.
    pub dozing: BTreeSet<Bdf>,
    /// systemd's units: whether each is active.
    pub units: BTreeMap<String, bool>,
    /// Units, and a unit that each cannot be without.
    pub needs: Vec<(String, String)>,
    /// Sockets, and the unit that each starts when somebody connects.
    pub triggers: Vec<(String, String)>,
    /// Processes that stay when their unit stops.
    pub lingering: BTreeSet<u32>,
    /// Processes that went with their unit.
    pub away: BTreeMap<String, Vec<u32>>,
    /// Programs that fail at what they make.
    pub botches: BTreeMap<String, Botch>,
    /// Minor numbers that are given away.
    pub minors: u32,
}

impl Machine {
    pub(crate) fn new(root: &Path) -> Self {
        let tree = Tree::new(root);
        // Beside the tree: a folder is moved within one file system only.
        let beside = tree.root().parent().unwrap_or(tree.root()).to_owned();
        let shelf = tempfile::Builder::new().prefix(".shelf").tempdir_in(beside);
        let vfio = Driver::for_any("vfio-pci", "vfio_pci");
        let stub = Driver::for_any("pci-stub", "pci_stub");
        let loadable = [vfio, stub].map(|driver| (driver.module.clone(), vec![driver]));
        Self {
            tree,
            shelf: shelf.expect("a folder beside the root of a fake host"),
            shelved: BTreeMap::new(),
            space: AddressSpace::default(),
            buses: BTreeMap::new(),
            controllers: BTreeMap::new(),
            iommu: true,
            drivers: Vec::new(),
            loadable: loadable.into(),
            refused_probes: BTreeMap::new(),
            dozing: BTreeSet::new(),
            units: BTreeMap::new(),
            needs: Vec::new(),
            triggers: Vec::new(),
            lingering: BTreeSet::new(),
            away: BTreeMap::new(),
            botches: BTreeMap::new(),
            minors: 0,
        }
    }

    /// The parts that every machine has, as far as they are missing.
    pub(crate) fn complete(&self) {
        for folder in
            ["sys/bus/pci/devices", "sys/bus/pci/drivers", "sys/module", "sys/class", "proc/1/fd"]
        {
            self.tree.dir(folder);
        }
        for (path, text) in [
            ("sys/bus/pci/drivers_probe", ""),
            ("sys/bus/pci/drivers_autoprobe", "1\n"),
            ("sys/bus/pci/rescan", ""),
            ("proc/sys/kernel/random/boot_id", "6d0b2a1e-55c1-4c63-9d0e-0123456789ab\n"),
            ("proc/sys/kernel/osrelease", &format!("{RELEASE}\n")),
            ("proc/sys/kernel/hostname", "fakehost\n"),
            ("proc/sys/kernel/arch", "x86_64\n"),
            ("proc/cmdline", "root=/dev/vda1 ro intel_iommu=on iommu=pt\n"),
            ("proc/meminfo", "MemTotal:       67108864 kB\nMemAvailable:   60000000 kB\n"),
            ("proc/swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
            ("proc/iomem", ""),
            ("proc/1/mountinfo", "1 1 0:2 / / rw - rootfs rootfs rw\n"),
            ("proc/net/route", ROUTE_HEAD),
            ("proc/net/fib_trie", "Local:\n"),
            ("proc/net/if_inet6", ""),
            ("proc/net/ipv6_route", ""),
        ] {
            self.tree.put_new(path, text);
        }
        self.tree.put_new("dev/kvm", "");
    }

    /// An Intel IOMMU with 48 bits of address (`cap` bits 21:16 are 47), and
    /// the firmware's word for it.
    pub(crate) fn put_iommu(&self) {
        let unit = "sys/devices/virtual/iommu/dmar0";
        self.tree.put(format!("{unit}/intel-iommu/cap"), "d2008c222f0686\n");
        self.tree.put(format!("{unit}/intel-iommu/ecap"), "f00f5e\n");
        self.tree.put(format!("{unit}/intel-iommu/version"), "1:0\n");
        self.tree.link("sys/class/iommu/dmar0", unit);
        self.tree.put("sys/firmware/acpi/tables/DMAR", "DMAR");
    }

    pub(crate) fn has(&self, bdf: Bdf) -> bool {
        self.tree.exists(format!("sys/bus/pci/devices/{bdf}"))
    }

    /// The folder of a function that is there, through its link.
    pub(crate) fn folder(&self, bdf: Bdf) -> String {
        let link = self.tree.at(format!("sys/bus/pci/devices/{bdf}"));
        match self.tree.real(&link) {
            Some(folder) => folder.to_string_lossy().into_owned(),
            None => panic!("there is no function {bdf}"),
        }
    }

    /// Every function, in bus order.
    pub(crate) fn functions(&self) -> Vec<Bdf> {
        let names = self.tree.names("sys/bus/pci/devices");
        let mut all: Vec<Bdf> = names.iter().filter_map(|name| name.parse().ok()).collect();
        all.sort();
        all
    }

    /// An attribute of a function, as text.
    pub(crate) fn attribute(&self, bdf: Bdf, name: &str) -> Option<String> {
        self.tree.text(format!("{}/{name}", self.folder(bdf)))
    }

    pub(crate) fn set_attribute(&self, bdf: Bdf, name: &str, value: &str) {
        self.tree.put(format!("{}/{name}", self.folder(bdf)), format!("{value}\n"));
    }

    /// The folder for the functions of a bus: below the bridge that leads
    /// there, or a root bus of its own where none does.
    pub(crate) fn bus_folder(&self, bdf: Bdf) -> String {
        let (domain, bus) = (bdf.domain(), bdf.bus());
        match self.buses.get(&(domain, bus)) {
            Some(folder) => folder.clone(),
            None => format!("sys/devices/pci{domain:04x}:{bus:02x}"),
        }
    }
}

pub(crate) const ROUTE_HEAD: &str =
    "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n";

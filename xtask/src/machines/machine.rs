//! A machine described by hand, and the recording that it gives.
//!
//! In: functions, what hangs on them, what the host does. Out: a
//! [`Recording`] as `record` would have made it: ranges placed without
//! overlap, bridge windows around them, configuration space to match.

use std::collections::BTreeMap;

use host::record::Recording;
use model::parse::sidecar::{Content, Sidecar};
use model::parse::umockdev::{Attribute, Device};

use crate::machines::function::Function;
use crate::machines::place::{Place, Places};

/// A machine that is being described.
#[derive(Debug)]
pub struct Machine {
    pub functions: Vec<Function>,
    pub places: Places,
    devices: Vec<Device>,
    sidecar: Sidecar,
    /// Functions that have a root bus of their own behind them (VMD).
    roots: BTreeMap<String, String>,
    /// First and last byte of memory ranges that are RAM.
    ram: Vec<(u64, u64)>,
}

impl Machine {
    /// A machine that runs a kernel.
    pub fn new(arch: &str, kernel: &str, cmdline: &str, memory: u64) -> Self {
        let mut machine = Self {
            functions: Vec::new(),
            places: Places::default(),
            devices: Vec::new(),
            sidecar: Sidecar::new(),
            roots: BTreeMap::new(),
            ram: vec![(0x1000, 0x9_ffff), (0x10_0000, 0x7fff_ffff), (1 << 32, (1 << 32) + memory)],
        };
        let kib = memory >> 10;
        machine.text("/proc/cmdline", &format!("{cmdline}\n"));
        machine.text("/proc/sys/kernel/arch", &format!("{arch}\n"));
        machine.text("/proc/sys/kernel/osrelease", &format!("{kernel}\n"));
        machine.text("/proc/sys/kernel/ostype", "Linux\n");
        machine.text("/proc/sys/kernel/hostname", "host\n");
        let boot = "00000000-0000-4000-8000-000000000001\n";
        machine.text("/proc/sys/kernel/random/boot_id", boot);
        let memory = format!(
            "MemTotal: {kib} kB\nMemFree: {0} kB\nMemAvailable: {0} kB\nHugePages_Total: 0\nHugepagesize: 2048 kB\n",
            kib / 4 * 3
        );
        machine.text("/proc/meminfo", &memory);
        machine.folder("/sys/bus/pci/drivers/vfio-pci");
        machine.text("/sys/bus/pci/drivers_probe", "");
        machine.text(&format!("/lib/modules/{kernel}/modules.builtin"), "");
        let iommu = if arch.starts_with("ppc") { "spapr_tce" } else { "type1" };
        let modules = [
            "kernel/drivers/vfio/pci/vfio-pci.ko: kernel/drivers/vfio/vfio.ko".to_owned(),
            "kernel/drivers/vfio/vfio.ko:".to_owned(),
            format!("kernel/drivers/vfio/vfio_iommu_{iommu}.ko: kernel/drivers/vfio/vfio.ko"),
            "kernel/virt/lib/irqbypass.ko:\n".to_owned(),
        ];
        machine.text(&format!("/lib/modules/{kernel}/modules.dep"), &modules.join("\n"));
        for module in ["vfio".to_owned(), "vfio_pci".to_owned(), format!("vfio_iommu_{iommu}")] {
            machine.text(&format!("/sys/module/{module}/initstate"), "live\n");
        }
        // Processes can be seen, and none holds a device.
        machine.folder("/proc/1/fd");
        machine
    }

    pub fn text(&mut self, path: &str, text: &str) {
        self.sidecar.insert(path.to_owned(), Content::File(text.into()));
    }

    pub fn bytes(&mut self, path: &str, bytes: Vec<u8>) {
        self.sidecar.insert(path.to_owned(), Content::File(bytes));
    }

    pub fn link(&mut self, path: &str, target: &str) {
        self.sidecar.insert(path.to_owned(), Content::Link(target.to_owned()));
    }

    pub fn folder(&mut self, path: &str) {
        self.sidecar.insert(path.to_owned(), Content::Folder);
    }

    pub fn remove(&mut self, path: &str) {
        self.sidecar.retain(|at, _| at != path && !at.starts_with(&format!("{path}/")));
    }

    pub fn device(&mut self, device: Device) {
        self.devices.push(device);
    }

    pub fn add(&mut self, function: Function) {
        self.functions.push(function);
    }

    /// A root bus (`10000:00`) that stands behind a function.
    pub fn root_behind(&mut self, bus: &str, function: &str) {
        self.roots.insert(bus.to_owned(), function.to_owned());
    }

    /// An IOMMU group with what its files say.
    pub fn group(&mut self, id: u32, domain: &str, reserved: &str) {
        let folder = format!("/sys/kernel/iommu_groups/{id}");
        self.text(&format!("{folder}/type"), &format!("{domain}\n"));
        self.text(&format!("{folder}/reserved_regions"), reserved);
    }

    /// Groups that have the range of the interrupt controller reserved only.
    pub fn groups(&mut self, ids: impl IntoIterator<Item = u32>, domain: &str) {
        ids.into_iter().for_each(|id| self.group(id, domain, MSI));
    }

    /// The path of a function below the folder of sysfs.
    pub fn path(&self, address: &str) -> String {
        let found = self.functions.iter().find(|function| function.address == address);
        let function = found.unwrap_or_else(|| panic!("no function {address}"));
        if let Some(bridge) = &function.below {
            return format!("{}/{address}", self.path(bridge));
        }
        let bus = format!("{}:{}", function.domain(), function.bus());
        match self.roots.get(&bus) {
            Some(behind) => format!("{}/pci{bus}/{address}", self.path(behind)),
            None => format!("/devices/pci{bus}/{address}"),
        }
    }

    /// The recording.
    pub fn finish(mut self) -> Recording {
        let placed = self.places.clone().place(&self.functions);
        let iomem = crate::machines::place::iomem(&self.functions, &placed, &self.ram);
        self.text("/proc/iomem", &iomem);
        let mut devices = std::mem::take(&mut self.devices);
        for function in &self.functions {
            devices.push(self.function_device(function, &placed));
        }
        devices.sort_by(|a, b| a.path.cmp(&b.path));
        Recording { devices, sidecar: self.sidecar }
    }

    fn function_device(&self, function: &Function, placed: &BTreeMap<String, Place>) -> Device {
        let path = self.path(&function.address);
        let mut device = Device::new(path, "pci");
        device.properties = properties(function);
        let place = &placed[&function.address];
        let texts = texts(function).into_iter().chain(power(function)).chain(sriov(function));
        for (name, text) in
            texts.chain([("resource", place.resource(function).trim_end().to_owned())])
        {
            let text = Attribute::File(format!("{text}\n").into());
            device.attributes.insert(name.to_owned(), text);
        }
        if !function.resets.is_empty() {
            device.attributes.insert("reset".to_owned(), Attribute::File(Vec::new()));
        }
        if !function.suspended {
            let config = place.space(function).bytes();
            device.attributes.insert("config".to_owned(), Attribute::File(config));
        }
        for (name, target) in self.links(function) {
            device.attributes.insert(name, Attribute::Link(target));
        }
        device
    }

    fn links(&self, function: &Function) -> Vec<(String, String)> {
        let up = "../".repeat(self.path(&function.address).matches('/').count());
        let mut links = Vec::new();
        if let Some(driver) = function.driver {
            links.push(("driver".to_owned(), format!("{up}bus/pci/drivers/{driver}")));
        }
        if let Some(group) = function.group {
            links.push(("iommu_group".to_owned(), format!("{up}kernel/iommu_groups/{group}")));
        }
        if let Some((physical, _)) = &function.virtual_of {
            links.push(("physfn".to_owned(), format!("../{physical}")));
        }
        for other in &self.functions {
            if let Some((physical, number)) = &other.virtual_of
                && *physical == function.address
            {
                links.push((format!("virtfn{number}"), format!("../{}", other.address)));
            }
        }
        links
    }
}

type Text = (&'static str, String);

fn texts(function: &Function) -> Vec<Text> {
    let mut texts = vec![
        ("vendor", format!("0x{:04x}", function.ids.0)),
        ("device", format!("0x{:04x}", function.ids.1)),
        ("subsystem_vendor", format!("0x{:04x}", function.subsystem.0)),
        ("subsystem_device", format!("0x{:04x}", function.subsystem.1)),
        ("class", format!("0x{:06x}", function.class)),
        ("revision", format!("0x{:02x}", function.revision)),
        ("modalias", modalias(function)),
        ("irq", function.irq.to_string()),
        ("numa_node", function.numa.to_string()),
        ("driver_override", "(null)".to_owned()),
        ("enable", u8::from(function.driver.is_some()).to_string()),
    ];
    if !function.resets.is_empty() {
        texts.push(("reset_method", function.resets.to_owned()));
    }
    if let Some(boot) = function.boot_vga {
        texts.push(("boot_vga", u8::from(boot).to_string()));
    }
    texts
}

fn power(function: &Function) -> Vec<Text> {
    let (control, status, state) =
        if function.suspended { ("auto", "suspended", "D3cold") } else { ("on", "active", "D0") };
    vec![
        ("d3cold_allowed", u8::from(function.d3cold).to_string()),
        ("power/control", control.to_owned()),
        ("power/runtime_status", status.to_owned()),
        ("power_state", state.to_owned()),
    ]
}

fn sriov(function: &Function) -> Vec<Text> {
    let Some(sriov) = &function.sriov else { return Vec::new() };
    vec![
        ("sriov_totalvfs", sriov.total.to_string()),
        ("sriov_vf_device", format!("{:x}", sriov.vf_device)),
        ("sriov_offset", sriov.offset.to_string()),
        ("sriov_stride", sriov.stride.to_string()),
        ("sriov_drivers_autoprobe", "1".to_owned()),
    ]
}

/// What every group on x86 has reserved.
pub const MSI: &str = "0x00000000fee00000 0x00000000feefffff msi\n";

fn modalias(function: &Function) -> String {
    let ((vendor, device), subsystem) = (function.ids, function.subsystem);
    let [_, base, sub, interface] = function.class.to_be_bytes();
    format!(
        "pci:v{vendor:08X}d{device:08X}sv{:08X}sd{:08X}bc{base:02X}sc{sub:02X}i{interface:02X}",
        subsystem.0, subsystem.1
    )
}

fn properties(function: &Function) -> Vec<(String, String)> {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    let driver = function.driver.map(|driver| pair("DRIVER", driver.to_owned()));
    let (ids, subsystem) = (function.ids, function.subsystem);
    let rest = [
        pair("PCI_CLASS", format!("{:X}", function.class)),
        pair("PCI_ID", format!("{:04X}:{:04X}", ids.0, ids.1)),
        pair("PCI_SUBSYS_ID", format!("{:04X}:{:04X}", subsystem.0, subsystem.1)),
        pair("PCI_SLOT_NAME", function.address.clone()),
        pair("MODALIAS", modalias(function)),
    ];
    driver.into_iter().chain(rest).collect()
}

/// Block devices that others are made of.
impl Machine {
    /// The path of a block device.
    pub fn block_path(&self, name: &str) -> String {
        let is_it = |device: &&Device| device.subsystem == "block" && device.name() == name;
        let found = self.devices.iter().find(is_it);
        found.unwrap_or_else(|| panic!("no block device {name}")).path.clone()
    }

    /// Adds a volume to the holders of a block device.
    pub fn attach_holder(&mut self, name: &str, holder: &str, target: &str) {
        for device in &mut self.devices {
            if device.subsystem == "block" && device.name() == name {
                let link = format!("holders/{holder}");
                device.attributes.insert(link, Attribute::Link(target.to_owned()));
            }
        }
    }
}

//! Where everything sits on the guest's PCI Express bus.
//!
//! ```text
//! pcie.0 ─┬─ 01.0 … 07.0  emulated devices (disks, network)
//!         ├─ 08.0 rp1 ── 00.0 GPU, 00.1 its audio
//!         ├─ 08.1 rp2 ── 00.0 NVMe
//!         ├─ 08.2 rp3 ── pcie-pci-bridge ─┬─ 01.0 function of group 7
//!         │                               └─ 02.0 function of group 7
//!         ├─ 08.3 rp4    (spare)
//!         …  eight ports in a slot, slots 08 to 1e
//! ```
//!
//! A device directly on `pcie.0` would be a root complex integrated endpoint
//! without a link: some drivers fail on that, and it cannot be unplugged.
//! In: devices. Out: places, each used once. Never: text.

use std::collections::{BTreeMap, BTreeSet};

use model::reason::{Code, Reason};

use crate::device::{HostDevice, HostFunction, Reserve, clusters};
use crate::machine::{Firmware, GuestSpec};

/// The first slot of `pcie.0` that carries ports; 0 is the host bridge, 0x1f
/// the chipset, 1 to 7 are for emulated devices.
const FIRST_SLOT: usize = 8;
const LAST_SLOT: usize = 0x1e;
/// Ports in all: eight functions in each slot. Chassis numbers (8 bits, and
/// 0 is taken) would allow 255.
pub const MAX_PORTS: usize = (LAST_SLOT - FIRST_SLOT + 1) * 8;
/// Ports with I/O registers below them that firmware has room for: each takes
/// 4 KiB of a 64 KiB space. Measured with SeaBIOS 1.16.3, which gives up at
/// one more ("out of I/O address space"), and OVMF 2022.11, which leaves the
/// rest of the devices without any addresses.
const MAX_IO_SEABIOS: usize = 14;
const MAX_IO_OVMF: usize = 9;
/// Slots of a PCIe-to-PCI bridge; its hotplug controller owns slot 0.
const BRIDGE_SLOTS: usize = 31;

/// All places.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Topology<'a> {
    pub(crate) ports: Vec<Port>,
    pub(crate) bridges: Vec<Bridge>,
    pub(crate) functions: Vec<Placed<'a>>,
}

/// A root port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Port {
    /// From 1: the port's name, chassis and physical slot number.
    pub(crate) number: usize,
    /// Address on `pcie.0`.
    pub(crate) slot: usize,
    pub(crate) function: usize,
    /// A device below it has I/O registers.
    pub(crate) io: bool,
    /// What the devices below need.
    pub(crate) needs: Reserve,
    /// A port that is empty at the start.
    pub(crate) spare: bool,
}

/// A PCIe-to-PCI bridge below a port: what is behind it shares one
/// requester id, and so one address space of the virtual IOMMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bridge {
    pub(crate) port: usize,
}

/// One function in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed<'a> {
    pub(crate) host: &'a HostFunction,
    /// The bus, by QEMU's name.
    pub(crate) bus: String,
    pub(crate) slot: usize,
    pub(crate) function: u8,
    /// Function 0 of a slot with further functions says so.
    pub(crate) multifunction: bool,
}

impl Port {
    pub(crate) fn id(&self) -> String {
        port_id(self.number)
    }
}

impl Bridge {
    pub(crate) fn id(&self) -> String {
        bridge_id(self.port)
    }
}

/// The name of the port of this number.
pub(crate) fn port_id(number: usize) -> String {
    format!("rp{number}")
}

fn bridge_id(port: usize) -> String {
    format!("pb{port}")
}

/// Give every device its place.
pub(crate) fn place(spec: &GuestSpec) -> Topology<'_> {
    let mut topology = Topology::default();
    let clusters = clusters(&spec.devices);
    let bridged =
        if spec.has_iommu() { sharing(&spec.devices, &clusters) } else { BTreeSet::new() };
    let mut bridges: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (device, cluster) in spec.devices.iter().zip(clusters) {
        if !bridged.contains(&cluster) {
            let port = topology.add_port(device.needs(), has_io(device), false);
            topology.add_device(device, &port_id(port), 0);
            continue;
        }
        let (port, used) = bridges.entry(cluster).or_insert_with(|| {
            let port = topology.add_port(Reserve::default(), false, false);
            topology.bridges.push(Bridge { port });
            (port, 0)
        });
        *used += 1;
        let (port, slot) = (*port, *used);
        topology.widen(port, device);
        topology.add_device(device, &bridge_id(port), slot);
    }
    for _ in 0..spec.spare.count {
        topology.add_port(spec.spare.reserve, false, true);
    }
    topology
}

/// Clusters in which a group has more than one function: with a virtual
/// IOMMU each function would have its own address space, and VFIO wants one
/// for a group (QEMU: "group … used in multiple address spaces").
fn sharing(devices: &[HostDevice], clusters: &[usize]) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut sharing = BTreeSet::new();
    for (device, cluster) in devices.iter().zip(clusters) {
        for group in device.functions.iter().filter_map(|function| function.group) {
            if !seen.insert(group) {
                sharing.insert(*cluster);
            }
        }
    }
    sharing
}

fn has_io(device: &HostDevice) -> bool {
    device.functions.iter().any(HostFunction::has_io)
}

impl<'a> Topology<'a> {
    fn add_port(&mut self, needs: Reserve, io: bool, spare: bool) -> usize {
        let index = self.ports.len();
        let (slot, function) = (FIRST_SLOT + index / 8, index % 8);
        self.ports.push(Port { number: index + 1, slot, function, io, needs, spare });
        index + 1
    }

    fn add_device(&mut self, device: &'a HostDevice, bus: &str, slot: usize) {
        let numbers = device.numbers();
        let many = numbers.len() > 1;
        for (host, function) in device.functions.iter().zip(numbers) {
            let multifunction = many && function == 0;
            self.functions.push(Placed {
                host,
                bus: bus.to_owned(),
                slot,
                function,
                multifunction,
            });
        }
    }

    /// Make room at a port for one more device behind its bridge.
    fn widen(&mut self, number: usize, device: &HostDevice) {
        if let Some(port) = self.ports.get_mut(number - 1) {
            let more = device.needs();
            port.needs.wide = port.needs.wide.saturating_add(more.wide);
            port.needs.low = port.needs.low.saturating_add(more.low);
            port.io |= has_io(device);
        }
    }

    /// Whether this port announces that others share its slot.
    pub(crate) fn is_multifunction(&self, port: &Port) -> bool {
        port.function == 0
            && self.ports.iter().any(|other| other.slot == port.slot && other.function > 0)
    }

    /// Why the places do not suffice.
    pub(crate) fn refusals(&self, firmware: &Firmware) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let (most, name) = match firmware {
            Firmware::Default => (MAX_IO_SEABIOS, "SeaBIOS"),
            Firmware::Ovmf { .. } => (MAX_IO_OVMF, "OVMF"),
        };
        let count = self.ports.iter().filter(|port| port.io).count();
        if count > most {
            let text = format!(
                "{count} devices have registers in I/O space, {name} has room for {most} of them"
            );
            reasons.push(Reason::machine(Code::Unsupported, text, "pass fewer to one guest"));
        }
        if self.ports.len() > MAX_PORTS {
            let text = format!(
                "{} ports are needed (devices and spare ones), a guest has room for {MAX_PORTS}",
                self.ports.len()
            );
            reasons.push(Reason::machine(Code::Unsupported, text, "ask for fewer spare ports"));
        }
        if let Some(full) = self.functions.iter().find(|placed| placed.slot > BRIDGE_SLOTS) {
            let text = format!(
                "more than {BRIDGE_SLOTS} devices of one IOMMU group, behind a virtual IOMMU"
            );
            reasons.push(Reason::at(Code::Unsupported, full.host.bdf, text, ""));
        }
        reasons
    }

    /// What the user should know: devices that are behind a bridge.
    pub(crate) fn notes(&self) -> Vec<Reason> {
        let behind = |bridge: &Bridge| {
            let members: Vec<_> =
                self.functions.iter().filter(|placed| placed.bus == bridge.id()).collect();
            let names: Vec<String> =
                members.iter().map(|placed| placed.host.bdf.to_string()).collect();
            let first = members.first()?.host;
            let text = format!(
                "{} share an IOMMU group: behind the virtual IOMMU they sit on one conventional PCI bus, with one address space",
                names.join(" ")
            );
            let hint = "without a virtual IOMMU (--viommu off) they would be PCI Express devices";
            Some(Reason::at(Code::ConventionalPci, first.bdf, text, hint))
        };
        self.bridges.iter().filter_map(behind).collect()
    }
}

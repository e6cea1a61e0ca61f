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

use std::collections::BTreeMap;

use model::reason::{Code, Reason};
use model::snapshot::GroupId;

use crate::device::{HostDevice, HostFunction, Reserve};
use crate::machine::GuestSpec;

/// The first slot of `pcie.0` that carries ports; 0 is the host bridge, 0x1f
/// the chipset, 1 to 7 are for emulated devices.
const FIRST_SLOT: usize = 8;
const LAST_SLOT: usize = 0x1e;
/// Ports in all: eight functions in each slot. Chassis numbers (8 bits, and
/// 0 is taken) would allow 255.
pub const MAX_PORTS: usize = (LAST_SLOT - FIRST_SLOT + 1) * 8;
/// Devices with I/O registers that get a window for them. A bridge's I/O
/// window is 4 KiB at least, and firmware has 16 KiB to 40 KiB in all; what
/// PCI Express devices keep in I/O space is for VGA emulation.
const MAX_IO_PORTS: usize = 8;
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
    /// Whether a window for I/O registers is made.
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
    let shared = if spec.has_iommu() { shared_groups(spec) } else { BTreeMap::new() };
    let mut bridged: BTreeMap<GroupId, (usize, usize)> = BTreeMap::new();
    for device in &spec.devices {
        let group = device.functions.iter().find_map(|function| function.group);
        let Some(group) = group.filter(|group| shared.contains_key(group)) else {
            let port = topology.add_port(device.needs(), has_io(device), false);
            topology.add_device(device, &port_id(port), 0);
            continue;
        };
        let (port, used) = bridged.entry(group).or_insert_with(|| {
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
    topology.ration_io();
    topology
}

/// Groups with more than one function: with a virtual IOMMU each function
/// would have its own address space, and VFIO wants one for a group (QEMU:
/// "group … used in multiple address spaces").
fn shared_groups(spec: &GuestSpec) -> BTreeMap<GroupId, usize> {
    let mut counts: BTreeMap<GroupId, usize> = BTreeMap::new();
    let functions = spec.devices.iter().flat_map(|device| &device.functions);
    for group in functions.filter_map(|function| function.group) {
        *counts.entry(group).or_default() += 1;
    }
    counts.retain(|_, count| *count > 1);
    counts
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

    fn ration_io(&mut self) {
        for port in self.ports.iter_mut().filter(|port| port.io).skip(MAX_IO_PORTS) {
            port.io = false;
        }
    }

    /// Ports, with the last function of a slot of them marked so that
    /// function 0 announces it.
    pub(crate) fn is_multifunction(&self, port: &Port) -> bool {
        port.function == 0
            && self.ports.iter().any(|other| other.slot == port.slot && other.function > 0)
    }

    /// Why the places do not suffice.
    pub(crate) fn refusals(&self) -> Vec<Reason> {
        let mut reasons = Vec::new();
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
            let hint = "without a virtual IOMMU (--iommu off) they would be PCI Express devices";
            Some(Reason::at(Code::ConventionalPci, first.bdf, text, hint))
        };
        self.bridges.iter().filter_map(behind).collect()
    }
}

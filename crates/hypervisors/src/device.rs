//! Host devices as a guest gets them: functions that share one slot.
//!
//! In: [`model::Function`] values. Out: [`HostDevice`]s with the facts that a
//! backend needs to place them. Nothing is read from the machine here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use model::function::{Bar, BarKind};
use model::quirks;
use model::snapshot::GroupId;
use model::{Bdf, Function};

/// One function to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFunction {
    pub bdf: Bdf,
    /// Its folder in sysfs, as in `…/bus/pci/devices/0000:65:00.0`; for a
    /// mediated device that of the mdev.
    pub sysfs: PathBuf,
    pub group: Option<GroupId>,
    /// Empty when they could not be read.
    pub bars: Vec<Bar>,
    /// A virtual function: it always stands alone in its slot.
    pub is_virtual: bool,
    /// It needs interrupt remapping in the guest, and so a virtual IOMMU.
    pub needs_remapping: bool,
    /// A file with its expansion ROM, in place of the one in the device.
    pub rom_file: Option<PathBuf>,
}

/// What is in one slot of the guest, or goes there: functions of one host slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDevice {
    /// In order of function number.
    pub functions: Vec<HostFunction>,
}

/// Address space below a port that the firmware should keep free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reserve {
    /// Bytes of 64-bit prefetchable memory.
    pub wide: u64,
    /// Bytes of memory below 4 GiB: everything else than the above.
    pub low: u64,
}

impl HostFunction {
    /// What the snapshot says about a function, with its sysfs folder.
    pub fn from_facts(function: &Function, sysfs: PathBuf) -> Self {
        Self {
            bdf: function.bdf,
            sysfs,
            group: function.group_id(),
            bars: function.bars.known().cloned().unwrap_or_default(),
            is_virtual: function.physfn.is_some(),
            needs_remapping: quirks::needs_guest_remapping(function),
            rom_file: None,
        }
    }

    /// The name under which a hypervisor knows it: the address, spelled with
    /// the characters that QEMU allows (`id_wellformed()` in `util/id.c`).
    pub fn id(&self) -> String {
        id_of(self.bdf)
    }

    /// A register in I/O space.
    pub fn has_io(&self) -> bool {
        self.bars.iter().any(|bar| bar.kind == BarKind::Io)
    }
}

impl HostDevice {
    /// Functions grouped by slot, in order. A virtual function stands alone:
    /// its slot number is arithmetic (SR-IOV offset and stride), not a card.
    pub fn by_slot(functions: Vec<HostFunction>) -> Vec<Self> {
        let mut slots: BTreeMap<(Bdf, Option<Bdf>), Vec<HostFunction>> = BTreeMap::new();
        for function in functions {
            let alone = function.is_virtual.then_some(function.bdf);
            slots.entry((slot(function.bdf), alone)).or_default().push(function);
        }
        let devices = slots.into_values().map(|mut functions| {
            functions.sort_by_key(|function| function.bdf);
            Self { functions }
        });
        devices.collect()
    }

    /// Functions by the slots of a guest, as it says that it has them
    /// ([`crate::Guest::slots`]), in bus order. One that it has not, or not
    /// any more, stands alone.
    pub fn by_guest_slot(mut functions: Vec<HostFunction>, slots: &[Vec<String>]) -> Vec<Self> {
        let mut devices: Vec<Self> = Vec::new();
        for slot in slots {
            let number = |function: &HostFunction| slot.iter().position(|id| *id == function.id());
            let (mut own, rest): (Vec<_>, Vec<_>) =
                functions.into_iter().partition(|function| number(function).is_some());
            own.sort_by_key(number);
            devices.push(Self { functions: own });
            functions = rest;
        }
        devices.retain(|device| !device.functions.is_empty());
        devices.extend(functions.into_iter().map(|function| Self { functions: vec![function] }));
        devices.sort_by_key(|device| device.functions.first().map(|function| function.bdf));
        devices
    }

    /// The address by which messages name it: that of its first function.
    pub fn name(&self) -> String {
        self.functions.first().map_or_else(|| "?".to_owned(), |function| function.bdf.to_string())
    }

    /// The guest's function numbers. Drivers look for their sibling by
    /// number (audio at .1 of the card at .0), so the host's numbers stay;
    /// without a function 0 no operating system would look at the others
    /// (PCI Local Bus Specification 3.0, 3.2.2.3.4), so then they move up.
    pub fn numbers(&self) -> Vec<u8> {
        let own: Vec<u8> = self.functions.iter().map(|function| function.bdf.function()).collect();
        if own.first() == Some(&0) && self.functions.iter().all(|function| !function.is_virtual) {
            return own;
        }
        (0..).take(own.len()).collect()
    }

    /// The address space that it takes below a bridge. A bridge has a 64-bit
    /// window for prefetchable memory only; all else lies below 4 GiB
    /// (PCI-to-PCI Bridge Architecture 1.2, 3.2.5.8).
    pub fn needs(&self) -> Reserve {
        let mut reserve = Reserve::default();
        for bar in self.functions.iter().flat_map(|function| &function.bars) {
            match bar.kind {
                BarKind::Io => {}
                BarKind::Memory { wide: true, prefetchable: true } => {
                    reserve.wide = reserve.wide.saturating_add(bar.size);
                }
                BarKind::Memory { .. } => reserve.low = reserve.low.saturating_add(bar.size),
            }
        }
        reserve
    }
}

impl Reserve {
    /// Room for any one of these devices: the largest of each kind, rounded
    /// up to a power of two, which is what a bridge's window is aligned to.
    pub fn for_any<'a>(devices: impl IntoIterator<Item = &'a HostDevice>) -> Self {
        devices.into_iter().fold(Self::default(), |most, device| most.max_of(device.needs()))
    }

    /// The larger of each kind, rounded up to a power of two.
    pub fn max_of(self, other: Self) -> Self {
        Self { wide: round_up(self.wide.max(other.wide)), low: round_up(self.low.max(other.low)) }
    }
}

/// For each device the index of the first one that it shares an IOMMU group
/// with, directly or by way of others; its own when it shares none. A slot
/// may hold functions of several groups.
pub(crate) fn clusters(devices: &[HostDevice]) -> Vec<usize> {
    let groups: Vec<BTreeSet<GroupId>> = devices
        .iter()
        .map(|device| device.functions.iter().filter_map(|function| function.group).collect())
        .collect();
    let mut clusters: Vec<usize> = (0..devices.len()).collect();
    for (later, own) in groups.iter().enumerate() {
        for earlier in 0..later {
            if groups[earlier].is_disjoint(own) {
                continue;
            }
            let (one, other) = (clusters[earlier], clusters[later]);
            let (first, second) = (one.min(other), one.max(other));
            clusters.iter_mut().filter(|cluster| **cluster == second).for_each(|c| *c = first);
        }
    }
    clusters
}

/// The next power of two, zero staying zero; the highest one at most.
pub(crate) fn round_up(bytes: u64) -> u64 {
    match bytes {
        0 => 0,
        _ => bytes.checked_next_power_of_two().unwrap_or(1 << 63),
    }
}

/// Function 0 of the same slot.
fn slot(bdf: Bdf) -> Bdf {
    Bdf::new(bdf.domain(), bdf.bus(), bdf.device(), 0).unwrap_or(bdf)
}

/// What a function is called in a guest.
pub(crate) fn id_of(bdf: Bdf) -> String {
    format!("pci-{}", bdf.to_string().replace(':', "-"))
}

//! What is: the whole machine, read in one pass.
//!
//! In: functions, groups and machine facts from `host::observe`. Out: a value
//! that verdicts and plans are computed from. It holds what was true when it
//! was read, no longer; whoever writes reads again first.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bdf::Bdf;
use crate::fact::{Fact, Why};
use crate::function::Function;
use crate::quirks;

/// The number of an IOMMU group: valid until the next boot, never an identity.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GroupId(pub u32);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The machine as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub machine: Machine,
    pub functions: BTreeMap<Bdf, Function>,
    pub groups: BTreeMap<GroupId, Group>,
    /// Listed by the kernel and gone when they were read.
    pub vanished: Vec<Bdf>,
    /// Sources that could not be read, and what stays unknown for it.
    pub gaps: Vec<Gap>,
}

/// Facts about the machine that belong to no single function.
#[derive(Clone, Debug, PartialEq)]
pub struct Machine {
    /// As in `uname -m`.
    pub arch: Fact<String>,
    pub kernel: Fact<String>,
    pub hostname: Fact<String>,
    /// Changes with every boot: sysfs changes of an earlier boot are void.
    pub boot_id: Fact<String>,
    pub iommu: Fact<Iommu>,
    /// Drivers that hand devices to guests, as far as they were asked for;
    /// `vfio-pci` always is.
    pub guest_drivers: BTreeMap<String, Fact<ModuleState>>,
    /// `/dev/kvm` is there.
    pub kvm: Fact<bool>,
    /// Bytes of memory that can be handed out now (`MemAvailable`).
    pub memory_available: Fact<u64>,
    /// Bytes of memory in the machine (`MemTotal`).
    pub memory_total: Fact<u64>,
}

impl Machine {
    /// Whether a driver that hands devices to guests can be used.
    pub fn guest_driver(&self, name: &str) -> Fact<ModuleState> {
        self.guest_drivers.get(name).cloned().unwrap_or(Fact::Unknown(Why::NotObserved))
    }
}

/// Whether a driver can be used, by itself or by its kernel module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ModuleState {
    BuiltIn,
    Loaded,
    /// Not loaded; the kernel's module folder has it.
    Loadable,
    Missing,
}

impl ModuleState {
    /// Whether it is in the kernel now.
    pub fn is_present(self) -> bool {
        matches!(self, Self::BuiltIn | Self::Loaded)
    }
}

/// The IOMMU as the kernel uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Iommu {
    /// The kernel made IOMMU groups: without them nothing can be assigned.
    pub on: bool,
    /// The firmware describes one: a DMAR (Intel), IVRS (AMD) or IORT (Arm) table.
    pub firmware: Fact<Option<String>>,
    /// Bits of an address that every unit can translate, the smallest of all.
    pub address_width: Fact<u8>,
    /// Units by name, as in `/sys/class/iommu`: `dmar0`, `ivhd0`, `smmu3.0x…`.
    pub units: Vec<String>,
}

/// An IOMMU group: what the hardware can isolate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub id: GroupId,
    /// In bus order.
    pub members: Vec<Bdf>,
    /// Default domain (`identity`, `DMA`, `DMA-FQ`).
    pub domain: Fact<String>,
    pub reserved: Fact<Vec<Reserved>>,
}

/// A range that the IOMMU keeps for the firmware or for interrupts
/// (`reserved_regions`, Documentation/ABI/testing/sysfs-kernel-iommu_groups).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    pub start: u64,
    /// The last address, inclusive, as the kernel prints it.
    pub end: u64,
    /// `direct`, `direct-relaxable`, `reserved` or `msi`.
    pub kind: String,
}

/// A source that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    pub path: String,
    pub why: Why,
}

impl Snapshot {
    /// The function at an address.
    pub fn get(&self, bdf: Bdf) -> Option<&Function> {
        self.functions.get(&bdf)
    }

    /// The IOMMU group that a function is in.
    pub fn group_of(&self, bdf: Bdf) -> Option<&Group> {
        self.groups.get(&self.get(bdf)?.group_id()?)
    }

    /// The members of a function's group that move with it: everything but
    /// bridges, host bridges, a chipset that no driver has, and what is behind
    /// VMD, which goes away when its controller does. The function alone, if it
    /// is in no group; on POWER bridges are in none.
    pub fn movers(&self, bdf: Bdf) -> Vec<&Function> {
        let moves = |function: &&Function| {
            !function.stays() && !is_idle_chipset(function) && self.vmd_above(function).is_none()
        };
        match self.group_of(bdf) {
            Some(group) => {
                let members = group.members.iter().filter_map(|member| self.get(*member));
                members.filter(moves).collect()
            }
            None => self.get(bdf).into_iter().filter(|function| !function.stays()).collect(),
        }
    }

    /// The function and what goes away with it: all that is behind a VMD controller.
    pub fn lost_with<'a>(&'a self, function: &'a Function) -> impl Iterator<Item = &'a Function> {
        let vmd = quirks::is_vmd(function).then_some(function.bdf);
        let behind = vmd.into_iter().flat_map(|bdf| self.below(bdf));
        std::iter::once(function).chain(behind)
    }

    /// The Intel VMD controller that a function is behind. It shares the
    /// controller's requester id and so its group.
    pub fn vmd_above(&self, function: &Function) -> Option<&Function> {
        let above = function.upstream.iter().filter_map(|bdf| self.get(*bdf));
        above.into_iter().find(|above| quirks::is_vmd(above))
    }

    /// All functions on one bus, in order.
    pub fn on_bus(&self, bdf: Bdf) -> impl Iterator<Item = &Function> {
        self.functions.range(bdf.bus_range()).map(|(_, function)| function)
    }

    /// All functions below a bridge, at any depth.
    pub fn below(&self, bridge: Bdf) -> impl Iterator<Item = &Function> {
        self.functions.values().filter(move |function| function.upstream.contains(&bridge))
    }
}

/// The ISA bridge where the host drives nothing through it: VFIO does not count
/// it against its group (`iommu_group_claim_dma_owner()` in drivers/iommu/iommu.c;
/// before Linux 5.19 `vfio_dev_viable()` in drivers/vfio/vfio.c).
fn is_idle_chipset(function: &Function) -> bool {
    let isa = function.class.known().is_some_and(|class| class.is_isa_bridge());
    isa && function.driver.is(&None)
}

//! How the host is set up for guests with devices: what decides beside the
//! devices themselves.
//!
//! Filled by `host::setup`, and by the engine with what only programs or the
//! journal say; judged by [`crate::check`]. No opinion about it is kept here. It is read for `check` and `prepare` alone, as a
//! listing has no use for it.

pub mod boot;
pub mod early;
pub mod own;
pub mod planned;
pub mod services;
pub mod usual;

use std::collections::BTreeMap;

use crate::bdf::Bdf;
use crate::boot::modprobe::Settings;
use crate::fact::{Fact, Why};
use crate::snapshot::ModuleState;

use boot::Boot;
use early::Early;
use planned::Planned;

/// How the host is set up.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    pub os: Fact<Os>,
    /// What the running kernel was started with.
    pub cmdline: Fact<String>,
    pub processor: Fact<Processor>,
    /// Runs under another hypervisor, by the name that its firmware gives itself.
    pub product: Fact<String>,
    /// `/dev/kvm`, for whoever asks.
    pub kvm: Fact<Access>,
    /// Device interrupts go through the IOMMU's remapping. `None` where the
    /// machine's interrupts need none (POWER, Arm: the controller isolates).
    pub remapping: Fact<Option<bool>>,
    pub modules: Modules,
    /// What modprobe is told (modprobe.d(5)).
    pub modprobe: Fact<Settings>,
    /// The initramfs of the kernel that runs. Looked into only where devices
    /// are meant: it takes time.
    pub early: Fact<Early>,
    pub boot: Boot,
    /// What was prepared and is in effect, the latest first.
    pub planned: Fact<Vec<Planned>>,
    /// Guests of passthru that run.
    pub guests: Fact<Vec<Guest>>,
    pub smt: Fact<Smt>,
    pub firmware: Firmware,
    pub memory: Memory,
    pub programs: Programs,
    pub screens: Screens,
    /// Security modules that are active (`/sys/kernel/security/lsm`).
    pub security: Fact<Vec<String>>,
}

/// A guest that runs: what it takes of the host, and whether more devices can
/// come to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guest {
    pub name: String,
    /// Root ports that were empty at its start, and of those the ones that
    /// still are; `None` where its hypervisor has none to tell of.
    pub ports: Option<(usize, usize)>,
    /// Bytes of memory that are pinned for its devices: all that it has.
    pub pinned: u64,
}

/// The operating system (os-release(5)).
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Os {
    pub id: String,
    /// Those it is like, the nearest first.
    pub like: Vec<String>,
    pub version: String,
    pub name: String,
}

/// What the first processor says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Processor {
    pub maker: Maker,
    /// Can run guests by itself: `vmx`, `svm`; elsewhere it is not a flag.
    pub virtualization: Option<bool>,
    /// Is itself one that a hypervisor gives.
    pub hypervisor: bool,
}

/// Who made a processor, as far as the kernel's arguments differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    Intel,
    Amd,
    Other,
}

/// What a process may do with a device node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Missing,
    /// It is there, and not for this user.
    Refused,
    Usable,
}

/// Kernel modules that decide about passthrough.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Modules {
    pub states: BTreeMap<String, Fact<ModuleState>>,
    /// Values of parameters, by module and name.
    pub parameters: BTreeMap<(String, String), Fact<String>>,
    /// The modules that would bind each function, by the kernel's own table.
    pub claims: BTreeMap<Bdf, Fact<Vec<String>>>,
    /// The modules that drivers came in, where these are known; part of the
    /// kernel are the others, or not loaded.
    pub of_drivers: BTreeMap<String, String>,
}

/// Simultaneous multithreading (Documentation/ABI/testing/sysfs-devices-system-cpu).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Smt {
    /// `on`, `off`, `forceoff`, `notsupported`, `notimplemented`, or threads per core.
    pub control: String,
    pub active: bool,
}

/// What firmware decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Firmware {
    pub efi: Fact<bool>,
    /// Only signed programs are booted; `None` without EFI.
    pub secure_boot: Fact<Option<bool>>,
    /// `none`, `integrity`, `confidentiality`; `None` where the kernel has no lockdown.
    pub lockdown: Fact<Option<String>>,
}

/// Memory for guests.
#[derive(Clone, Debug, PartialEq)]
pub struct Memory {
    pub pools: Fact<Vec<Pool>>,
    /// Bytes that this user's processes may lock; `None` for no limit.
    pub lock_limit: Fact<Option<u64>>,
}

/// A pool of hugepages, in pages of `size` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    pub size: u64,
    pub total: u64,
    pub free: u64,
}

/// A program's version; parts that it does not tell are 0.
pub type Version = (u32, u32, u32);

/// Programs that run guests.
#[derive(Clone, Debug, PartialEq)]
pub struct Programs {
    /// QEMU for guests of the host's own architecture; `None` where there is none.
    pub qemu: Fact<Option<Version>>,
    /// `libvirtd` or its successors (`virtqemud`).
    pub libvirt: Fact<Option<Version>>,
    /// How many UEFI firmwares are described for QEMU.
    pub uefi: Fact<usize>,
}

/// What draws on screens, or would.
#[derive(Clone, Debug, PartialEq)]
pub struct Screens {
    /// Units that draw on a screen or share it, and are active.
    pub services: Fact<Vec<String>>,
    /// X11 configuration that names a vendor's driver, by path.
    pub xorg: Fact<Vec<String>>,
}

impl Modules {
    /// Whether a module can be used; it is not known of one that nobody asked for.
    pub fn state(&self, name: &str) -> Fact<ModuleState> {
        self.states.get(name).cloned().unwrap_or(Fact::Unknown(Why::NotObserved))
    }

    /// The module of a driver, as far as is known: mostly they have one name.
    /// With underscores only, as the kernel has it.
    pub fn of_driver(&self, driver: &str) -> String {
        self.of_drivers.get(driver).map_or(driver, String::as_str).replace('-', "_")
    }

    /// The value of a parameter of a module that is present.
    pub fn parameter(&self, module: &str, name: &str) -> Fact<String> {
        let key = (module.to_owned(), name.to_owned());
        self.parameters.get(&key).cloned().unwrap_or(Fact::Unknown(Why::NotObserved))
    }

    /// Whether a parameter that is yes or no is on (`param_get_bool()` in
    /// kernel/params.c prints `Y` or `N`; integers are used for some).
    pub fn is_on(&self, module: &str, name: &str) -> Fact<bool> {
        self.parameter(module, name).map(|value| matches!(value.trim(), "Y" | "y" | "1"))
    }
}

impl Os {
    /// Whether it is one of a family, or made from one.
    pub fn is_like(&self, id: &str) -> bool {
        self.id == id || self.like.iter().any(|like| like == id)
    }
}

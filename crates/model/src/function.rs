//! One PCI function and everything that was read about it.
//!
//! Filled by `host::observe`, judged by [`crate::verdict`]. Only facts: no
//! opinion about them is kept here.

mod power;

use crate::bdf::Bdf;
use crate::fact::{Fact, Why};
use crate::ids::{Class, DeviceId, VendorId};
use crate::parse::config::{Capabilities, Config, Extended, HeaderKind};
use crate::snapshot::GroupId;
use crate::usage::{Holder, Master, Unseen, Use};
pub use power::{PowerControl, PowerState, RuntimeStatus};

/// One PCI function.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub bdf: Bdf,
    pub vendor: Fact<VendorId>,
    pub device: Fact<DeviceId>,
    pub subsystem: Fact<(VendorId, DeviceId)>,
    pub class: Fact<Class>,
    pub revision: Fact<u8>,

    /// The driver that owns it, `None` when no driver does.
    pub driver: Fact<Option<String>>,
    /// The driver that alone may bind it; `None` when nothing is set.
    pub driver_override: Fact<Option<String>>,
    /// The IOMMU group; `None` when it is in none.
    pub group: Fact<Option<GroupId>>,
    /// NUMA node; `None` when the firmware names none (the kernel's `-1`).
    pub numa_node: Fact<Option<u32>>,
    /// The bridges above it, the nearest first. Empty on a root bus.
    pub upstream: Vec<Bdf>,

    /// Base address registers that are implemented, in order of index.
    pub bars: Fact<Vec<Bar>>,
    /// Registers of all virtual functions together (SR-IOV capability),
    /// index 0-5; the size is that of the whole range, all VFs included.
    pub vf_bars: Fact<Vec<Bar>>,
    /// Expansion ROM size in bytes, `None` when it has none.
    pub rom: Fact<Option<u64>>,
    pub config: Fact<Config>,

    /// Reset methods that the kernel would try, in order (`reset_method`).
    pub reset_methods: Fact<Vec<ResetMethod>>,
    pub d3cold_allowed: Fact<bool>,
    pub power_control: Fact<PowerControl>,
    pub runtime_status: Fact<RuntimeStatus>,
    /// `None` when it has no power management. What a sleeping one is in, the
    /// kernel says without waking it.
    pub power_state: Fact<Option<PowerState>>,
    /// `Some(true)` on the VGA device that the firmware initialised.
    pub boot_vga: Option<bool>,
    /// Interrupt number, as the kernel counts: the first MSI vector's while
    /// MSI is on, else the legacy line's; 0 when it has none.
    pub irq: Fact<u32>,

    pub sriov: Option<Sriov>,
    /// The physical function, when this is a virtual one.
    pub physfn: Option<Bdf>,

    /// What the host does with it, as far as it could be read.
    pub uses: Vec<Use>,
    /// Kinds of use that it may have and that could not be looked for.
    pub unseen: Vec<Unseen>,
    /// Processes that hold its device nodes open.
    pub holders: Fact<Vec<Holder>>,
    /// Processes that may set modes of its DRM card; none where it has no card.
    pub drm_masters: Fact<Vec<Master>>,
}

/// One base address register, sized by the kernel (`resource` in sysfs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    pub index: u8,
    /// First address; 0 when the kernel could not place it.
    pub start: u64,
    /// Size in bytes, at least 1.
    pub size: u64,
    pub kind: BarKind,
}

/// What a base address register maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    Io,
    Memory { wide: bool, prefetchable: bool },
}

/// A way to reset a function (`reset_method`, Documentation/ABI/testing/sysfs-bus-pci).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResetMethod {
    DeviceSpecific,
    Acpi,
    Flr,
    AfFlr,
    Pm,
    Bus,
    CxlBus,
    /// One that this version has not heard of.
    Other(String),
}

/// The SR-IOV side of a physical function (`sriov_*` in sysfs).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sriov {
    pub total: Fact<u32>,
    pub active: Fact<u32>,
    /// The virtual functions that exist now, in order.
    pub functions: Vec<Bdf>,
}

impl Function {
    /// A function of which nothing but the address is known, all for one reason.
    pub fn unknown(bdf: Bdf, why: &Why) -> Self {
        fn un<T>(why: &Why) -> Fact<T> {
            Fact::Unknown(why.clone())
        }
        Self {
            bdf,
            vendor: un(why),
            device: un(why),
            subsystem: un(why),
            class: un(why),
            revision: un(why),
            driver: un(why),
            driver_override: un(why),
            group: un(why),
            numa_node: un(why),
            upstream: Vec::new(),
            bars: un(why),
            vf_bars: un(why),
            rom: un(why),
            config: un(why),
            reset_methods: un(why),
            d3cold_allowed: un(why),
            power_control: un(why),
            runtime_status: un(why),
            power_state: un(why),
            boot_vga: None,
            irq: un(why),
            sriov: None,
            physfn: None,
            uses: Vec::new(),
            unseen: Vec::new(),
            holders: un(why),
            drm_masters: un(why),
        }
    }

    /// The driver's name, if one is known to own it.
    pub fn driver_name(&self) -> Option<&str> {
        self.driver.known().and_then(Option::as_deref)
    }

    /// The driver's name, if one of the host's is known to own it.
    pub fn host_driver(&self) -> Option<&str> {
        self.driver_name().filter(|driver| !is_vfio_driver(driver))
    }

    /// A holder in words, with what makes it a grave one.
    pub fn told(&self, holder: &Holder) -> String {
        let masters = self.drm_masters.known();
        match masters.is_some_and(|all| all.iter().any(|master| master.pid == holder.pid)) {
            true => format!("{holder}, DRM master"),
            false => holder.to_string(),
        }
    }

    /// The IOMMU group's number, if it is known to be in one.
    pub fn group_id(&self) -> Option<GroupId> {
        self.group.known().copied().flatten()
    }

    /// The standard capabilities, if more than the header could be read.
    pub fn capabilities(&self) -> Fact<&Capabilities> {
        self.config.as_ref().and_then(|config| config.capabilities.as_ref())
    }

    /// The extended (PCI Express) capabilities, if all 4096 bytes could be read.
    pub fn extended(&self) -> Fact<&Extended> {
        self.capabilities().and_then(|caps| caps.extended.as_ref())
    }

    /// A bridge: header type 1 or 2, or, where the header could not be
    /// read, a PCI-to-PCI bridge by class. Bridges forward, they are not
    /// passed through.
    pub fn is_bridge(&self) -> bool {
        match self.config.known() {
            Some(config) => config.header != HeaderKind::Endpoint,
            None => self.class.known().is_some_and(|class| class.is_pci_bridge()),
        }
    }

    /// A bridge or a host bridge (AMD's driverless dummies among them): it
    /// stays where it is when its group moves.
    pub fn stays(&self) -> bool {
        self.is_bridge() || self.class.known().is_some_and(|class| class.is_host_bridge())
    }

    /// `vendor:device` as lspci prints it, `????` for what is not known.
    pub fn ids_text(&self) -> String {
        let vendor = self.vendor.known().map_or_else(|| "????".to_owned(), ToString::to_string);
        let device = self.device.known().map_or_else(|| "????".to_owned(), ToString::to_string);
        format!("{vendor}:{device}")
    }
}

/// Whether a driver hands devices to guests, or keeps them for one: VFIO's, Xen's
/// `pciback`, `pci-stub`.
pub fn is_for_guests(driver: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    let vfio = is_vfio_driver(driver) && driver.bytes().all(plain);
    vfio || ["pciback", "pci-stub"].contains(&driver)
}

/// The module that brings a driver for guests.
pub fn module_of(driver: &str) -> &str {
    match driver {
        "pciback" => "xen-pciback",
        driver => driver,
    }
}

/// Whether a driver is vfio-pci or a variant of it (`mlx5_vfio_pci`, `nvgrace_gpu_vfio_pci`).
pub fn is_vfio_driver(driver: &str) -> bool {
    driver == "vfio-pci" || driver.ends_with("_vfio_pci") || driver.ends_with("-vfio-pci")
}

impl Bar {
    /// The first address behind the range.
    pub fn end(&self) -> u64 {
        self.start.saturating_add(self.size)
    }

    /// A memory range that can lie above 4 GiB.
    pub fn is_64bit(&self) -> bool {
        matches!(self.kind, BarKind::Memory { wide: true, .. })
    }
}

impl ResetMethod {
    /// From the kernel's word for it.
    pub fn from_word(word: &str) -> Self {
        match word {
            "device_specific" => Self::DeviceSpecific,
            "acpi" => Self::Acpi,
            "flr" => Self::Flr,
            "af_flr" => Self::AfFlr,
            "pm" => Self::Pm,
            "bus" => Self::Bus,
            "cxl_bus" => Self::CxlBus,
            other => Self::Other(other.to_owned()),
        }
    }

    /// The kernel's word for it.
    pub fn word(&self) -> &str {
        match self {
            Self::DeviceSpecific => "device_specific",
            Self::Acpi => "acpi",
            Self::Flr => "flr",
            Self::AfFlr => "af_flr",
            Self::Pm => "pm",
            Self::Bus => "bus",
            Self::CxlBus => "cxl_bus",
            Self::Other(word) => word,
        }
    }

    /// Whether it resets every function on the bus, not this one alone.
    pub fn is_bus_wide(&self) -> bool {
        matches!(self, Self::Bus | Self::CxlBus)
    }
}

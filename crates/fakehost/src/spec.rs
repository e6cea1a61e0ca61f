//! What a function is before it stands in the tree: numbers, no files.

use model::Bdf;

/// One PCI function to put into the tree. [`FunctionSpec::new`] gives a plain
/// PCI Express endpoint; change the fields that matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionSpec {
    pub bdf: Bdf,
    pub vendor: u16,
    pub device: u16,
    pub subsystem: (u16, u16),
    /// 24 bits: base class, subclass, programming interface.
    pub class: u32,
    pub revision: u8,
    /// The driver that binds it at boot; it knows these numbers from then on.
    pub driver: Option<String>,
    /// IOMMU group; `None` for one of its own.
    pub group: Option<u32>,
    /// `-1` when the firmware names none.
    pub numa_node: i32,
    pub bars: Vec<BarSpec>,
    /// Expansion ROM in bytes, 0 for none.
    pub rom: u64,
    /// `None` for conventional PCI.
    pub express: Option<Express>,
    /// The first and last bus behind a bridge.
    pub bridge: Option<(u8, u8)>,
    pub msi: Option<MsiSpec>,
    pub msix: Option<MsixSpec>,
    pub sriov: Option<SriovSpec>,
    /// The kernel's words, as in `flr bus`; empty for no way to reset.
    pub reset_methods: String,
    /// `None` on everything but VGA devices.
    pub boot_vga: Option<bool>,
    /// `None` on kernels and devices without the attribute.
    pub d3cold_allowed: Option<bool>,
    pub power_control: String,
    pub runtime_status: String,
    pub irq: u32,
    /// What its driver offers the rest of the kernel while it is bound.
    pub offers: Vec<Offer>,
}

/// A base address register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarSpec {
    pub index: u8,
    /// Bytes, a power of two.
    pub size: u64,
    pub kind: BarKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    Io,
    Memory32,
    /// Takes two registers.
    Memory64 {
        prefetchable: bool,
    },
}

/// The PCI Express side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Express {
    /// Device/port type (bits 7:4 of the capabilities register).
    pub kind: u8,
    pub flr: bool,
    /// Generation and lanes, now and at most; `None` without a link.
    pub link: Option<[(u8, u8); 2]>,
    /// Access Control Services: capable and enabled bits.
    pub acs: Option<(u16, u16)>,
    pub ats: bool,
    pub pasid: bool,
    /// Device Serial Number.
    pub serial: Option<u64>,
    /// Resizable BAR: index, sizes (bit n is 2^(20+n) bytes).
    pub rebar: Vec<(u8, u32)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsiSpec {
    /// 1, 2, 4, 8, 16 or 32.
    pub vectors: u8,
    pub maskable: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MsixSpec {
    pub vectors: u16,
    /// BAR and offset.
    pub table: (u8, u32),
    pub pba: (u8, u32),
}

/// The SR-IOV side of a physical function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SriovSpec {
    pub total: u16,
    /// From the physical function's routing id to the first virtual one's.
    pub offset: u16,
    pub stride: u16,
    pub vf_device: u16,
    /// The registers of *one* virtual function.
    pub bars: Vec<BarSpec>,
}

/// A device of a class that a driver makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// `nvme0` with the namespace `nvme0n1` of so many bytes.
    Nvme { controller: String, serial: String, bytes: u64 },
    /// A network interface.
    Interface { name: String, mac: String },
    /// `card0`, `renderD128` and one connector, lit or not.
    Card { index: u32, connector: String, enabled: bool },
}

impl FunctionSpec {
    /// A PCI Express endpoint with one page of registers, MSI and nothing else.
    pub fn new(bdf: Bdf, (vendor, device): (u16, u16), class: u32) -> Self {
        let memory = BarSpec { index: 0, size: 0x4000, kind: BarKind::Memory32 };
        Self {
            bdf,
            vendor,
            device,
            subsystem: (vendor, 0x0001),
            class,
            revision: 0,
            driver: None,
            group: None,
            numa_node: -1,
            bars: vec![memory],
            rom: 0,
            express: Some(Express::default()),
            bridge: None,
            msi: Some(MsiSpec { vectors: 1, maskable: false }),
            msix: None,
            sriov: None,
            reset_methods: "bus".to_owned(),
            boot_vga: None,
            d3cold_allowed: Some(true),
            power_control: "on".to_owned(),
            runtime_status: "active".to_owned(),
            irq: 11,
            offers: Vec::new(),
        }
    }

    /// A conventional PCI function: 256 bytes of configuration space.
    pub fn conventional(bdf: Bdf, ids: (u16, u16), class: u32) -> Self {
        Self { express: None, ..Self::new(bdf, ids, class) }
    }

    #[must_use]
    pub fn driver(mut self, name: &str) -> Self {
        self.driver = Some(name.to_owned());
        self
    }

    /// `pci:v…d…sv…sd…bc…sc…i…`, by which modules are found.
    pub(crate) fn modalias(&self) -> String {
        let Self { vendor, device, class, subsystem: (sub_vendor, sub_device), .. } = self;
        let (base, sub, interface) = (class >> 16, class >> 8 & 0xff, class & 0xff);
        format!(
            "pci:v{vendor:08X}d{device:08X}sv{sub_vendor:08X}sd{sub_device:08X}\
             bc{base:02X}sc{sub:02X}i{interface:02X}"
        )
    }
}

impl Express {
    pub const ENDPOINT: u8 = 0;
    pub const ROOT_PORT: u8 = 4;
    pub const UPSTREAM_PORT: u8 = 5;
    pub const DOWNSTREAM_PORT: u8 = 6;
    pub const TO_PCI_BRIDGE: u8 = 7;
    pub const ROOT_COMPLEX_ENDPOINT: u8 = 9;

    /// A port of this type, isolating what is below it.
    pub fn port(kind: u8) -> Self {
        // Source validation, request and completion redirect, upstream
        // forwarding: what pci_acs_enabled() asks for (REQ_ACS_FLAGS,
        // drivers/iommu/iommu.c).
        Self { kind, acs: Some((0x1d, 0x1d)), ..Self::default() }
    }
}

impl Default for Express {
    fn default() -> Self {
        Self {
            kind: Self::ENDPOINT,
            flr: false,
            link: Some([(3, 4), (3, 4)]),
            acs: None,
            ats: false,
            pasid: false,
            serial: None,
            rebar: Vec::new(),
        }
    }
}

impl BarSpec {
    pub(crate) fn is_64bit(&self) -> bool {
        matches!(self.kind, BarKind::Memory64 { .. })
    }

    /// The kind's bits in the register itself.
    pub(crate) fn register_bits(&self) -> u32 {
        match self.kind {
            BarKind::Io => 0x1,
            BarKind::Memory32 => 0x0,
            BarKind::Memory64 { prefetchable: false } => 0x4,
            BarKind::Memory64 { prefetchable: true } => 0xc,
        }
    }

    /// `IORESOURCE_*` of include/linux/ioport.h, as `resource` prints them:
    /// the register's own bits in the lowest byte, then what they mean.
    pub(crate) fn resource_flags(&self) -> u64 {
        const SIZEALIGN: u64 = 0x4_0000;
        u64::from(self.register_bits())
            | SIZEALIGN
            | match self.kind {
                BarKind::Io => 0x100,
                BarKind::Memory32 => 0x200,
                BarKind::Memory64 { prefetchable: false } => 0x10_0200,
                BarKind::Memory64 { prefetchable: true } => 0x10_2200,
            }
    }
}

impl BarKind {
    /// From the flags of a region; `None` for an empty one.
    pub(crate) fn of_resource(flags: u64) -> Option<Self> {
        let has = |bits: u64| flags & bits == bits;
        match flags {
            _ if has(0x100) => Some(Self::Io),
            _ if has(0x10_0200) => Some(Self::Memory64 { prefetchable: has(0x2000) }),
            _ if has(0x200) => Some(Self::Memory32),
            _ => None,
        }
    }
}

//! PCI configuration space: 64, 256 or 4096 bytes in, capabilities out.
//!
//! Offsets and bits are those of `include/uapi/linux/pci_regs.h`; chapters
//! are those of the PCI Express Base Specification 6.0 (chapter 7).

mod bytes;
mod extended;
mod standard;

use self::bytes::Bytes;
use crate::fact::{Fact, Why};
use crate::function::PowerState;

/// Decoded configuration space of one function.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    pub header: HeaderKind,
    pub multifunction: bool,
    /// Bytes that could be read: 64 without privilege, 256 or 4096 with.
    pub len: usize,
    /// The bus behind a bridge.
    pub secondary_bus: Option<u8>,
    /// Interrupt pin: 0 none, 1-4 INTA-INTD.
    pub interrupt_pin: u8,
    pub revision: u8,
    pub capabilities: Fact<Capabilities>,
}

/// The layout of the header (offset 0x0e).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderKind {
    Endpoint,
    Bridge,
    CardBus,
}

/// Capabilities of the first 256 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Capabilities {
    pub power: Option<PowerState>,
    pub msi: Option<Msi>,
    pub msix: Option<Msix>,
    pub pcie: Option<Pcie>,
    /// FLR by the Advanced Features capability (conventional PCI).
    pub af_flr: bool,
    /// Capabilities above offset 0x100; unknown when they could not be read.
    pub extended: Fact<Extended>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msi {
    /// Vectors that the function asks for: 1, 2, 4, 8, 16 or 32.
    pub vectors: u8,
    pub maskable: bool,
    pub wide: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Msix {
    /// Vectors, 1-2048.
    pub vectors: u16,
    pub table: Place,
    pub pba: Place,
}

/// A place inside a base address register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub bar: u8,
    /// Bytes from the start of the register's range.
    pub offset: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pcie {
    pub kind: PcieKind,
    pub flr: bool,
    /// `None` on functions without a link (root complex integrated).
    pub link: Option<LinkPair>,
}

/// Device/port type (PCI Express Capabilities register, bits 7:4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PcieKind {
    Endpoint,
    LegacyEndpoint,
    RootPort,
    UpstreamPort,
    DownstreamPort,
    PcieToPciBridge,
    PciToPcieBridge,
    RootComplexEndpoint,
    RootComplexEventCollector,
    Other(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkPair {
    pub now: Link,
    pub max: Link,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Generation of the speed: 1 is 2.5 GT/s … 6 is 64 GT/s; 0 when the register says nothing.
    pub generation: u8,
    /// Lanes; 0 when the link is down.
    pub width: u8,
}

/// Capabilities above offset 0x100.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Extended {
    pub acs: Option<Acs>,
    pub ats: bool,
    pub pasid: bool,
    pub sriov: Option<SriovCap>,
    pub rebar: Vec<Rebar>,
    /// Device Serial Number.
    pub serial: Option<u64>,
}

/// Access Control Services: what the port or function can do and what is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acs {
    pub capable: u16,
    pub enabled: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SriovCap {
    pub total: u16,
    pub active: u16,
    pub offset: u16,
    pub stride: u16,
    pub vf_device: u16,
}

/// Resizable BAR: the sizes that one register can take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebar {
    pub bar: u8,
    /// Bit n stands for 2^(20+n) bytes (1 MiB is bit 0).
    pub sizes: u64,
    /// Bytes now.
    pub current: u64,
}

const STATUS: usize = 0x06;
const STATUS_CAPABILITIES: u16 = 0x10;
const REVISION: usize = 0x08;
const HEADER_TYPE: usize = 0x0e;
const SECONDARY_BUS: usize = 0x19;
const INTERRUPT_PIN: usize = 0x3d;
/// The header, which every user may read.
const HEADER_LEN: usize = 64;
const STANDARD_LEN: usize = 256;
const EXTENDED_LEN: usize = 4096;

/// Whether these are the registers of a virtual function: its vendor and
/// device read as ones (chapter 9.3.4.1) while the header does not.
pub fn is_virtual_function(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff; 4]) && bytes.iter().any(|byte| *byte != 0xff)
}

impl Config {
    /// Decode what could be read. Lists that loop or lead nowhere end there.
    pub fn parse(bytes: &[u8]) -> Fact<Self> {
        let Some(header) = bytes.get(..HEADER_LEN) else { return Fact::Unknown(Why::Truncated) };
        if header.iter().all(|byte| *byte == 0xff) {
            return Fact::Unknown(Why::AllOnes);
        }
        let kind = match header[HEADER_TYPE] & 0x7f {
            0 => HeaderKind::Endpoint,
            1 => HeaderKind::Bridge,
            2 => HeaderKind::CardBus,
            other => return Fact::Unknown(Why::Malformed(format!("header type {other:#04x}"))),
        };
        Fact::Known(Self {
            header: kind,
            multifunction: header[HEADER_TYPE] & 0x80 != 0,
            len: bytes.len(),
            secondary_bus: (kind != HeaderKind::Endpoint).then_some(header[SECONDARY_BUS]),
            interrupt_pin: header[INTERRUPT_PIN],
            revision: header[REVISION],
            capabilities: capabilities(Bytes(bytes), kind),
        })
    }
}

fn capabilities(bytes: Bytes<'_>, kind: HeaderKind) -> Fact<Capabilities> {
    let listed = bytes.u16(STATUS).is_some_and(|status| status & STATUS_CAPABILITIES != 0);
    if listed && bytes.len() < STANDARD_LEN {
        return Fact::Unknown(Why::Truncated);
    }
    let mut found = if listed { standard::walk(bytes, kind) } else { Capabilities::none() };
    if found.extended.known().is_none() {
        found.extended = match bytes.len() {
            // The whole file, so the kernel itself does not reach further
            // (`pci_cfg_space_size()` in drivers/pci/probe.c).
            STANDARD_LEN => Fact::Unknown(Why::NotProvided),
            EXTENDED_LEN.. => Fact::Known(extended::walk(bytes)),
            _ => Fact::Unknown(Why::Truncated),
        };
    }
    Fact::Known(found)
}

impl Capabilities {
    /// Those of a function that lists none. Conventional PCI has nothing
    /// above offset 0x100 either.
    fn none() -> Self {
        Self {
            power: None,
            msi: None,
            msix: None,
            pcie: None,
            af_flr: false,
            extended: Fact::Known(Extended::default()),
        }
    }
}

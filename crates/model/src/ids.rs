//! Vendor, device and class numbers, as `lspci -nn` prints them.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id16 {
    ($name:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub u16);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:04x}", self.0)
            }
        }
    };
}

id16!(VendorId, "A PCI vendor number, four hexadecimal digits.");
id16!(DeviceId, "A PCI device number, four hexadecimal digits.");

/// A 24-bit PCI class code: base class, subclass, programming interface
/// (PCI Code and ID Assignment Specification).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Class(pub u32);

impl Class {
    /// Base class: 0x03 is a display controller.
    pub fn base(self) -> u8 {
        (self.0 >> 16) as u8
    }

    /// Base class and subclass: 0x0300 is a VGA controller.
    pub fn sub(self) -> u16 {
        (self.0 >> 8) as u16
    }

    /// Any display controller (VGA, 3D, other).
    pub fn is_display(self) -> bool {
        self.base() == 0x03
    }

    /// A processing accelerator (PCI Code and ID Assignment Specification 1.11, chapter 1.19).
    pub fn is_accelerator(self) -> bool {
        self.base() == 0x12
    }

    /// A mass storage controller.
    pub fn is_storage(self) -> bool {
        self.base() == 0x01
    }

    /// A host bridge (0600).
    pub fn is_host_bridge(self) -> bool {
        self.sub() == 0x0600
    }

    /// An ISA or LPC bridge (0601): the chipset's own function, with header
    /// type 0, behind which the firmware, clock and serial ports sit.
    pub fn is_isa_bridge(self) -> bool {
        self.sub() == 0x0601
    }

    /// A PCI-to-PCI bridge, switch port or root port (0604).
    pub fn is_pci_bridge(self) -> bool {
        self.sub() == 0x0604
    }

    /// A network controller.
    pub fn is_network(self) -> bool {
        self.base() == 0x02
    }

    /// One that makes an interface of the host: Ethernet's, or of no kind of
    /// its own (most of the wireless).
    pub fn is_network_card(self) -> bool {
        matches!(self.0 >> 8, 0x0200 | 0x0280)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06x}", self.0)
    }
}

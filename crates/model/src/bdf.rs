//! The address of a PCI function: `domain:bus:device.function`.
//!
//! The domain is 32 bits wide: Intel VMD numbers its domains from `0x10000`
//! and Hyper-V hands out 16-bit random ones, so a `u16` loses devices. The
//! text form is the kernel's (`%04x:%02x:%02x.%d`, `pci_setup_device()` in
//! `drivers/pci/probe.c`): at least four digits of domain, lower case.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The address of one PCI function. Ordered as the bus is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bdf {
    domain: u32,
    bus: u8,
    device: u8,
    function: u8,
}

/// Why a text is not the address of a PCI function.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BdfError {
    #[error(
        "`{0}` is not a PCI address; the form is domain:bus:device.function, as in 0000:65:00.0"
    )]
    Form(String),
    #[error("`{text}` is not a PCI address: {field} is outside 0-{max:x}")]
    Range { text: String, field: &'static str, max: u32 },
}

impl Bdf {
    /// The highest device number on a bus (5 bits).
    pub const MAX_DEVICE: u8 = 0x1f;
    /// The highest function number of a device (3 bits).
    pub const MAX_FUNCTION: u8 = 7;

    /// An address from its parts; refuses a device above 0x1f and a function above 7.
    pub fn new(domain: u32, bus: u8, device: u8, function: u8) -> Result<Self, BdfError> {
        let text = || format!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}");
        if device > Self::MAX_DEVICE {
            let max = Self::MAX_DEVICE.into();
            return Err(BdfError::Range { text: text(), field: "device", max });
        }
        if function > Self::MAX_FUNCTION {
            let max = Self::MAX_FUNCTION.into();
            return Err(BdfError::Range { text: text(), field: "function", max });
        }
        Ok(Self { domain, bus, device, function })
    }

    pub fn domain(self) -> u32 {
        self.domain
    }

    pub fn bus(self) -> u8 {
        self.bus
    }

    pub fn device(self) -> u8 {
        self.device
    }

    pub fn function(self) -> u8 {
        self.function
    }

    /// Another function of the same device (the same slot).
    pub fn same_slot(self, other: Self) -> bool {
        (self.domain, self.bus, self.device) == (other.domain, other.bus, other.device)
    }

    /// Whether both sit on one bus.
    pub fn same_bus(self, other: Self) -> bool {
        (self.domain, self.bus) == (other.domain, other.bus)
    }

    /// All addresses on its bus.
    pub fn bus_range(self) -> RangeInclusive<Self> {
        let first = Self { device: 0, function: 0, ..self };
        let last = Self { device: Self::MAX_DEVICE, function: Self::MAX_FUNCTION, ..self };
        first..=last
    }

    /// What a person types: the kernel's form, the short form without a
    /// domain (`65:00.0` means domain 0), upper case, or libvirt's node
    /// device name (`pci_0000_65_00_0`). Only the command line accepts these.
    pub fn parse_typed(text: &str) -> Result<Self, BdfError> {
        let form = || BdfError::Form(text.to_owned());
        let lower = text.trim().to_ascii_lowercase();
        if let Some(rest) = lower.strip_prefix("pci_") {
            let parts: Vec<&str> = rest.split('_').collect();
            let [domain, bus, device, function] = parts[..] else { return Err(form()) };
            return parse_parts(text, domain, bus, device, function);
        }
        match lower.matches(':').count() {
            1 => format!("0000:{lower}").parse().map_err(|error| match error {
                BdfError::Form(_) => form(),
                range @ BdfError::Range { .. } => range,
            }),
            _ => lower.parse(),
        }
    }
}

impl FromStr for Bdf {
    type Err = BdfError;

    /// The kernel's form only: all four parts, lower case.
    fn from_str(text: &str) -> Result<Self, BdfError> {
        let form = || BdfError::Form(text.to_owned());
        let (domain, rest) = text.split_once(':').ok_or_else(form)?;
        let (bus, rest) = rest.split_once(':').ok_or_else(form)?;
        let (device, function) = rest.split_once('.').ok_or_else(form)?;
        if domain.len() < 4 || text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(form());
        }
        parse_parts(text, domain, bus, device, function)
    }
}

fn parse_parts(
    text: &str,
    domain: &str,
    bus: &str,
    device: &str,
    function: &str,
) -> Result<Bdf, BdfError> {
    let hex = |part: &str, longest: usize| {
        // from_str_radix takes a sign, an address has none.
        let plain = part.bytes().all(|byte| byte.is_ascii_hexdigit());
        if part.is_empty() || part.len() > longest || !plain {
            return Err(BdfError::Form(text.to_owned()));
        }
        u32::from_str_radix(part, 16).map_err(|_| BdfError::Form(text.to_owned()))
    };
    let small = |part: &str, field: &'static str, max: u8| {
        let value = hex(part, 2)?;
        match u8::try_from(value) {
            Ok(value) if value <= max => Ok(value),
            _ => Err(BdfError::Range { text: text.to_owned(), field, max: max.into() }),
        }
    };
    Ok(Bdf {
        domain: hex(domain, 8)?,
        bus: small(bus, "bus", u8::MAX)?,
        device: small(device, "device", Bdf::MAX_DEVICE)?,
        function: small(function, "function", Bdf::MAX_FUNCTION)?,
    })
}

impl fmt::Display for Bdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { domain, bus, device, function } = self;
        let text = format_args!("{domain:04x}:{bus:02x}:{device:02x}.{function:x}").to_string();
        f.pad(&text)
    }
}

impl fmt::Debug for Bdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Bdf> for String {
    fn from(bdf: Bdf) -> Self {
        bdf.to_string()
    }
}

impl TryFrom<String> for Bdf {
    type Error = BdfError;

    fn try_from(text: String) -> Result<Self, BdfError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_form() {
        for (text, want) in [
            ("0000:65:00.0", true),
            ("10000:01:00.0", true),
            ("ffffffff:ff:1f.7", true),
            ("0002:01:00.0", true),
            ("65:00.0", false),
            ("0000:65:20.0", false),
            ("0000:65:00.8", false),
            ("0000:65:00", false),
            ("0000:6 :00.0", false),
            ("0000:+5:00.0", false),
            ("0000:065:00.0", false),
            ("100000000:00:00.0", false),
            ("000:00:00.0", false),
            ("0000:AB:00.0", false),
            ("", false),
            ("alas, poor PCI device", false),
            ("0000:65:00.0\n", false),
        ] {
            assert_eq!(text.parse::<Bdf>().is_ok(), want, "{text:?}");
        }
    }

    #[test]
    fn typed_forms() {
        let want = Bdf::new(0, 0x65, 0, 1).unwrap();
        for text in ["65:00.1", "0000:65:00.1", " 65:00.1 ", "pci_0000_65_00_1"] {
            assert_eq!(Bdf::parse_typed(text), Ok(want), "{text:?}");
        }
        assert_eq!(Bdf::parse_typed("0000:AB:1F.7"), Bdf::new(0, 0xab, 0x1f, 7));
        for text in ["", ":", "65", "65:00", "pci_", "pci_0000_65_00", "1:2:3:4.5"] {
            assert!(Bdf::parse_typed(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn errors_quote_what_was_typed() {
        let error = Bdf::parse_typed("65:20.0").unwrap_err().to_string();
        assert!(error.contains("device is outside 0-1f"), "{error}");
        let error = Bdf::parse_typed("65:0x").unwrap_err().to_string();
        assert!(error.starts_with("`65:0x`"), "{error}");
    }
}

//! `modalias` of a PCI function: all its numbers in one read.
//!
//! In: the text, as in `pci:v000010DEd00002204sv00001458sd0000403Bbc03sc00i00`
//! (`modalias_show()` in drivers/pci/pci-sysfs.c). Out: the numbers.
//!
//! `uevent` holds the same and the driver besides, but some kernels of 2024
//! take the device's lock to print it (c0a40097f0bc, "drivers: core:
//! synchronize really_probe() and dev_uevent()"), which a stuck unbind holds
//! for ever.

use crate::fact::Why;
use crate::ids::{Class, DeviceId, VendorId};
use crate::parse::attribute::malformed;

/// What a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ids {
    pub vendor: VendorId,
    pub device: DeviceId,
    /// Zero on bridges, which have none.
    pub subsystem: (VendorId, DeviceId),
    pub class: Class,
}

/// The numbers in it.
pub fn parse(text: &str) -> Result<Ids, Why> {
    ids(text.trim_end()).ok_or_else(|| malformed(text))
}

fn ids(text: &str) -> Option<Ids> {
    let rest = text.strip_prefix("pci:")?;
    let (vendor, rest) = field(rest, "v", 8)?;
    let (device, rest) = field(rest, "d", 8)?;
    let (sub_vendor, rest) = field(rest, "sv", 8)?;
    let (sub_device, rest) = field(rest, "sd", 8)?;
    let (base, rest) = field(rest, "bc", 2)?;
    let (sub, rest) = field(rest, "sc", 2)?;
    let (interface, rest) = field(rest, "i", 2)?;
    let vendor_id = |value| u16::try_from(value).ok().map(VendorId);
    let device_id = |value| u16::try_from(value).ok().map(DeviceId);
    rest.is_empty().then_some(Ids {
        vendor: vendor_id(vendor)?,
        device: device_id(device)?,
        subsystem: (vendor_id(sub_vendor)?, device_id(sub_device)?),
        class: Class(base << 16 | sub << 8 | interface),
    })
}

/// A key and its number of so many hexadecimal digits, and what follows.
fn field<'a>(text: &'a str, key: &str, digits: usize) -> Option<(u32, &'a str)> {
    let (digits, rest) = text.strip_prefix(key)?.split_at_checked(digits)?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = u32::from_str_radix(digits, 16).ok().filter(|_| plain)?;
    Some((value, rest))
}

/// The modules whose patterns a device's modalias fits, of a kernel's
/// `modules.alias` (`alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau`), each once.
pub fn claims(text: &str, modalias: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    // Nearly all lines are about other devices: they end here.
    let (bus, _) = modalias.split_once(':').unwrap_or_default();
    for line in text.lines() {
        let Some((pattern, module)) =
            line.strip_prefix("alias ").and_then(|rest| rest.rsplit_once(' '))
        else {
            continue;
        };
        let fits = pattern.strip_prefix(bus).is_some_and(|rest| rest.starts_with(':'))
            && fits(pattern.as_bytes(), modalias.as_bytes());
        if fits && !found.iter().any(|other| other == module) {
            found.push(module.to_owned());
        }
    }
    found
}

/// Whether a text fits a pattern in which `*` stands for any text, `?` for
/// one letter (fnmatch(3) as the kernel's table uses it: no brackets).
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text) = (0, 0);
    // The last `*`, and how much of the text it covers so far.
    let mut star = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_text));
                at += 1;
            }
            Some(letter) if *letter == b'?' || *letter == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((star_at, covers)) = star else { return false };
                star = Some((star_at, covers + 1));
                at = star_at + 1;
                in_text = covers + 1;
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_devices_and_bridges() {
        let card = "pci:v000010DEd00002204sv00001458sd0000403Bbc03sc00i00\n";
        let want = Ids {
            vendor: VendorId(0x10de),
            device: DeviceId(0x2204),
            subsystem: (VendorId(0x1458), DeviceId(0x403b)),
            class: Class(0x03_0000),
        };
        assert_eq!(parse(card), Ok(want));
        let bridge = "pci:v00008086d00000D57sv00000000sd00000000bc06sc00i00\n";
        assert_eq!(parse(bridge).unwrap().subsystem, (VendorId(0), DeviceId(0)));
    }

    #[test]
    fn garbage_is_named() {
        for text in [
            "",
            "pci:",
            "usb:v1D6Bp0002d0618",
            "pci:v000010DEd00002204sv00001458sd0000403Bbc03sc00i00x",
            "pci:v000010DEd00002204sv00001458sd0000403Bbc03sc00",
            "pci:v100010DEd00002204sv00001458sd0000403Bbc03sc00i00",
            "pci:v+00010DEd00002204sv00001458sd0000403Bbc03sc00i00",
        ] {
            assert!(matches!(parse(text), Err(Why::Malformed(_))), "{text:?}");
        }
    }

    #[test]
    fn patterns() {
        let table = "# Aliases\nalias pci:v000010DEd*sv*sd*bc03sc*i* nouveau\nalias pci:v000010DEd00002204sv*sd*bc*sc*i* nvidia\n\
                     alias usb:v10DE nouveau\nalias pci:v*d*sv*sd*bc03sc00i* vga16\nalias pci:v000010DEd*sv*sd*bc03sc*i* nouveau\n";
        let card = "pci:v000010DEd00002204sv00001458sd0000403Bbc03sc00i00";
        assert_eq!(claims(table, card), ["nouveau", "nvidia", "vga16"]);
        let audio = "pci:v000010DEd00001AEFsv00001458sd0000403Bbc04sc03i00";
        assert_eq!(claims(table, audio), Vec::<String>::new());
        for (pattern, text, want) in
            [("*", "", true), ("a*b?", "axxbbc", true), ("a?", "a", false), ("", "a", false)]
        {
            assert_eq!(fits(pattern.as_bytes(), text.as_bytes()), want, "{pattern} {text}");
        }
    }
}

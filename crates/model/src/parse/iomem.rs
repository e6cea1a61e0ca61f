//! `/proc/iomem`: who claims which range of physical memory.
//!
//! In: the table, as root sees it. Out: the ranges on which the firmware's
//! screen is drawn. Other users read all addresses as zero
//! (`r_show()` in kernel/resource.c), which is said and not taken for a place.

use crate::fact::Why;
use crate::parse::attribute::malformed;

/// A range that a framebuffer driver claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    pub start: u64,
    /// The last address, inclusive.
    pub end: u64,
    /// Who claims it: `BOOTFB`, `efifb`, …
    pub name: String,
}

/// Names under which the firmware's framebuffer is claimed: by the kernel's
/// sysfb code (drivers/firmware/sysfb_simplefb.c) or by the driver that draws.
const FRAMEBUFFERS: &[&str] = &[
    "BOOTFB",
    "efidrm",
    "efifb",
    "ofdrm",
    "offb",
    "simple-framebuffer",
    "simpledrm",
    "simplefb",
    "vesadrm",
    "vesafb",
];

/// The ranges of framebuffers.
pub fn framebuffers(text: &str) -> Result<Vec<Range>, Why> {
    let mut found = Vec::new();
    let mut hidden = true;
    for line in text.lines() {
        let range = range(line).ok_or_else(|| malformed(line))?;
        hidden &= range.start == 0 && range.end == 0;
        // Platform devices carry their number: `simple-framebuffer.0`.
        let name = range.name.split('.').next().unwrap_or_default();
        if FRAMEBUFFERS.contains(&name) {
            found.push(range);
        }
    }
    if hidden && !text.is_empty() { Err(Why::NotPermitted) } else { Ok(found) }
}

fn range(line: &str) -> Option<Range> {
    let (addresses, name) = line.split_once(" : ")?;
    let (start, end) = addresses.trim().split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some(Range { start: address(start)?, end: address(end)?, name: name.trim().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESKTOP: &str = "\
00001000-0009efff : System RAM
d0000000-dfffffff : PCI Bus 0000:00
  d0000000-d1ffffff : 0000:01:00.0
    d0000000-d07e8fff : BOOTFB
      d0000000-d07e8fff : simple-framebuffer.0
fb000000-fbffffff : nvidia
";

    #[test]
    fn screens() {
        let got = framebuffers(DESKTOP).unwrap();
        let names: Vec<_> = got.iter().map(|range| range.name.as_str()).collect();
        assert_eq!(names, ["BOOTFB", "simple-framebuffer.0"]);
        assert_eq!((got[0].start, got[0].end), (0xd000_0000, 0xd07e_8fff));
    }

    #[test]
    fn hidden_addresses_are_no_places() {
        let text = "00000000-00000000 : System RAM\n  00000000-00000000 : BOOTFB\n";
        assert_eq!(framebuffers(text), Err(Why::NotPermitted));
        assert_eq!(framebuffers(""), Ok(vec![]));
        assert!(matches!(framebuffers("alas\n"), Err(Why::Malformed(_))));
    }
}

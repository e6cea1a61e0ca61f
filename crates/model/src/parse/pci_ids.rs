//! `pci.ids`: names of vendors, devices and classes.
//!
//! In: the file, 1.5 MB of it. Out: the name of a number. Only the lines of
//! vendors and classes are indexed at once; a vendor's devices are when one
//! of them is asked for. A name that is not there is `None`.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::ids::{Class, DeviceId, VendorId};

/// The file with an index into it.
#[derive(Debug)]
pub struct PciIds {
    text: Cow<'static, str>,
    vendors: Vec<Top>,
    classes: Vec<Top>,
}

/// A vendor or a class.
#[derive(Debug)]
struct Top {
    line: Line,
    below: OnceLock<Vec<Line>>,
}

/// A number, and the place of its line in the text.
#[derive(Debug, Clone, Copy)]
struct Line {
    id: u16,
    at: usize,
}

impl PciIds {
    /// Index a file.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        let (mut vendors, mut classes) = (Vec::new(), Vec::new());
        for (at, line) in lines(&text, 0) {
            match line {
                // What belongs to the entry above, and comments: nearly all lines.
                [] | [b'\t' | b'#', ..] => {}
                [b'C', b' ', class @ ..] => classes.extend(Top::new(class, at)),
                vendor => vendors.extend(Top::new(vendor, at)),
            }
        }
        vendors.sort_by_key(|vendor| vendor.line.id);
        classes.sort_by_key(|class| class.line.id);
        Self { text, vendors, classes }
    }

    pub fn vendor(&self, vendor: VendorId) -> Option<&str> {
        self.name(self.vendor_entry(vendor)?.line)
    }

    pub fn device(&self, vendor: VendorId, device: DeviceId) -> Option<&str> {
        self.name(self.device_line(vendor, device)?)
    }

    /// The name of a card that is built around a device.
    pub fn subsystem(
        &self,
        of: (VendorId, DeviceId),
        subsystem: (VendorId, DeviceId),
    ) -> Option<&str> {
        let card = format!("\t\t{:04x} {:04x}  ", subsystem.0.0, subsystem.1.0);
        let device = self.device_line(of.0, of.1)?;
        let (at, _) = below(&self.text, device, 2).find(|(_, l)| l.starts_with(card.as_bytes()))?;
        self.rest(at + card.len())
    }

    /// The name of a subclass, or else of its base class.
    pub fn class(&self, class: Class) -> Option<&str> {
        let base = find(&self.classes, u16::from(class.base()), |class| class.line.id)?;
        let sub = find(base.below(&self.text), class.sub() & 0xff, |line| line.id);
        self.name(sub.copied().unwrap_or(base.line))
    }

    fn vendor_entry(&self, vendor: VendorId) -> Option<&Top> {
        find(&self.vendors, vendor.0, |vendor| vendor.line.id)
    }

    fn device_line(&self, vendor: VendorId, device: DeviceId) -> Option<Line> {
        let devices = self.vendor_entry(vendor)?.below(&self.text);
        find(devices, device.0, |line| line.id).copied()
    }

    /// What stands behind the number of a line.
    fn name(&self, line: Line) -> Option<&str> {
        let (_, name) = self.rest(line.at)?.split_once("  ")?;
        Some(name)
    }

    /// From a place to the end of its line.
    fn rest(&self, at: usize) -> Option<&str> {
        self.text.get(at..)?.lines().next()
    }
}

impl Top {
    fn new(line: &[u8], at: usize) -> Option<Self> {
        let line = Line { id: id(line)?, at };
        Some(Self { line, below: OnceLock::new() })
    }

    /// The devices of a vendor, the subclasses of a class.
    fn below(&self, text: &str) -> &[Line] {
        self.below.get_or_init(|| {
            let lines = below(text, self.line, 1);
            let mut found: Vec<Line> =
                lines.filter_map(|(at, line)| Some(Line { id: id(&line[1..])?, at })).collect();
            found.sort_by_key(|line| line.id);
            found
        })
    }
}

/// `10de  NVIDIA Corporation`: the number before two blanks.
fn id(line: &[u8]) -> Option<u16> {
    let end = line.iter().take(5).position(|byte| *byte == b' ')?;
    let (digits, name) = line.split_at(end);
    let plain = !digits.is_empty() && name.starts_with(b"  ");
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let shifted = |id: u16, byte| Some(id << 4 | u16::try_from(digit(byte)?).ok()?);
    digits.iter().try_fold(0, shifted).filter(|_| plain)
}

fn find<T>(sorted: &[T], id: u16, key: impl Fn(&T) -> u16) -> Option<&T> {
    sorted.binary_search_by_key(&id, key).ok().map(|index| &sorted[index])
}

/// The lines that belong to one and are so many tabulators deep.
fn below(text: &str, of: Line, depth: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let tabs = |line: &[u8]| line.iter().take_while(|byte| **byte == b'\t').count();
    lines(text, of.at)
        .skip(1)
        .filter(|(_, line)| !matches!(line, [] | [b'#', ..]))
        .take_while(move |(_, line)| tabs(line) >= depth)
        .filter(move |(_, line)| tabs(line) == depth)
}

/// Lines with their places in the text, from a place on. One search for all
/// ends of lines takes two fifths of the time of [`str::lines`], which begins
/// a new one for each of 40,000 short lines.
fn lines(text: &str, from: usize) -> impl Iterator<Item = (usize, &[u8])> {
    let bytes = &text.as_bytes()[from..];
    let mut start = 0;
    memchr::memchr_iter(b'\n', bytes).chain([bytes.len()]).map(move |end| {
        let line = (from + start, &bytes[start..end]);
        start = end + 1;
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
#	Comment
1000  Broadcom / LSI
\t0001  53c810
\t\t1000 1000  LSI53C810AE PCI to SCSI I/O Processor
\t0002  53c820
# a comment between
10de  NVIDIA Corporation
\t2204  GA102 [GeForce RTX 3090]
\t\t1458 403b  GeForce RTX 3090 GAMING OC
\t\t10de 147d  RTX 3090 Founders Edition
\t1aef  GA102 High Definition Audio Controller
ffff  Illegal Vendor ID


# List of known device classes
C 03  Display controller
\t00  VGA compatible controller
\t\t00  VGA controller
\t02  3D controller
C 12  Processing accelerators
";

    #[test]
    fn names() {
        let ids = PciIds::new(SAMPLE.to_owned());
        let (nvidia, card) = (VendorId(0x10de), DeviceId(0x2204));
        assert_eq!(ids.vendor(nvidia), Some("NVIDIA Corporation"));
        assert_eq!(ids.device(nvidia, card), Some("GA102 [GeForce RTX 3090]"));
        assert_eq!(ids.device(nvidia, DeviceId(0x0001)), None);
        assert_eq!(ids.device(VendorId(0x1000), DeviceId(2)), Some("53c820"));
        let gigabyte = (VendorId(0x1458), DeviceId(0x403b));
        assert_eq!(ids.subsystem((nvidia, card), gigabyte), Some("GeForce RTX 3090 GAMING OC"));
        assert_eq!(ids.subsystem((nvidia, DeviceId(0x1aef)), gigabyte), None);
        assert_eq!(ids.vendor(VendorId(0xdead)), None);
        for (class, want) in [
            (0x03_0000, Some("VGA compatible controller")),
            (0x03_0200, Some("3D controller")),
            (0x03_8000, Some("Display controller")),
            (0x12_0000, Some("Processing accelerators")),
            (0xff_ff00, None),
        ] {
            assert_eq!(ids.class(Class(class)), want, "{class:06x}");
        }
        assert_eq!(ids.vendor(VendorId(0xffff)), Some("Illegal Vendor ID"));
    }
}

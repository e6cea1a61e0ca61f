//! `pci.ids`: names of vendors, devices and classes.
//!
//! In: the file, 1.3 MB of it. Out: the name of a number. Only the lines of
//! vendors and classes are indexed at once; a vendor's devices are when one
//! of them is asked for. A name that is not there is `None`.

use std::ops::Range;
use std::sync::OnceLock;

use crate::ids::{Class, DeviceId, VendorId};

/// The file with an index into it.
#[derive(Debug)]
pub struct PciIds {
    text: String,
    vendors: Vec<Entry>,
    classes: Vec<Entry>,
}

/// A number, its name, and the lines below that are indented deeper.
#[derive(Debug)]
struct Entry {
    id: u16,
    name: Range<usize>,
    below: Range<usize>,
    entries: OnceLock<Vec<Entry>>,
}

impl PciIds {
    /// Index a file.
    pub fn new(text: String) -> Self {
        let mut vendors = Vec::new();
        let mut classes = Vec::new();
        for (at, line) in lines(&text, 0..text.len()) {
            // Comments and what belongs to the entry above: nearly all lines.
            if matches!(line.as_bytes().first(), None | Some(b'\t' | b'#')) {
                continue;
            }
            end_last(&mut vendors, at);
            end_last(&mut classes, at);
            match line.strip_prefix("C ") {
                Some(class) => classes.extend(entry(class, at + 2, &text)),
                None => vendors.extend(entry(line, at, &text)),
            }
        }
        vendors.sort_by_key(|entry| entry.id);
        classes.sort_by_key(|entry| entry.id);
        Self { text, vendors, classes }
    }

    pub fn vendor(&self, vendor: VendorId) -> Option<&str> {
        self.name(find(&self.vendors, vendor.0)?)
    }

    pub fn device(&self, vendor: VendorId, device: DeviceId) -> Option<&str> {
        self.name(self.device_entry(vendor, device)?)
    }

    /// The name of a card that is built around a device.
    pub fn subsystem(
        &self,
        of: (VendorId, DeviceId),
        subsystem: (VendorId, DeviceId),
    ) -> Option<&str> {
        let card = format!("\t\t{:04x} {:04x}  ", subsystem.0.0, subsystem.1.0);
        let below = self.device_entry(of.0, of.1)?.below.clone();
        lines(&self.text, below).find_map(|(_, line)| line.strip_prefix(&*card))
    }

    /// The name of a subclass, or else of its base class.
    pub fn class(&self, class: Class) -> Option<&str> {
        let base = find(&self.classes, class.base().into())?;
        let sub = find(self.below(base, 1), class.sub() & 0xff);
        self.name(sub.unwrap_or(base))
    }

    fn device_entry(&self, vendor: VendorId, device: DeviceId) -> Option<&Entry> {
        find(self.below(find(&self.vendors, vendor.0)?, 1), device.0)
    }

    fn name(&self, entry: &Entry) -> Option<&str> {
        self.text.get(entry.name.clone())
    }

    /// What stands below an entry, `depth` tabulators deep.
    fn below<'a>(&'a self, entry: &'a Entry, depth: usize) -> &'a [Entry] {
        entry.entries.get_or_init(|| {
            let mut found = Vec::new();
            for (at, line) in lines(&self.text, entry.below.clone()) {
                let tabs = line.bytes().take_while(|byte| *byte == b'\t').count();
                if tabs == depth {
                    end_last(&mut found, at);
                    found.extend(self::entry(&line[tabs..], at + tabs, &self.text));
                }
            }
            if let Some(last) = found.last_mut() {
                last.below.end = entry.below.end;
            }
            found.sort_by_key(|entry| entry.id);
            found
        })
    }
}

/// `10de  NVIDIA Corporation`: number, two blanks, name.
fn entry(line: &str, at: usize, text: &str) -> Option<Entry> {
    let (id, name) = line.split_once("  ")?;
    let plain = id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = u16::from_str_radix(id, 16).ok().filter(|_| plain)?;
    let end = at + line.len();
    let start = end - name.len();
    // Ends where the next one starts; the last one with the file.
    Some(Entry { id, name: start..end, below: end..text.len(), entries: OnceLock::new() })
}

/// The entry before a line ends there, if it has not ended before.
fn end_last(entries: &mut [Entry], at: usize) {
    if let Some(last) = entries.last_mut() {
        last.below.end = last.below.end.min(at);
    }
}

fn find(entries: &[Entry], id: u16) -> Option<&Entry> {
    entries.binary_search_by_key(&id, |entry| entry.id).ok().map(|index| &entries[index])
}

/// Lines with their place in the text.
fn lines(text: &str, within: Range<usize>) -> impl Iterator<Item = (usize, &str)> {
    let mut at = within.start;
    text.get(within).unwrap_or_default().split('\n').map(move |line| {
        let start = at;
        at += line.len() + 1;
        (start, line)
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

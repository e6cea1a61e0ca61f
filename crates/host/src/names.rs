//! Names of vendors, devices and classes, for people to read.
//!
//! In: numbers. Out: the name in the machine's `pci.ids`, else in the one
//! that was compiled in, which may be newer or older. Never: a fact that
//! anything is decided on; a missing name is `None`.

use std::sync::LazyLock;
use std::thread;

use model::parse::pci_ids::PciIds;
use model::{Class, DeviceId, VendorId};

use crate::paths::Root;
use crate::read;

/// The list of the PCI ID Project (3-clause BSD). It is kept as text: tables
/// of names are pointers, which the loader writes one by one at every start.
const TEXT: &str = include_str!("../data/pci.ids");

/// Indexed when the machine's file lacks a name, not before.
static COMPILED_IN: LazyLock<PciIds> = LazyLock::new(|| PciIds::new(TEXT));

/// Where names come from.
#[derive(Debug)]
pub struct Names {
    file: LazyLock<Option<PciIds>, Loading>,
}

/// Waits for the machine's file.
type Loading = Box<dyn FnOnce() -> Option<PciIds> + Send>;

impl Names {
    /// Begin to read the machine's file: the one below the root, else this
    /// machine's own, as a recording has none and a name is the same
    /// everywhere. The first name that is asked for waits for it: its 1.5 MB
    /// are a fifth of the time of a short listing, and the machine can be
    /// looked at meanwhile.
    pub fn load(root: &Root) -> Self {
        let paths: Vec<_> = root.pci_ids().into_iter().chain(Root::real().pci_ids()).collect();
        let read = move || paths.iter().find_map(|path| read::text(path).ok()).map(PciIds::new);
        let reader = thread::Builder::new().spawn(read.clone());
        Self {
            file: LazyLock::new(match reader {
                Ok(reader) => Box::new(|| reader.join().ok().flatten()),
                Err(_) => Box::new(read),
            }),
        }
    }

    pub fn vendor(&self, vendor: VendorId) -> Option<&str> {
        self.find(|names| names.vendor(vendor))
    }

    pub fn device(&self, vendor: VendorId, device: DeviceId) -> Option<&str> {
        self.find(|names| names.device(vendor, device))
    }

    /// The name of the card that is built around a device.
    pub fn subsystem(
        &self,
        of: (VendorId, DeviceId),
        subsystem: (VendorId, DeviceId),
    ) -> Option<&str> {
        self.find(|names| names.subsystem(of, subsystem))
    }

    /// The name of a subclass, or else of its base class.
    pub fn class(&self, class: Class) -> Option<&str> {
        self.find(|names| names.class(class))
    }

    fn find<'a>(&'a self, name: impl Fn(&'a PciIds) -> Option<&'a str>) -> Option<&'a str> {
        self.file.as_ref().and_then(&name).or_else(|| name(&COMPILED_IN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_a_file() {
        let names = Names { file: LazyLock::new(Box::new(|| None)) };
        let (nvidia, card) = (VendorId(0x10de), DeviceId(0x2204));
        assert_eq!(names.vendor(nvidia), Some("NVIDIA Corporation"));
        assert_eq!(names.device(nvidia, card), Some("GA102 [GeForce RTX 3090]"));
        assert_eq!(names.device(nvidia, DeviceId(0xffff)), None);
        assert_eq!(names.class(Class(0x03_0000)), Some("VGA compatible controller"));
        assert_eq!(names.class(Class(0x03_ff00)), Some("Display controller"));
        assert_eq!(names.class(Class(0xfe_0000)), None);
        let card = (nvidia, DeviceId(0x2206));
        let founders = (nvidia, DeviceId(0x1467));
        assert_eq!(names.subsystem(card, founders), Some("GA102 [GeForce RTX 3080]"));
        assert_eq!(names.subsystem(founders, card), None);
    }

    #[test]
    fn the_machines_file_comes_first() {
        let dir = tempfile::tempdir().unwrap();
        let root = Root::new(dir.path());
        let [_, path, _] = root.pci_ids();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "10de  Ours\n\t2204  Our card\n").unwrap();
        let names = Names::load(&root);
        assert_eq!(names.vendor(VendorId(0x10de)), Some("Ours"));
        assert_eq!(names.device(VendorId(0x10de), DeviceId(0x2204)), Some("Our card"));
        // What it lacks is looked up in the one that was compiled in.
        assert_eq!(names.vendor(VendorId(0x8086)), Some("Intel Corporation"));
    }
}

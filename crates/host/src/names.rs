//! Names of vendors, devices and classes, for people to read.
//!
//! In: numbers. Out: the name in the machine's `pci.ids`, else in the one
//! that was compiled in, which may be newer or older. Never: a fact that
//! anything is decided on; a missing name is `None`.

use model::parse::pci_ids::PciIds;
use model::{Class, DeviceId, VendorId};
use pci_ids::{FromId, SubSystem, Subclass};

use crate::paths::Root;
use crate::read;

/// Where names come from.
#[derive(Debug)]
pub struct Names {
    file: Option<PciIds>,
}

impl Names {
    /// Read the machine's file: the one below the root, else this machine's
    /// own, as a recording has none and a name is the same everywhere.
    pub fn load(root: &Root) -> Self {
        let real = Root::real();
        let paths = root.pci_ids().into_iter().chain(real.pci_ids());
        let file = paths.filter_map(|path| read::text(&path).ok()).next().map(PciIds::new);
        Self { file }
    }

    pub fn vendor(&self, vendor: VendorId) -> Option<&str> {
        self.in_file(|file| file.vendor(vendor)).or_else(|| {
            let vendor = pci_ids::Vendor::from_id(vendor.0)?;
            Some(vendor.name())
        })
    }

    pub fn device(&self, vendor: VendorId, device: DeviceId) -> Option<&str> {
        self.in_file(|file| file.device(vendor, device)).or_else(|| {
            let device = pci_ids::Device::from_vid_pid(vendor.0, device.0)?;
            Some(device.name())
        })
    }

    /// The name of the card that is built around a device.
    pub fn subsystem(
        &self,
        of: (VendorId, DeviceId),
        subsystem: (VendorId, DeviceId),
    ) -> Option<&str> {
        self.in_file(|file| file.subsystem(of, subsystem)).or_else(|| {
            let device = pci_ids::Device::from_vid_pid(of.0.0, of.1.0)?;
            let same = |card: &&SubSystem| {
                (card.subvendor(), card.subdevice()) == (subsystem.0.0, subsystem.1.0)
            };
            device.subsystems().find(same).map(SubSystem::name)
        })
    }

    /// The name of a subclass, or else of its base class.
    pub fn class(&self, class: Class) -> Option<&str> {
        self.in_file(|file| file.class(class)).or_else(|| {
            let sub = (class.sub() & 0xff) as u8;
            match Subclass::from_cid_sid(class.base(), sub) {
                Some(subclass) => Some(subclass.name()),
                None => pci_ids::Class::from_id(class.base()).map(pci_ids::Class::name),
            }
        })
    }

    fn in_file<'a>(&'a self, name: impl FnOnce(&'a PciIds) -> Option<&'a str>) -> Option<&'a str> {
        self.file.as_ref().and_then(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_a_file() {
        let names = Names { file: None };
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

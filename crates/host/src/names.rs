//! What vendors, devices and classes are called.
//!
//! In: the machine's own `pci.ids`, which its distribution keeps up to date.
//! Out: names of numbers. Where there is no such file (a recording, a
//! bare tree, a NAS), the table that was built into the program serves.
//! Never: a name that neither knows.

use std::fs;

use model::parse::pci_ids::PciIds;
use model::{Class, DeviceId, VendorId};
use pci_ids::FromId;

use crate::paths::Root;

/// Where names come from.
#[derive(Debug)]
pub struct Names(Option<Box<PciIds>>);

impl Names {
    /// Names for the machine below `root`. A recording does not carry them:
    /// then this machine's file is as good.
    pub fn load(root: &Root) -> Self {
        let files = root.pci_ids().into_iter().chain(Root::real().pci_ids());
        let text = files.into_iter().find_map(|path| fs::read(path).ok());
        Self(text.map(|bytes| Box::new(PciIds::new(into_text(bytes)))))
    }

    pub fn vendor(&self, vendor: VendorId) -> Option<&str> {
        match &self.0 {
            Some(file) => file.vendor(vendor),
            None => pci_ids::Vendor::from_id(vendor.0).map(pci_ids::Vendor::name),
        }
    }

    pub fn device(&self, vendor: VendorId, device: DeviceId) -> Option<&str> {
        match &self.0 {
            Some(file) => file.device(vendor, device),
            None => pci_ids::Device::from_vid_pid(vendor.0, device.0).map(pci_ids::Device::name),
        }
    }

    /// The name of a card that is built around a device.
    pub fn subsystem(&self, of: (VendorId, DeviceId), card: (VendorId, DeviceId)) -> Option<&str> {
        match &self.0 {
            Some(file) => file.subsystem(of, card),
            None => {
                let device = pci_ids::Device::from_vid_pid(of.0.0, of.1.0)?;
                let mut cards = device.subsystems();
                let same = |sub: &&pci_ids::SubSystem| {
                    (sub.subvendor(), sub.subdevice()) == (card.0.0, card.1.0)
                };
                cards.find(same).map(pci_ids::SubSystem::name)
            }
        }
    }

    /// The name of a subclass, or else of its base class.
    pub fn class(&self, class: Class) -> Option<&str> {
        match &self.0 {
            Some(file) => file.class(class),
            None => {
                let sub = pci_ids::Subclass::from_cid_sid(class.base(), class.sub() as u8);
                let base = || pci_ids::Class::from_id(class.base()).map(pci_ids::Class::name);
                sub.map(pci_ids::Subclass::name).or_else(base)
            }
        }
    }
}

/// The file is UTF-8 but for a slip now and then, which costs that name only.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|slip| String::from_utf8_lossy(slip.as_bytes()).into_owned())
}

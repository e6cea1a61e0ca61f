//! `driver_override`, whose reading may block.
//!
//! In: the functions, and how such an attribute is to be read. Out: the fact
//! in each function. Printing it takes the device's lock
//! (`driver_override_show()` in drivers/pci/pci-sysfs.c); whoever holds that
//! lock may be stuck in the kernel, and the reader is then, too.

use std::collections::BTreeMap;

use model::parse::attribute;
use model::port::{AttrWriter, Showed, Stuck};
use model::{Bdf, Fact, Function, Why};

use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

const NAME: &str = "driver_override";

/// How attributes are read whose reading takes the device's lock.
pub(super) enum Locked<'a> {
    /// Not at all.
    Skip,
    /// Like any file: below a root of plain files nothing blocks.
    Plain,
    /// In a process that can be abandoned.
    Through(&'a mut dyn AttrWriter),
}

/// Fill in the fact.
pub(super) fn overrides(
    root: &Root,
    functions: &mut BTreeMap<Bdf, Function>,
    locked: &mut Locked<'_>,
) {
    let mut buffer = Buffer::default();
    let devices = Folder::open(&root.pci_devices());
    for function in functions.values_mut() {
        let name = format!("{}/{NAME}", function.bdf);
        let in_doubt = function.config.why() == Some(&Why::InDoubt);
        function.driver_override = match (&mut *locked, &devices) {
            (Locked::Skip, _) => Fact::Unknown(Why::NotObserved),
            (_, _) if in_doubt => Fact::Unknown(Why::NotObserved),
            (_, Err(why)) => Fact::Unknown(why.clone()),
            (Locked::Plain, Ok(devices)) => {
                devices.text(&name, &mut buffer).map(attribute::driver_override).into()
            }
            (Locked::Through(attrs), _) => driver_override(root, function.bdf, *attrs),
        };
    }
}

/// The driver that alone may bind a function, read through `attrs`.
pub fn driver_override(root: &Root, bdf: Bdf, attrs: &mut dyn AttrWriter) -> Fact<Option<String>> {
    match attrs.read(&root.pci_device(bdf).join(NAME)) {
        Showed::Content(bytes) => {
            attribute::driver_override(&String::from_utf8_lossy(&bytes)).into()
        }
        Showed::Failed { errno, .. } => Fact::Unknown(read::why(errno)),
        Showed::Stuck(held) => Fact::Unknown(stuck(&held)),
    }
}

/// Why an attribute is not known whose reader has not come back.
pub(super) fn stuck(stuck: &Stuck) -> Why {
    let waited = stuck.waited.as_secs();
    Why::Failed(format!(
        "the kernel did not show it within {waited} s: somebody holds the device's lock"
    ))
}

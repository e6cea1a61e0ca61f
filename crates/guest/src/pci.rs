//! The functions on the guest's PCI buses, as sysfs shows them.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

const DEVICES: &str = "/sys/bus/pci/devices";

/// By address; a `BTreeMap`, because its order is the bus order.
pub type Functions = BTreeMap<String, Function>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    vendor: String,
    device: String,
    class: String,
    pub driver: Option<String>,
}

impl Function {
    /// Mass storage, NVMe: it will have a disk.
    pub fn is_nvme(&self) -> bool {
        self.class.starts_with("0108")
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { vendor, device, class, driver } = self;
        let driver = driver.as_deref().unwrap_or("-");
        write!(f, "{vendor}:{device} class {class} driver {driver}")
    }
}

/// A function that vanishes while it is read is left out.
pub fn functions() -> Functions {
    let entries = fs::read_dir(DEVICES).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let address = entry.file_name().to_string_lossy().into_owned();
            Some((address, function(&entry.path())?))
        })
        .collect()
}

fn function(path: &Path) -> Option<Function> {
    let number = |name: &str| {
        let text = fs::read_to_string(path.join(name)).ok()?;
        Some(text.trim().trim_start_matches("0x").to_owned())
    };
    let driver = fs::read_link(path.join("driver")).ok();
    let driver = driver.and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned()));
    Some(Function {
        vendor: number("vendor")?,
        device: number("device")?,
        class: number("class")?,
        driver,
    })
}

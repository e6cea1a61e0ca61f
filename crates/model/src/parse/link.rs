//! Targets of the links in sysfs, which are paths through the device tree.
//!
//! In: the target, as in `../../../devices/pci0000:00/0000:00:01.0/0000:01:00.0`.
//! Out: the PCI functions on the way. Never: a resolved path; the text of one
//! link holds the whole chain, so nothing is looked up.

use crate::bdf::Bdf;

/// The PCI functions that a path goes through, from the root bus down.
pub fn functions(target: &str) -> impl DoubleEndedIterator<Item = Bdf> {
    target.split('/').filter_map(|part| part.parse().ok())
}

/// The innermost PCI function that a path goes through: whose device it is.
pub fn owner(target: &str) -> Option<Bdf> {
    functions(target).next_back()
}

/// What is above the function that the path ends with, the nearest first.
/// An Intel VMD controller, in whose own domain the function sits, counts.
pub fn upstream(target: &str) -> Vec<Bdf> {
    functions(target).rev().skip(1).collect()
}

/// The last part of a path: the name of a driver, group or class device.
pub fn name(target: &str) -> &str {
    target.trim_end_matches('/').rsplit('/').next().unwrap_or(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bdfs(texts: &[&str]) -> Vec<Bdf> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn chains() {
        for (target, up) in [
            ("../../../devices/pci0000:00/0000:00:02.0", &[][..]),
            (
                "../../../devices/pci0000:00/0000:00:01.1/0000:01:00.0/0000:02:08.0",
                &["0000:01:00.0", "0000:00:01.1"],
            ),
            // An NVMe drive below Intel VMD.
            (
                "../../../devices/pci0000:80/0000:80:05.5/pci10000:80/10000:80:01.0/10000:81:00.0",
                &["10000:80:01.0", "0000:80:05.5"],
            ),
            // Hyper-V: no bridge, the path goes through VMBus.
            ("../../../devices/LNXSYSTM:00/VMBUS:01/47505500-0001/pcib5d7:00/b5d7:00:02.0", &[]),
        ] {
            assert_eq!(upstream(target), bdfs(up), "{target}");
        }
    }

    #[test]
    fn owners() {
        let disk = "../../devices/pci0000:00/0000:00:02.0/virtio1/block/vda/vda1";
        assert_eq!(owner(disk), "0000:00:02.0".parse().ok());
        assert_eq!(name(disk), "vda1");
        assert_eq!(owner("../../devices/virtual/net/br0"), None);
        assert_eq!(name("../../../bus/pci/drivers/nvme"), "nvme");
        assert_eq!(name(""), "");
    }
}

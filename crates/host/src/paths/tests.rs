//! Where paths lead, and what they are called.

use super::*;

#[test]
fn paths_stay_below_the_root() {
    let root = Root::new("/tmp/tree");
    let bdf: Bdf = "10000:e1:00.0".parse().unwrap();
    for (path, want) in [
        (root.pci_device(bdf), "/tmp/tree/sys/bus/pci/devices/10000:e1:00.0"),
        (root.iommu_group(GroupId(7)), "/tmp/tree/sys/kernel/iommu_groups/7"),
        (root.kvm(), "/tmp/tree/dev/kvm"),
        (root.at("/dev/nvidia0"), "/tmp/tree/dev/nvidia0"),
        (root.at("dev/nvidia0"), "/tmp/tree/dev/nvidia0"),
        (root.process(1), "/tmp/tree/proc/1"),
        (Root::real().proc_iomem(), "/proc/iomem"),
    ] {
        assert_eq!(path, Path::new(want));
    }
    assert!(Root::real().is_real() && !root.is_real());
}

#[test]
fn a_recording_is_called_by_its_own_name() {
    let root = Root::new("/tmp/unpacked");
    let path = root.class("net");
    assert_eq!(root.shown(&path), "/tmp/unpacked/sys/class/net");
    let root = root.called("machines/nas");
    assert_eq!(root.shown(&path), "machines/nas:/sys/class/net");
    assert_eq!(root.shown(Path::new("/elsewhere")), "/elsewhere");
}

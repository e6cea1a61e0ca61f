//! The tree is what sysfs would show: links lead somewhere, files agree with each other.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::fs;
use std::path::{Path, PathBuf};

use fakehost::{FakeHost, FunctionSpec, MdevType, devices};
use model::Bdf;
use model::parse::config::{Config, HeaderKind, PcieKind};

/// One of everything.
fn everything() -> FakeHost {
    FakeHost::new()
        .host_bridge("0000:00:00.0")
        .root_port("0000:00:01.0", 0x65)
        .gpu("0000:65:00.0")
        .with_audio()
        .with_usb()
        .with_ucsi()
        .group(34)
        .root_port("0000:00:02.0", 0x01)
        .nvme("0000:01:00.0")
        .nic("0000:02:00.0", "eth0")
        .sriov_nic("0000:03:00.0", "eth1", 7)
        .edu("0000:04:00.0")
        .accelerator("0000:41:00.0")
        .mdev_type(&MdevType { id: "t4-1q".into(), name: "GRID T4-1Q".into(), available: 2 })
        .root_port("0000:00:03.0", 0x80)
        .switch("0000:80:00.0", 0x81, &[0x82, 0x83])
        .edu("0000:82:00.0")
        .pci_bridge("0000:00:1e.0", 0x07)
        .function(FunctionSpec::conventional(bdf("0000:07:01.0"), (0x8086, 0x100e), 0x02_00_00))
        .vmd("0000:00:0e.0", 0x10000, 0xe0)
        .root_port("10000:e0:06.0", 0xe1)
        .nvme("10000:e1:00.0")
}

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

fn links_below(folder: &Path, into: &mut Vec<PathBuf>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_symlink() {
            into.push(path);
        } else if path.is_dir() {
            links_below(&path, into);
        }
    }
}

#[test]
fn every_link_leads_somewhere_inside() {
    let host = everything();
    let mut links = Vec::new();
    links_below(host.root(), &mut links);
    assert!(links.len() > 100, "{}", links.len());
    for link in links {
        assert!(fs::read_link(&link).unwrap().is_relative(), "{}", link.display());
        let real =
            link.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", link.display()));
        assert!(real.starts_with(host.root()), "{}", link.display());
    }
}

#[test]
fn functions_stand_below_their_bridges() {
    let host = everything();
    for (function, want) in [
        ("0000:65:00.1", "sys/devices/pci0000:00/0000:00:01.0/0000:65:00.1"),
        ("0000:02:00.0", "sys/devices/pci0000:02/0000:02:00.0"),
        (
            "0000:82:00.0",
            "sys/devices/pci0000:00/0000:00:03.0/0000:80:00.0/0000:81:00.0/0000:82:00.0",
        ),
        (
            "10000:e1:00.0",
            "sys/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0",
        ),
    ] {
        let link = host.root().join("sys/bus/pci/devices").join(function);
        assert_eq!(link.canonicalize().unwrap(), host.root().join(want));
    }
}

#[test]
fn groups_hold_what_they_should() {
    let host = everything();
    let group = |bdf: &str| {
        let link = host.root().join(format!("sys/bus/pci/devices/{bdf}/iommu_group"));
        fs::read_link(link).unwrap().file_name().unwrap().to_owned()
    };
    let members = host.root().join("sys/kernel/iommu_groups/34/devices");
    assert_eq!(fs::read_dir(members).unwrap().count(), 4);
    assert_eq!(group("0000:65:00.3"), "34");
    assert_eq!(group("10000:e1:00.0"), group("0000:00:0e.0"), "the VMD's own");
    assert_ne!(group("0000:01:00.0"), group("0000:02:00.0"));
    let none = FakeHost::new().without_iommu().edu("0000:04:00.0");
    assert!(!none.root().join("sys/kernel/iommu_groups").exists());
}

#[test]
fn configuration_space_says_what_the_attributes_say() {
    let host = everything();
    for path in fs::read_dir(host.root().join("sys/bus/pci/devices")).unwrap() {
        let path = path.unwrap().path();
        let text = |name: &str| fs::read_to_string(path.join(name)).unwrap();
        let number = |name: &str| {
            u32::from_str_radix(text(name).trim().trim_start_matches("0x"), 16).unwrap()
        };
        let bytes = fs::read(path.join("config")).unwrap();
        let parsed = Config::parse(&bytes);
        let parsed = parsed.known().unwrap_or_else(|| panic!("{path:?}: {parsed:?}"));
        let word = |at: usize| u32::from(bytes[at]) | u32::from(bytes[at + 1]) << 8;
        assert_eq!(word(0), number("vendor"), "{path:?}");
        assert_eq!(word(2), number("device"), "{path:?}");
        assert_eq!(u32::from(parsed.revision), number("revision"), "{path:?}");
        let bridge = number("class") >> 8 == 0x0604;
        assert_eq!(parsed.header == HeaderKind::Bridge, bridge, "{path:?}");
        assert!(parsed.capabilities.known().is_some(), "{path:?}");
    }
}

#[test]
fn capabilities_are_those_of_the_specification() {
    let host = everything();
    let parse = |bdf: &str| {
        let path = host.root().join(format!("sys/bus/pci/devices/{bdf}/config"));
        let parsed = Config::parse(&fs::read(path).unwrap()).known().unwrap().clone();
        (parsed.multifunction, parsed.capabilities.known().unwrap().clone())
    };
    let (multifunction, gpu) = parse("0000:65:00.0");
    assert!(multifunction);
    let extended = gpu.extended.known().unwrap();
    assert_eq!(extended.rebar[0].current, 256 << 20);
    let (multifunction, nvme) = parse("0000:01:00.0");
    assert!(!multifunction);
    assert_eq!(nvme.msix.unwrap().vectors, 33);
    assert_eq!(nvme.msi.unwrap().vectors, 32);
    assert!(nvme.pcie.unwrap().flr);
    let (_, nic) = parse("0000:03:00.0");
    let sriov = nic.extended.known().unwrap().sriov.unwrap();
    assert_eq!((sriov.total, sriov.offset, sriov.stride), (7, 0x80, 2));
    let (_, port) = parse("0000:00:01.0");
    assert_eq!(port.pcie.unwrap().kind, PcieKind::RootPort);
    assert_eq!(port.extended.known().unwrap().acs.unwrap().enabled, 0x1d);
    let (_, old) = parse("0000:07:01.0");
    assert!(old.pcie.is_none());
}

#[test]
fn an_adopted_tree_reacts_like_the_one_it_came_from() {
    let recorded = everything();
    // What a recording lacks: files that can only be written.
    for name in ["sys/bus/pci/drivers_probe", "sys/bus/pci/drivers/nvme/unbind"] {
        fs::remove_file(recorded.root().join(name)).unwrap();
    }
    let host = FakeHost::from_dir(recorded.root());
    let before = host.snapshot_tree();
    host.meddle("sys/bus/pci/drivers/nvme/unbind", "0000:01:00.0");
    assert_eq!(host.driver_of("0000:01:00.0"), None);
    assert!(!host.root().join("sys/block/nvme0n1").exists());
    host.meddle("sys/bus/pci/drivers_probe", "0000:01:00.0");
    assert_eq!(host.driver_of("0000:01:00.0").as_deref(), Some("nvme"));
    assert_eq!(before.diff(&host.snapshot_tree()), [""; 0]);
}

#[test]
fn presets_can_be_changed_before_they_are_added() {
    let spec = FunctionSpec { numa_node: 1, ..devices::gpu(bdf("0000:65:00.0")) };
    let host = FakeHost::new().function(spec);
    assert_eq!(host.attribute("0000:65:00.0", "numa_node").as_deref(), Some("1"));
}

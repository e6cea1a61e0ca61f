//! Trees that lie: facts with a reason, never a crash and never a guess.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;

use host::observe::{Depth, observe};
use host::paths::Root;
use model::function::RuntimeStatus;
use model::{Bdf, Fact, Function, Why};
use proptest::prelude::*;
use rustix::fs::inotify;
use support::tree::{Device, Tree};

const AT: &str = "0000:00:02.0";
const PLACE: &str = "sys/devices/pci0000:00/0000:00:02.0";

/// A tree with one graphics card that is in a group.
fn card() -> (tempfile::TempDir, Tree) {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::new(dir.path());
    let mut card = Device::endpoint(AT, (0x10de, 0x2204), 0x03_0000);
    card.group = Some(1);
    tree.add(&card);
    (dir, tree)
}

fn function(tree: &Tree, depth: Depth) -> Function {
    let snapshot = observe(&Root::new(tree.path()), depth);
    snapshot.get(AT.parse().unwrap()).unwrap().clone()
}

/// Put something else in a file's place.
fn replace(tree: &Tree, name: &str, content: &[u8]) {
    tree.file(&format!("{PLACE}/{name}"), content);
}

fn remove(tree: &Tree, name: &str) {
    fs::remove_file(tree.path().join(PLACE).join(name)).unwrap();
}

#[test]
fn a_sleeping_device_is_not_woken() {
    for (word, want) in [
        ("suspended", Why::Suspended),
        ("suspending", Why::Suspended),
        ("resuming", Why::Suspended),
        ("error", Why::Failed("its runtime power management is in error".to_owned())),
        ("dreaming", Why::Malformed("dreaming".to_owned())),
    ] {
        for depth in [Depth::Listing, Depth::Whole] {
            let (_dir, tree) = card();
            replace(&tree, "power/runtime_status", format!("{word}\n").as_bytes());
            let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
            let config = tree.path().join(PLACE).join("config");
            inotify::add_watch(&watch, &config, inotify::WatchFlags::OPEN).unwrap();

            let function = function(&tree, depth);

            let opened = rustix::io::read(&watch, &mut [0; 256]);
            assert_eq!(opened, Err(rustix::io::Errno::AGAIN), "{word} {depth:?}: it was opened");
            assert_eq!(function.config, Fact::Unknown(want.clone()));
            // What the kernel keeps in memory is known all the same.
            assert_eq!(function.revision, Fact::Known(0xa1));
            assert_eq!(function.ids_text(), "10de:2204");
        }
    }
}

#[test]
fn the_watch_of_the_test_above_sees_a_read() {
    let (_dir, tree) = card();
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).unwrap();
    let config = tree.path().join(PLACE).join("config");
    inotify::add_watch(&watch, &config, inotify::WatchFlags::OPEN).unwrap();
    let function = function(&tree, Depth::Listing);
    assert!(rustix::io::read(&watch, &mut [0; 256]).unwrap() > 0);
    assert_eq!(function.runtime_status, Fact::Known(RuntimeStatus::Active));
}

#[test]
fn config_space_as_it_may_be() {
    for (bytes, want) in [
        (vec![0xff; 4096], Why::AllOnes),
        (vec![0xff; 64], Why::AllOnes),
        (vec![], Why::Truncated),
        (vec![0; 10], Why::Truncated),
    ] {
        let (_dir, tree) = card();
        replace(&tree, "config", &bytes);
        let function = function(&tree, Depth::Whole);
        assert_eq!(function.config, Fact::Unknown(want));
        assert_eq!(function.revision, Fact::Known(0xa1));
    }
}

#[test]
fn what_another_user_sees() {
    let (_dir, tree) = card();
    let config = fs::read(tree.path().join(PLACE).join("config")).unwrap();
    replace(&tree, "config", &config[..64]);
    let function = function(&tree, Depth::Whole);
    assert_eq!(function.config.known().unwrap().len, 64);
    assert_eq!(function.capabilities(), Fact::Unknown(Why::Truncated));
}

#[test]
fn refused_missing_and_odd_files_are_different_facts() {
    let (_dir, tree) = card();
    for name in ["numa_node", "irq", "resource"] {
        remove(&tree, name);
    }
    // How a replay shows a refused read.
    tree.link(&format!("{PLACE}/resource"), "resource");
    replace(&tree, "irq", b"many\n");
    replace(&tree, "d3cold_allowed", b"\xff\xff");
    let function = function(&tree, Depth::Whole);
    assert_eq!(function.numa_node, Fact::Unknown(Why::NotProvided));
    assert_eq!(function.irq, Fact::Unknown(Why::Malformed("many".to_owned())));
    assert_eq!(function.bars, Fact::Unknown(Why::NotPermitted));
    assert!(matches!(function.d3cold_allowed, Fact::Unknown(Why::Malformed(_))));
}

#[test]
fn functions_that_are_gone() {
    let (_dir, tree) = card();
    tree.link("sys/bus/pci/devices/0000:00:03.0", "../../../devices/pci0000:00/0000:00:03.0");
    tree.link("sys/bus/pci/devices/not-an-address", "../../../devices/pci0000:00/0000:00:02.0");
    let snapshot = observe(&Root::new(tree.path()), Depth::Listing);
    assert_eq!(snapshot.vanished, ["0000:00:03.0".parse::<Bdf>().unwrap()]);
    assert_eq!(snapshot.functions.len(), 1);
    let odd = snapshot.gaps.iter().find(|gap| gap.path.ends_with("not-an-address")).unwrap();
    assert_eq!(odd.why, Why::Malformed("not-an-address".to_owned()));
}

#[test]
fn a_folder_with_nothing_in_it() {
    let (_dir, tree) = card();
    fs::create_dir_all(tree.path().join("sys/devices/pci0000:00/0000:00:04.0")).unwrap();
    tree.link("sys/bus/pci/devices/0000:00:04.0", "../../../devices/pci0000:00/0000:00:04.0");
    let snapshot = observe(&Root::new(tree.path()), Depth::Whole);
    let empty = snapshot.get("0000:00:04.0".parse().unwrap()).unwrap();
    assert_eq!(empty.ids_text(), "????:????");
    assert_eq!(empty.config, Fact::Unknown(Why::NotProvided));
    assert_eq!(empty.group, Fact::Known(None));
}

#[test]
fn no_iommu_asks_no_function() {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::new(dir.path());
    tree.add(&Device::endpoint(AT, (0x10de, 0x2204), 0x03_0000));
    fs::create_dir_all(tree.path().join("sys/kernel/iommu_groups")).unwrap();
    let snapshot = observe(&Root::new(tree.path()), Depth::Listing);
    assert!(!snapshot.machine.iommu.known().unwrap().on);
    assert_eq!(snapshot.get(AT.parse().unwrap()).unwrap().group, Fact::Known(None));
}

const FILES: &[&str] = &[
    "boot_vga",
    "class",
    "config",
    "d3cold_allowed",
    "device",
    "driver_override",
    "irq",
    "modalias",
    "numa_node",
    "power/control",
    "power/runtime_status",
    "reset_method",
    "resource",
    "revision",
    "sriov_totalvfs",
    "subsystem_device",
    "vendor",
];

/// Tables outside of the function's folder.
const TABLES: &[&str] = &[
    "proc/1/cgroup",
    "proc/1/mountinfo",
    "proc/1/stat",
    "proc/driver/nvidia/gpus/0000:00:02.0/information",
    "proc/iomem",
    "proc/meminfo",
    "proc/net/fib_trie",
    "proc/net/if_inet6",
    "proc/net/ipv6_route",
    "proc/net/route",
    "proc/swaps",
    "sys/class/iommu/dmar0/intel-iommu/cap",
    "sys/kernel/iommu_groups/1/reserved_regions",
    "sys/kernel/iommu_groups/1/type",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_content_anywhere(
        files in proptest::collection::vec((prop::sample::select(FILES), any::<Vec<u8>>()), 0..8),
        tables in proptest::collection::vec((prop::sample::select(TABLES), any::<Vec<u8>>()), 0..6),
        removed in prop::sample::select(FILES),
    ) {
        let (_dir, tree) = card();
        let _ = fs::remove_file(tree.path().join(PLACE).join(removed));
        files.iter().for_each(|(name, content)| replace(&tree, name, content));
        for (path, content) in &tables {
            tree.file(path, content);
        }
        tree.link("proc/1/fd/3", "/dev/nvidia0");
        for depth in [Depth::Listing, Depth::Whole] {
            let snapshot = observe(&Root::new(tree.path()), depth);
            prop_assert_eq!(snapshot.functions.len(), 1);
            prop_assert_eq!(snapshot.vanished.len(), 0);
        }
    }
}

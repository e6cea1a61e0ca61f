//! Memory for guests: pools of hugepages and nodes, as the kernel shows them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;

use host::memory::{free_hugepages, free_on_node, hugepage_sizes, usual_hugepage};
use host::paths::Root;
use model::{Fact, Why};
use tempfile::TempDir;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Pools of 2 MiB pages (512 MiB on node 0, 2 GiB on node 1, of which 256 MiB
/// are promised) and of 1 GiB pages (two, which do not say what is promised).
fn pools() -> (TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in [
        ("proc/meminfo", "MemAvailable: 12582912 kB\nHugepagesize: 2048 kB\n"),
        ("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "1280\n"),
        ("sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "128\n"),
        ("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "2\n"),
        ("sys/kernel/mm/hugepages/hugepages-64kB/free_hugepages", "many\n"),
        ("sys/kernel/mm/hugepages/alas", ""),
        ("sys/devices/system/node/node0/meminfo", "Node 0 MemFree: 6291456 kB\n"),
        ("sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages", "256\n"),
        ("sys/devices/system/node/node1/meminfo", "Node 1 MemTotal: 8388608 kB\n"),
        ("sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages", "1280\n"),
    ] {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let root = Root::new(dir.path());
    (dir, root)
}

#[test]
fn pools_and_what_is_free_in_them() {
    let (_dir, root) = pools();
    assert_eq!(usual_hugepage(&root), Fact::Known(2 * MIB));
    let mut sizes = hugepage_sizes(&root).known().unwrap().clone();
    sizes.sort_unstable();
    assert_eq!(sizes, [64 << 10, 2 * MIB, GIB]);
    for (size, node, want) in [
        // What is promised to others is not free, wherever it will be taken.
        (2 * MIB, None, Fact::Known(2304 * MIB)),
        (2 * MIB, Some(0), Fact::Known(512 * MIB)),
        (2 * MIB, Some(1), Fact::Known(2304 * MIB)),
        (2 * MIB, Some(7), Fact::Unknown(Why::NotProvided)),
        (GIB, None, Fact::Known(2 * GIB)),
        (GIB, Some(0), Fact::Unknown(Why::NotProvided)),
        (64 << 10, None, Fact::Unknown(Why::Malformed("many".to_owned()))),
        (4 * MIB, None, Fact::Unknown(Why::NotProvided)),
    ] {
        assert_eq!(free_hugepages(&root, size, node), want, "{size} {node:?}");
    }
}

#[test]
fn memory_of_nodes() {
    let (_dir, root) = pools();
    assert_eq!(free_on_node(&root, 0), Fact::Known(6 * GIB));
    assert_eq!(free_on_node(&root, 1), Fact::Unknown(Why::NotProvided));
    assert_eq!(free_on_node(&root, 7), Fact::Unknown(Why::NotProvided));
}

#[test]
fn nothing_is_known_of_an_empty_tree() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    assert_eq!(usual_hugepage(&root), Fact::Unknown(Why::NotProvided));
    assert_eq!(hugepage_sizes(&root), Fact::Unknown(Why::NotProvided));
    assert_eq!(free_hugepages(&root, 2 * MIB, None), Fact::Unknown(Why::NotProvided));
}

use std::fs;

use fakehost::FakeHost;
use host::observe::{Depth, observe};
use tempfile::TempDir;

use super::*;
use crate::instances::Files;
use crate::store::InstanceState;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A machine with two nodes of 8 GiB; 2 MiB pages: 512 MiB on node 0, 2 GiB
/// on node 1, of which 256 MiB are promised to others; 1 GiB pages: one on
/// node 1.
fn two_nodes() -> (TempDir, Root) {
    let dir = tempfile::tempdir().unwrap();
    let put = |path: &str, text: &str| {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("proc/meminfo", "MemAvailable: 12582912 kB\nHugepagesize: 2048 kB\n");
    put("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "1280\n");
    put("sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "128\n");
    put("sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
    put("sys/kernel/mm/hugepages/alas", "");
    for (node, free, small, large) in [(0, 6 * GIB, 256, 0), (1, 3 * GIB, 1024, 1)] {
        let folder = format!("sys/devices/system/node/node{node}");
        put(&format!("{folder}/meminfo"), &format!("Node {node} MemFree: {} kB\n", free >> 10));
        put(&format!("{folder}/hugepages/hugepages-2048kB/free_hugepages"), &format!("{small}\n"));
        put(
            &format!("{folder}/hugepages/hugepages-1048576kB/free_hugepages"),
            &format!("{large}\n"),
        );
    }
    let root = Root::new(dir.path());
    (dir, root)
}

fn near(node: u32) -> Option<Numa> {
    Some(Numa { node, strict: false })
}

#[test]
fn pages_are_taken_when_the_pool_holds_the_whole_guest() {
    let (_dir, root) = two_nodes();
    let mut request = RunRequest::new("g1".parse().unwrap());
    let mut chosen = |memory, how, numa| {
        (request.memory, request.hugepages) = (memory, how);
        hugepages(&root, &request, numa)
    };
    for (memory, numa, want) in [
        (GIB, near(1), Some(GIB)),
        (GIB, near(0), None),
        (512 * MIB, near(0), Some(2 * MIB)),
        (513 * MIB, near(1), None),
        (2 * GIB, near(1), Some(2 * MIB)),
        (2 * GIB, None, Some(2 * MIB)),
        (2 * GIB + 256 * MIB, None, Some(2 * MIB)),
        // What is promised to others is not free.
        (2 * GIB + 258 * MIB, None, None),
        (GIB, near(7), None),
        (0, None, None),
    ] {
        assert_eq!(chosen(memory, Hugepages::Auto, numa), want, "{memory} {numa:?}");
    }
    assert_eq!(chosen(GIB, Hugepages::Off, near(1)), None);
    assert_eq!(chosen(64 * GIB, Hugepages::On, None), Some(2 * MIB));
    assert_eq!(chosen(64 * GIB, Hugepages::Size(GIB), None), Some(GIB));
    let nothing = tempfile::tempdir().unwrap();
    let nothing = Root::new(nothing.path());
    request.hugepages = Hugepages::Auto;
    assert_eq!(hugepages(&nothing, &request, None), None);
}

#[test]
fn what_is_free_is_counted_where_the_memory_must_lie() {
    let (_dir, root) = two_nodes();
    let snapshot = observe(&root, Depth::Listing);
    let at = Observed { root: &root, snapshot: &snapshot };
    let mut spec = GuestSpec::new("g1", "", Machine::named("q35").unwrap(), 4 * GIB);
    let mut of = |numa, hugepages| {
        (spec.memory.numa, spec.memory.hugepages) = (numa, hugepages);
        let host = host_memory(at, &spec);
        assert_eq!(host.lock_limit, None, "this machine's limits say nothing about another");
        (host.available, host.free_hugepages, host.near)
    };
    let bound = Some(Numa { node: 1, strict: true });
    assert_eq!(of(None, None), (Some(12 * GIB), None, None));
    assert_eq!(of(near(1), None), (Some(12 * GIB), None, Some(3 * GIB)));
    assert_eq!(of(bound, None), (Some(3 * GIB), None, Some(3 * GIB)));
    let all = 2 * GIB + 256 * MIB;
    assert_eq!(of(near(1), Some(2 * MIB)), (Some(12 * GIB), Some(all), Some(2 * GIB)));
    assert_eq!(of(bound, Some(2 * MIB)), (Some(3 * GIB), Some(2 * GIB), Some(2 * GIB)));
}

/// An instance of 4 GiB, as its row says, with these functions.
fn instance(spec: &str, devices: &[&str]) -> Instance {
    Instance {
        name: "g1".parse().unwrap(),
        state: InstanceState::Running,
        process: None,
        supervisor: None,
        devices: devices.iter().map(|bdf| bdf.parse().unwrap()).collect(),
        spec: serde_json::from_str(spec).unwrap(),
        exit_status: None,
        error: None,
        made_at: 0,
        changed_at: 0,
        files: Files::new("/nowhere".into()),
    }
}

#[test]
fn a_guest_with_a_virtual_iommu_has_one_when_it_is_given_more() {
    let host = FakeHost::new().nvme("0000:01:00.0").nvme("0000:02:00.0");
    let root = Root::new(host.root());
    let snapshot = observe(&root, Depth::Listing);
    let at = Observed { root: &root, snapshot: &snapshot };
    let more = host_devices(&snapshot, &["0000:02:00.0".parse().unwrap()]);
    for (row, want) in [
        (r#"{"memory": 4294967296}"#, 5 * GIB),
        (r#"{"memory": 4294967296, "machine": "q35", "viommu": false}"#, 5 * GIB),
        (r#"{"memory": 4294967296, "machine": "q35", "viommu": true}"#, 9 * GIB),
        // POWER's own IOMMU is no virtual one.
        (r#"{"memory": 4294967296, "machine": "pseries", "viommu": false}"#, 5 * GIB),
    ] {
        let spec = with_devices(at, &instance(row, &["0000:01:00.0"]), &more).unwrap();
        assert_eq!(memory::locked(&spec), want, "{row}");
    }
}

//! Processes that hold devices, and who they are.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use host::observe::{Depth, observe};
use host::paths::Root;
use model::usage::Holder;
use model::{Fact, Snapshot, Why};
use support::tree::{Device, Tree};

const CARD: &str = "0000:65:00.0";
const AUDIO: &str = "0000:65:00.1";
const DRIVE: &str = "0000:66:00.0";

/// A graphics card with its sound, in one group, and a drive in another.
fn machine() -> (tempfile::TempDir, Tree) {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::new(dir.path());
    for (bdf, class, group) in
        [(CARD, 0x03_0000, 30), (AUDIO, 0x04_0300, 30), (DRIVE, 0x01_0802, 31)]
    {
        let mut device = Device::endpoint(bdf, (0x10de, 0x2204), class);
        device.group = Some(group);
        tree.add(&device);
    }
    process(&tree, 1, "/usr/lib/systemd/systemd", "/init.scope", &[]);
    (dir, tree)
}

fn process(tree: &Tree, pid: u32, program: &str, cgroup: &str, open: &[&str]) {
    let stat = format!("{pid} (a) b) S 1 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 {}00 0 0\n", pid);
    tree.file(&format!("proc/{pid}/stat"), stat);
    tree.file(&format!("proc/{pid}/comm"), "a) b\n");
    tree.file(&format!("proc/{pid}/cgroup"), format!("0::{cgroup}\n"));
    if !program.is_empty() {
        tree.link(&format!("proc/{pid}/exe"), program);
    }
    std::fs::create_dir_all(tree.path().join(format!("proc/{pid}/fd"))).unwrap();
    for (fd, node) in open.iter().enumerate() {
        tree.link(&format!("proc/{pid}/fd/{fd}"), node);
    }
}

fn class(tree: &Tree, class: &str, below: &str, name: &str) {
    tree.link(&format!("sys/class/{class}/{name}"), &format!("../../devices/{below}/{name}"));
}

fn seen(tree: &Tree) -> Snapshot {
    observe(&Root::new(tree.path()), Depth::Whole)
}

#[track_caller]
fn holders(snapshot: &Snapshot, bdf: &str) -> Vec<String> {
    let function = snapshot.get(bdf.parse().unwrap()).unwrap();
    let holders = function.holders.known().unwrap();
    holders.iter().map(Holder::to_string).collect()
}

#[test]
fn a_cards_own_nodes() {
    let (_dir, tree) = machine();
    tree.file(&format!("proc/driver/nvidia/gpus/{CARD}/information"), "Device Minor: \t 2\n");
    class(&tree, "drm", "pci0000:65/0000:65:00.0/drm", "renderD128");
    class(&tree, "sound", "pci0000:65/0000:65:00.1/sound/card1", "controlC1");
    let persistenced = "/system.slice/nvidia-persistenced.service";
    process(
        &tree,
        700,
        "/usr/bin/nvidia-persistenced",
        persistenced,
        &["/dev/nvidia2", "/dev/nvidia2"],
    );
    process(
        &tree,
        701,
        "/usr/bin/nvidia-smi",
        "/user.slice/user-0.slice/session-1.scope",
        &["/dev/nvidiactl", "/dev/nvidia0"],
    );
    process(
        &tree,
        702,
        "/usr/bin/python3.11 (deleted)",
        "/",
        &["/dev/dri/renderD128", "/dev/null"],
    );
    process(&tree, 703, "", "/", &["/dev/snd/controlC1 (deleted)"]);
    let snapshot = seen(&tree);
    assert_eq!(
        holders(&snapshot, CARD),
        [
            "nvidia-persistenced (pid 700) has /dev/nvidia2 open, unit nvidia-persistenced.service",
            "python3.11 (pid 702) has /dev/dri/renderD128 open",
        ]
    );
    assert_eq!(holders(&snapshot, AUDIO), ["a) b (pid 703) has /dev/snd/controlC1 open"]);
    let function = snapshot.get(CARD.parse().unwrap()).unwrap();
    assert_eq!(function.holders.known().unwrap()[0].start_time, 70_000);
}

#[test]
fn who_has_a_group_has_all_its_functions() {
    let (_dir, tree) = machine();
    class(&tree, "vfio-dev", "pci0000:66/0000:66:00.0/vfio-dev", "vfio3");
    let guest = ["/dev/vfio/30", "/dev/vfio/vfio", "/dev/vfio/devices/vfio3"];
    process(&tree, 900, "/usr/bin/qemu-system-x86_64", "/machine.slice/vm.scope", &guest);
    let snapshot = seen(&tree);
    for function in [CARD, AUDIO] {
        let want = "qemu-system-x86_64 (pid 900) has /dev/vfio/30 open, unit vm.scope";
        assert_eq!(holders(&snapshot, function), [want]);
    }
    let want = "qemu-system-x86_64 (pid 900) has /dev/vfio/devices/vfio3 open, unit vm.scope";
    assert_eq!(holders(&snapshot, DRIVE), [want]);
}

#[test]
fn nodes_by_class_number_and_stack() {
    let (_dir, tree) = machine();
    class(&tree, "nvme", "pci0000:66/0000:66:00.0/nvme", "nvme0");
    class(&tree, "accel", "pci0000:65/0000:65:00.0/accel", "accel0");
    class(&tree, "block", "pci0000:66/0000:66:00.0/nvme/nvme0", "nvme0n1");
    class(&tree, "block", "virtual/block", "dm-0");
    tree.file("sys/devices/virtual/block/dm-0/slaves/nvme0n1", "");
    let properties = "simd_count 416\nlocation_id 25856\ndomain 0\n";
    tree.file("sys/class/kfd/kfd/topology/nodes/1/properties", properties);
    for (pid, node) in [
        (11, "/dev/nvme0"),
        (12, "/dev/nvme0n1"),
        (13, "/dev/dm-0"),
        (14, "/dev/accel/accel0"),
        (15, "/dev/kfd"),
        (16, "socket:[12]"),
    ] {
        process(&tree, pid, "/bin/dd", "/", &[node]);
    }
    let snapshot = seen(&tree);
    let pids = |bdf: &str| -> Vec<u32> {
        let function = snapshot.get(bdf.parse().unwrap()).unwrap();
        function.holders.known().unwrap().iter().map(|holder| holder.pid).collect()
    };
    assert_eq!((pids(DRIVE), pids(CARD), pids(AUDIO)), (vec![11, 12, 13], vec![14, 15], vec![]));
}

#[test]
fn whoever_cannot_see_all_never_says_nobody() {
    // Another user's files, and no look at processes at all.
    let (_dir, tree) = machine();
    tree.file("proc/800/stat", "").link("proc/800/fd", "fd");
    let unknown = |tree: &Tree| seen(tree).get(CARD.parse().unwrap()).unwrap().holders.clone();
    assert_eq!(unknown(&tree), Fact::Unknown(Why::NotPermitted));
    let (_dir, tree) = machine();
    std::fs::remove_dir_all(tree.path().join("proc/1")).unwrap();
    process(&tree, 900, "/bin/dd", "/", &[]);
    assert_eq!(unknown(&tree), Fact::Unknown(Why::NotProvided));
    let (_dir, tree) = machine();
    tree.link("proc/self/ns/pid", "pid:[4026532999]");
    assert!(matches!(unknown(&tree), Fact::Unknown(Why::Failed(_))));
    let (_dir, tree) = machine();
    tree.link("proc/self/ns/pid", "pid:[4026531836]");
    assert_eq!(unknown(&tree), Fact::Known(vec![]));
}

#[test]
fn a_process_that_calls_itself_no_text_hides_nobody() {
    let (_dir, tree) = machine();
    tree.file(&format!("proc/driver/nvidia/gpus/{CARD}/information"), "Device Minor: \t 0\n");
    process(&tree, 704, "", "/", &["/dev/nvidia0"]);
    let stat =
        [b"704 (".as_slice(), b"\xff\xfe", b") S 1 1 1 0 -1 4 0 0 0 0 0 0 0 0 20 0 1 0 7 0 0\n"];
    std::fs::write(tree.path().join("proc/704/stat"), stat.concat()).unwrap();
    std::fs::write(tree.path().join("proc/704/comm"), b"\xff\xfe\n").unwrap();
    let held = holders(&seen(&tree), CARD);
    assert_eq!(held, ["\u{fffd}\u{fffd} (pid 704) has /dev/nvidia0 open"]);
}

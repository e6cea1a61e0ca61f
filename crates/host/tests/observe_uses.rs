//! What the host does with its devices, through every kind of stack.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use host::observe::{Depth, observe};
use host::paths::Root;
use model::Snapshot;
use model::usage::Use;
use support::tree::{Tree, unused as machine};

fn seen(tree: &Tree) -> Snapshot {
    observe(&Root::new(tree.path()), Depth::Listing)
}

/// The uses of a function, a line each.
#[track_caller]
fn uses(snapshot: &Snapshot, bdf: &str) -> Vec<String> {
    let function = snapshot.get(bdf.parse().unwrap()).unwrap();
    function.uses.iter().map(Use::to_string).collect()
}

/// A block device with its number.
fn block(tree: &Tree, below: &str, name: &str, number: &str) -> String {
    let place = tree.device("block", below, name);
    tree.file(&format!("{place}/dev"), format!("{number}\n"));
    place
}

const DISK: (&str, u32) = ("0000:01:00.0", 0x01_0802);
const OTHER: (&str, u32) = ("0000:02:00.0", 0x01_0802);
const NVME0: &str = "pci0000:01/0000:01:00.0/nvme/nvme0";
const NVME1: &str = "pci0000:02/0000:02:00.0/nvme/nvme1";

#[test]
fn partitions_and_swap() {
    let (_dir, tree) = machine(&[DISK, OTHER]);
    block(&tree, NVME0, "nvme0n1", "259:0");
    block(&tree, &format!("{NVME0}/nvme0n1"), "nvme0n1p1", "259:1");
    block(&tree, &format!("{NVME0}/nvme0n1"), "nvme0n1p2", "259:2");
    tree.file(
        "proc/1/mountinfo",
        "27 1 259:1 / / rw - ext4 /dev/root rw\n28 27 0:5 / /dev rw - devtmpfs devtmpfs rw\n",
    );
    let swaps = "Filename Type Size\n/dev/nvme0n1p2 partition 1\n/var/swap\\040file file 1\n";
    tree.file("proc/swaps", swaps);
    let snapshot = seen(&tree);
    assert_eq!(
        uses(&snapshot, DISK.0),
        ["nvme0n1p1 is mounted at /", "nvme0n1p1 is swap", "nvme0n1p2 is swap"]
    );
    assert_eq!(uses(&snapshot, OTHER.0), Vec::<String>::new());
    assert_eq!(snapshot.gaps, []);
}

#[test]
fn a_loop_device_over_a_whole_drive() {
    let (_dir, tree) = machine(&[DISK]);
    block(&tree, NVME0, "nvme0n1", "259:0");
    let place = block(&tree, "virtual/block", "loop0", "7:0");
    tree.file(&format!("{place}/loop/backing_file"), "/dev/nvme0n1\n");
    tree.file("proc/1/mountinfo", "27 1 7:0 / /srv rw - ext4 /dev/loop0 rw\n");
    let want = ["loop0 is mounted at /srv", "nvme0n1 is part of loop0"];
    assert_eq!(uses(&seen(&tree), DISK.0), want);
}

#[test]
fn a_drive_that_a_container_has_mounted() {
    let (_dir, tree) = machine(&[DISK, OTHER]);
    block(&tree, NVME0, "nvme0n1", "259:0");
    block(&tree, NVME1, "nvme1n1", "259:1");
    let root = "27 1 259:1 / / rw - ext4 /dev/root rw\n";
    tree.file("proc/1/mountinfo", root).link("proc/1/ns/mnt", "mnt:[1]");
    tree.file("proc/self/ns/uts", "").link("proc/self/ns/mnt", "mnt:[1]");
    // As long as a container's: more than a page before the mount that matters.
    let others: String = (0..90)
        .map(|n| format!("{n} 27 0:{n} / /sys/fs/cgroup/{n} rw - cgroup cgroup{n} rw\n"))
        .collect();
    for (pid, space) in [("700", "mnt:[2]"), ("701", "mnt:[2]"), ("9", "mnt:[1]")] {
        let own = format!("{root}{others}30 27 259:0 / /var/data rw - ext4 /dev/nvme0n1 rw\n");
        tree.file(&format!("proc/{pid}/mountinfo"), own);
        tree.link(&format!("proc/{pid}/ns/mnt"), space);
    }
    // Its own program is in a namespace of its own, which is no other's.
    tree.link("proc/800/ns/mnt", "mnt:[3]").link("proc/800/root", "/");
    tree.file("proc/800/mountinfo", format!("{root}31 27 259:1 / /again rw - ext4 /dev/root rw\n"));
    let snapshot = seen(&tree);
    let [found] = &uses(&snapshot, DISK.0)[..] else { panic!("{:?}", uses(&snapshot, DISK.0)) };
    assert!(found.starts_with("nvme0n1 is mounted at /var/data of process 70"), "{found}");
    assert_eq!(uses(&snapshot, OTHER.0), ["nvme1n1 is mounted at /"]);
}

#[test]
fn a_volume_on_a_mirror_of_two_drives() {
    let (_dir, tree) = machine(&[DISK, OTHER]);
    block(&tree, NVME0, "nvme0n1", "259:0");
    block(&tree, NVME1, "nvme1n1", "259:1");
    let md = block(&tree, "virtual/block", "md127", "9:127");
    let part = block(&tree, "virtual/block/md127", "md127p1", "259:5");
    let dm = block(&tree, "virtual/block", "dm-0", "253:0");
    tree.file(&format!("{md}/slaves/nvme0n1"), "").file(&format!("{md}/slaves/nvme1n1"), "");
    tree.file(&format!("{part}/partition"), "1\n");
    tree.file(&format!("{dm}/slaves/md127p1"), "").file(&format!("{dm}/dm/name"), "vg-root\n");
    tree.file("proc/1/mountinfo", "27 1 253:0 / / rw - xfs /dev/mapper/vg-root rw\n");
    let snapshot = seen(&tree);
    for (disk, own) in [(DISK.0, "nvme0n1"), (OTHER.0, "nvme1n1")] {
        let want = [
            "dm-0 (vg-root) is mounted at /".to_owned(),
            "md127p1 is part of dm-0 (vg-root)".to_owned(),
            format!("{own} is part of md127"),
        ];
        assert_eq!(uses(&snapshot, disk), want);
    }
}

#[test]
fn an_nvme_namespace_that_two_controllers_lead_to() {
    let (_dir, tree) = machine(&[DISK, OTHER]);
    let subsystem = "virtual/nvme-subsystem/nvme-subsys0";
    block(&tree, subsystem, "nvme0n1", "259:0");
    block(&tree, &format!("{subsystem}/nvme0n1"), "nvme0n1p1", "259:1");
    tree.link("sys/class/nvme-subsystem/nvme-subsys0", &format!("../../devices/{subsystem}"));
    for (name, place) in [("nvme0", NVME0), ("nvme1", NVME1)] {
        tree.link(&format!("sys/devices/{subsystem}/{name}"), &format!("../../../{place}"));
    }
    tree.file("proc/1/mountinfo", "27 1 259:1 / / rw - ext4 /dev/nvme0n1p1 rw\n");
    let snapshot = seen(&tree);
    for disk in [DISK, OTHER] {
        assert_eq!(uses(&snapshot, disk.0), ["nvme0n1p1 is mounted at /"]);
    }
}

#[test]
fn file_systems_of_several_devices() {
    let (_dir, tree) = machine(&[DISK, OTHER]);
    for (place, disk, number) in [(NVME0, "nvme0n1", "259:0"), (NVME1, "nvme1n1", "259:1")] {
        block(&tree, place, disk, number);
        let pool = "E:ID_FS_TYPE=zfs_member\nE:ID_FS_LABEL=tank\n";
        tree.file(&format!("run/udev/data/b{number}"), pool);
        tree.file(&format!("sys/fs/btrfs/6b37-uuid/devices/{disk}"), "");
    }
    tree.file("sys/fs/btrfs/features/zoned", "1\n");
    for (mount, at) in [
        ("0:38 /@ / rw - btrfs /dev/nvme0n1 rw", "/"),
        ("0:40 / /tank rw - zfs tank/home rw", "/tank"),
        ("0:41 / /bc rw - bcachefs /dev/nvme0n1:/dev/nvme1n1 rw", "/bc"),
    ] {
        tree.file("proc/1/mountinfo", format!("27 1 {mount}\n"));
        let snapshot = seen(&tree);
        assert_eq!(uses(&snapshot, DISK.0), [format!("nvme0n1 is mounted at {at}")]);
        assert_eq!(uses(&snapshot, OTHER.0), [format!("nvme1n1 is mounted at {at}")]);
    }
}

#[test]
fn a_block_device_by_a_link_of_udevs() {
    let (_dir, tree) = machine(&[DISK]);
    block(&tree, NVME0, "nvme0n1", "259:0");
    tree.link("dev/disk/by-id/nvme-lab", "../../nvme0n1");
    let line = "27 1 0:38 / /srv rw - btrfs /dev/disk/by-id/nvme-lab rw\n";
    tree.file("proc/1/mountinfo", line);
    assert_eq!(uses(&seen(&tree), DISK.0), ["nvme0n1 is mounted at /srv"]);
}

#[test]
fn a_disk_behind_a_usb_controller() {
    let (_dir, tree) = machine(&[("0000:00:14.0", 0x0c_0330)]);
    let place = "pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block";
    block(&tree, place, "sda", "8:0");
    tree.file("proc/1/mountinfo", "27 1 8:0 / / rw - ext4 /dev/sda rw\n");
    assert_eq!(uses(&seen(&tree), "0000:00:14.0"), ["sda is mounted at /"]);
}

const CARD: (&str, u32) = ("0000:03:00.0", 0x02_0000);

/// An interface of a function (or none), its state, and what is on top of it.
fn interface(tree: &Tree, below: &str, name: &str, state: &str, uppers: &[&str]) {
    let place = tree.device("net", below, name);
    tree.file(&format!("{place}/operstate"), format!("{state}\n"));
    tree.file(&format!("{place}/flags"), "0x1003\n");
    for upper in uppers {
        tree.link(&format!("{place}/upper_{upper}"), &format!("../{upper}"));
    }
}

fn default_route(tree: &Tree, interface: &str) {
    let rows = [
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
        &format!("{interface}\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0"),
        &format!("{interface}\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0"),
    ];
    tree.file("proc/net/route", rows.join("\n"));
    tree.file("proc/net/fib_trie", "Local:\n  |-- 192.0.2.2\n    /32 host LOCAL\n");
}

#[test]
fn an_interface_of_its_own() {
    let (_dir, tree) = machine(&[CARD]);
    interface(&tree, "pci0000:03/0000:03:00.0/virtio2/net", "eth0", "up", &[]);
    interface(&tree, "virtual/net", "lo", "unknown", &[]);
    tree.file("sys/class/net/bonding_masters", "\n");
    default_route(&tree, "eth0");
    tree.file("proc/net/if_inet6", "fd000000000000000000000000000002 04 40 00 82     eth0\n");
    assert_eq!(
        uses(&seen(&tree), CARD.0),
        ["network interface eth0, 192.0.2.2/24 fd00::2/64, default route"]
    );
}

#[test]
fn what_a_bridge_on_a_bond_has_counts_below() {
    let (_dir, tree) = machine(&[CARD, ("0000:04:00.0", 0x02_0000), ("0000:05:00.0", 0x02_0000)]);
    interface(&tree, "pci0000:03/0000:03:00.0/net", "eth0", "up", &["bond0"]);
    interface(&tree, "pci0000:04/0000:04:00.0/net", "eth1", "lowerlayerdown", &["bond0"]);
    interface(&tree, "pci0000:05/0000:05:00.0/net", "eth2", "unknown", &[]);
    interface(&tree, "virtual/net", "bond0", "up", &["bond0.7"]);
    interface(&tree, "virtual/net", "bond0.7", "up", &["br0"]);
    interface(&tree, "virtual/net", "br0", "up", &[]);
    default_route(&tree, "br0");
    let snapshot = seen(&tree);
    let want = ["network interface eth0, 192.0.2.2/24, default route, carries bond0 bond0.7 br0"];
    assert_eq!(uses(&snapshot, CARD.0), want);
    let want =
        ["network interface eth1, down, 192.0.2.2/24, default route, carries bond0 bond0.7 br0"];
    assert_eq!(uses(&snapshot, "0000:04:00.0"), want);
    assert_eq!(uses(&snapshot, "0000:05:00.0"), ["network interface eth2"]);
}

#[test]
fn an_open_vswitch_has_its_addresses_beside_it() {
    let (_dir, tree) = machine(&[CARD]);
    interface(&tree, "pci0000:03/0000:03:00.0/net", "eth0", "up", &["ovs-system"]);
    interface(&tree, "virtual/net", "ovs-system", "down", &[]);
    interface(&tree, "virtual/net", "ovsbr0", "unknown", &[]);
    default_route(&tree, "ovsbr0");
    let want = ["network interface eth0, 192.0.2.2/24, default route, carries ovs-system ovsbr0"];
    assert_eq!(uses(&seen(&tree), CARD.0), want);
}

/// A virtio device of a driver, as the bus shows it.
fn virtio(tree: &Tree, driver: &str, name: &str, below: &str) -> String {
    let device = format!("sys/devices/{below}/{name}");
    tree.file(&format!("{device}/status"), "0x0000000f\n");
    tree.link(
        &format!("sys/bus/virtio/drivers/{driver}/{name}"),
        &format!("../../../../devices/{below}/{name}"),
    );
    device
}

const SHARE: (&str, u32) = ("0000:03:00.0", 0x01_8000);
const SHARES: &str = "20 1 0:30 / / rw - virtiofs myroot rw\n\
                      21 20 0:31 / /lab ro - 9p lab ro,trans=virtio\n\
                      22 20 0:32 / /mnt rw - 9p 10.0.0.1 rw,trans=tcp\n";

#[test]
fn shares_of_a_hypervisor() {
    let (_dir, tree) = machine(&[DISK, OTHER, SHARE]);
    tree.file("proc/1/mountinfo", SHARES);
    virtio(&tree, "virtiofs", "virtio0", "pci0000:01/0000:01:00.0");
    let nine = virtio(&tree, "9pnet_virtio", "virtio1", "pci0000:02/0000:02:00.0");
    tree.file(&format!("{nine}/mount_tag"), "lab\n");
    // Before the kernel told the tags, a lone device is the one.
    let snapshot = seen(&tree);
    assert_eq!(uses(&snapshot, DISK.0), ["the share myroot is mounted at /"]);
    assert_eq!(uses(&snapshot, OTHER.0), ["the share lab is mounted at /lab"]);
    // Of two, either may be.
    virtio(&tree, "virtiofs", "virtio2", "pci0000:03/0000:03:00.0");
    let snapshot = seen(&tree);
    for bdf in [DISK.0, SHARE.0] {
        assert_eq!(uses(&snapshot, bdf), Vec::<String>::new());
        assert_eq!(snapshot.get(bdf.parse().unwrap()).unwrap().unseen.len(), 1);
    }
    for (number, tag, below) in [
        (0, "other", "pci0000:01/0000:01:00.0/virtio0"),
        (1, "myroot", "pci0000:03/0000:03:00.0/virtio2"),
    ] {
        tree.file(&format!("sys/fs/virtiofs/{number}/tag"), format!("{tag}\n"));
        let device = format!("../../../devices/{below}");
        tree.link(&format!("sys/fs/virtiofs/{number}/device"), &device);
    }
    let snapshot = seen(&tree);
    assert_eq!(uses(&snapshot, DISK.0), Vec::<String>::new());
    assert_eq!(uses(&snapshot, SHARE.0), ["the share myroot is mounted at /"]);
}

//! What the host does with its devices, where that cannot be read: unknown,
//! for those that it would have told of, and for no others.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use host::observe::{Depth, observe};
use host::paths::Root;
use model::usage::{Unseen, UseKind};
use model::{Snapshot, Why};
use support::tree::{Device, Tree, unused as machine};

const DISK: (&str, u32) = ("0000:01:00.0", 0x01_0802);
const OTHER: (&str, u32) = ("0000:02:00.0", 0x01_0802);
const CARD: (&str, u32) = ("0000:03:00.0", 0x02_0000);
const SCREEN: (&str, u32) = ("0000:65:00.0", 0x03_0000);

fn seen(tree: &Tree) -> Snapshot {
    observe(&Root::new(tree.path()), Depth::Listing)
}

/// The kinds of use that could not be looked for, with the path's end.
#[track_caller]
fn unseen(snapshot: &Snapshot, bdf: &str) -> Vec<(UseKind, String, Why)> {
    let function = snapshot.get(bdf.parse().unwrap()).unwrap();
    let end = |path: &str| path.rsplit_once("/proc/").map_or(path, |(_, end)| end).to_owned();
    let told = |it: &Unseen| (it.kind, end(&it.path), it.why.clone());
    function.unseen.iter().map(told).collect()
}

/// A disk, a network card and a screen in use.
fn desk() -> (tempfile::TempDir, Tree) {
    let (dir, tree) = machine(&[DISK, OTHER, CARD, SCREEN]);
    let disk = tree.device("block", "pci0000:01/0000:01:00.0/nvme/nvme0", "nvme0n1");
    tree.file(&format!("{disk}/dev"), "259:0\n");
    tree.file("proc/1/mountinfo", "27 1 259:0 / / rw - ext4 /dev/nvme0n1 rw\n");
    let card = tree.device("net", "pci0000:03/0000:03:00.0/net", "eth0");
    tree.file(&format!("{card}/operstate"), "up\n");
    (dir, tree)
}

/// No file, or one that refuses as a replay shows it: a link to itself.
fn take_away(tree: &Tree, path: &str, why: &Why) {
    let _ = std::fs::remove_file(tree.path().join(path));
    if *why == Why::NotPermitted {
        tree.link(path, path.rsplit('/').next().unwrap());
    }
}

#[test]
fn what_cannot_be_read_is_unknown_for_those_that_it_would_tell_of() {
    let all = [DISK.0, OTHER.0, CARD.0, SCREEN.0];
    for (path, kind, concerned) in [
        ("proc/1/mountinfo", UseKind::Disk, DISK.0),
        ("proc/net/route", UseKind::Network, CARD.0),
        ("proc/net/fib_trie", UseKind::Network, CARD.0),
        ("proc/iomem", UseKind::Screen, SCREEN.0),
    ] {
        for why in [Why::NotPermitted, Why::NotProvided] {
            let (_dir, tree) = desk();
            take_away(&tree, path, &why);
            let snapshot = seen(&tree);
            let want = (kind, path.strip_prefix("proc/").unwrap().to_owned(), why.clone());
            for bdf in all {
                let want = if bdf == concerned { vec![want.clone()] } else { Vec::new() };
                assert_eq!(unseen(&snapshot, bdf), want, "{bdf} without {path}");
            }
            assert_eq!(snapshot.gaps.len(), 1, "{:?}", snapshot.gaps);
        }
    }
}

#[test]
fn what_a_kernel_may_be_built_without_is_known() {
    let (_dir, tree) = desk();
    assert_eq!(seen(&tree).gaps, []);
    take_away(&tree, "proc/swaps", &Why::NotProvided);
    assert_eq!(seen(&tree).gaps, []);
    take_away(&tree, "proc/swaps", &Why::NotPermitted);
    let want = (UseKind::Disk, "swaps".to_owned(), Why::NotPermitted);
    assert_eq!(unseen(&seen(&tree), DISK.0), [want]);
}

#[test]
fn addresses_that_are_hidden_are_not_permitted() {
    let (_dir, tree) = desk();
    tree.file("proc/iomem", "00000000-00000000 : System RAM\n");
    let want = (UseKind::Screen, "iomem".to_owned(), Why::NotPermitted);
    assert_eq!(unseen(&seen(&tree), SCREEN.0), [want]);
}

#[test]
fn the_first_reason_that_says_something_is_told() {
    for (first, second, want) in [
        (Why::NotPermitted, Why::NotProvided, ("1/mountinfo", Why::NotPermitted)),
        (Why::NotProvided, Why::NotPermitted, ("self/mountinfo", Why::NotPermitted)),
        (Why::NotProvided, Why::NotProvided, ("1/mountinfo", Why::NotProvided)),
    ] {
        let (_dir, tree) = desk();
        take_away(&tree, "proc/1/mountinfo", &first);
        take_away(&tree, "proc/self/mountinfo", &second);
        let (path, why) = want;
        assert_eq!(unseen(&seen(&tree), DISK.0), [(UseKind::Disk, path.to_owned(), why)]);
    }
}

#[test]
fn a_mount_that_lies_nowhere_may_lie_anywhere() {
    for mount in [
        "259:7 / / rw - ext4 /dev/root rw",
        "0:38 / / rw - zfs rpool/root rw",
        "0:38 / / rw - btrfs /dev/root rw",
    ] {
        let (_dir, tree) = desk();
        tree.file("proc/1/mountinfo", format!("27 1 {mount}\n"));
        let snapshot = seen(&tree);
        let found = unseen(&snapshot, DISK.0);
        assert!(matches!(&found[..], [(UseKind::Disk, _, Why::Failed(_))]), "{mount}: {found:?}");
        assert_eq!(unseen(&snapshot, OTHER.0), [], "it has no block device");
    }
    // What has no device is on none.
    let (_dir, tree) = desk();
    tree.file("proc/1/mountinfo", "28 27 0:5 / /dev rw - devtmpfs devtmpfs rw\n");
    assert_eq!(unseen(&seen(&tree), DISK.0), []);
}

#[test]
fn without_their_class_devices_of_a_driver_are_in_doubt() {
    let (_dir, tree) = machine(&[]);
    for (bdf, class, driver) in [
        ("0000:01:00.0", 0x01_0802, Some("nvme")),
        ("0000:02:00.0", 0x01_0802, Some("vfio-pci")),
        ("0000:03:00.0", 0x02_0000, Some("e1000e")),
        ("0000:04:00.0", 0x02_0000, None),
    ] {
        let device = Device::endpoint(bdf, (0x1b36, 0x0010), class);
        tree.add(&Device { driver, ..device });
    }
    let snapshot = seen(&tree);
    let kinds = |bdf| unseen(&snapshot, bdf).into_iter().map(|(kind, ..)| kind).collect::<Vec<_>>();
    assert_eq!(kinds("0000:01:00.0"), [UseKind::Disk]);
    assert_eq!(kinds("0000:02:00.0"), []);
    assert_eq!(kinds("0000:03:00.0"), [UseKind::Network]);
    assert_eq!(kinds("0000:04:00.0"), []);
}

#[test]
fn a_container_sees_its_own() {
    let failed = |what| Why::Failed(format!("the host's {what} are out of this container's sight"));
    let why = |snapshot: &Snapshot, bdf| unseen(snapshot, bdf).pop().map(|(.., why)| why);
    let machine = || {
        let (dir, tree) = desk();
        let other = Device::endpoint("0000:04:00.0", (0x1b36, 0x0010), 0x02_0000);
        tree.add(&Device { driver: Some("e1000e"), ..other });
        tree.link("proc/self/ns/pid", "pid:[4026531836]");
        (dir, tree)
    };
    let (_dir, tree) = machine();
    let snapshot = seen(&tree);
    assert_eq!([DISK.0, CARD.0].map(|bdf| why(&snapshot, bdf)), [None, None]);
    let given = why(&snapshot, "0000:04:00.0").unwrap().to_string();
    assert!(given.contains("another network namespace may have it"), "{given}");
    // A network of its own: the host's cards have no interface in it.
    tree.link("proc/1/ns/net", "net:[4026531840]").link("proc/self/ns/net", "net:[4026532999]");
    let snapshot = seen(&tree);
    assert_eq!(why(&snapshot, DISK.0), None);
    assert_eq!(why(&snapshot, "0000:04:00.0"), Some(failed("interfaces")));
    // Processes of its own: so are the first one's mounts.
    let (_dir, tree) = desk();
    tree.link("proc/self/ns/pid", "pid:[4026532999]");
    let snapshot = seen(&tree);
    assert_eq!(why(&snapshot, DISK.0), Some(failed("mounts")));
    assert_eq!(why(&snapshot, CARD.0), Some(failed("interfaces")));
}

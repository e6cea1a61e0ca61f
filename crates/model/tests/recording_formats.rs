//! The two text formats of a recording: tables, round trips, garbage.

mod fuzz;

use model::parse::recording::{self, Problem};
use model::parse::sidecar::{self, Content, Sidecar};
use model::parse::umockdev::{self, Attribute, Device, Node};
use proptest::prelude::*;

/// What umockdev-record 0.17.16 printed for a virtio device, shortened.
const RECORDED: &str = "\
P: /devices/pci0000:00/0000:00:01.0
E: DRIVER=virtio-pci
E: PCI_SLOT_NAME=0000:00:01.0
E: SUBSYSTEM=pci
A: class=0xffff00\\n
H: config=F41A4510060410000100FFFF00000000
L: driver=../../../bus/pci/drivers/virtio-pci
A: driver_override=(null)\\n
A: power/control=on\\n
A: resource=0x0000004000000000 0x000000400007ffff 0x0000000000140204\\n0x0 0x0 0x0\\n

P: /devices/pci0000:00/0000:00:02.0/virtio1/block/vda
N: vda
S: disk/by-path/pci-0000:00:02.0
E: DEVNAME=/dev/vda
E: SUBSYSTEM=block
A: dev=254:0\\n

";

#[test]
fn what_umockdev_record_prints_is_read() {
    let devices = umockdev::parse(RECORDED).unwrap();
    let [pci, disk] = &devices[..] else { panic!("{devices:#?}") };
    assert_eq!((pci.name(), pci.subsystem.as_str()), ("0000:00:01.0", "pci"));
    assert_eq!(pci.text("driver_override"), Some("(null)\n"));
    assert_eq!(pci.link("driver"), Some("../../../bus/pci/drivers/virtio-pci"));
    assert_eq!(pci.text("resource").unwrap().lines().count(), 2);
    let Attribute::File(config) = &pci.attributes["config"] else { panic!() };
    assert_eq!(config[..4], [0xf4, 0x1a, 0x45, 0x10]);
    assert_eq!(disk.node, Some(Node { name: "vda".into(), content: vec![] }));
    assert_eq!(disk.node_links, ["disk/by-path/pci-0000:00:02.0"]);
    assert_eq!(disk.properties, [("DEVNAME".to_owned(), "/dev/vda".to_owned())]);
}

#[test]
fn windows_line_ends_are_read() {
    let crlf = RECORDED.replace('\n', "\r\n");
    assert_eq!(umockdev::parse(&crlf), umockdev::parse(RECORDED));
}

#[test]
fn malformed_devices_are_refused_with_their_line() {
    let pci = "P: /devices/a\nE: SUBSYSTEM=pci\n";
    for (text, line, says) in [
        ("# remark\n", 1, "must start with a line `P: /devices/…`"),
        ("A: vendor=1\n", 1, "must start with a line `P: /devices/…`"),
        ("P: /class/a\nE: SUBSYSTEM=pci\n", 1, "not a device path"),
        ("P: /devices/../etc\nE: SUBSYSTEM=pci\n", 1, "`.` or `..`"),
        ("P: /devices/a//b\nE: SUBSYSTEM=pci\n", 1, "empty part"),
        ("P: /devices/a\n", 1, "no `E: SUBSYSTEM=`"),
        ("P: /devices/a\nA: x=1\n\nP: /devices/b\n", 1, "no `E: SUBSYSTEM=`"),
        (&format!("{pci}P: /devices/b\n"), 3, "a second `P:` line"),
        (&format!("{pci}\n\n{pci}"), 5, "described twice"),
        (&format!("{pci}E: SUBSYSTEM=usb\n"), 3, "two `E: SUBSYSTEM=`"),
        ("P: /devices/a\nE: SUBSYSTEM=../..\n", 2, "`.` or `..`"),
        ("P: /devices/a\nE: SUBSYSTEM=a/b\n", 2, "no single name"),
        (&format!("{pci}A: vendor\n"), 3, "has no `=`"),
        (&format!("{pci}A: ../x=1\n"), 3, "`.` or `..`"),
        (&format!("{pci}A: /etc/passwd=1\n"), 3, "empty part"),
        (&format!("{pci}H: config=00f\n"), 3, "digit 3"),
        (&format!("{pci}H: config=00fg\n"), 3, "digit 4"),
        (&format!("{pci}L: driver=/etc\n"), 3, "is absolute"),
        (&format!("{pci}L: driver=../../../../etc\n"), 3, "leads out"),
        (&format!("{pci}L: driver=\n"), 3, "is empty"),
        (&format!("{pci}L: x=a\nL: x=b\n"), 4, "described twice"),
        (&format!("{pci}N: ../x\n"), 3, "`.` or `..`"),
        (&format!("{pci}N: x\nN: y\n"), 4, "described twice"),
        (&format!("{pci}nonsense\n"), 3, "no line of this format"),
        (&format!("{pci}Z: a=b\n"), 3, "no line of this format"),
        (&format!("P: /devices/{}\n", "a/".repeat(70)), 1, "too many parts"),
        (&format!("P: /devices/{}\n", "a".repeat(300)), 1, "too long"),
    ] {
        let error = umockdev::parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn a_link_may_reach_every_place_of_the_root() {
    for (at, target, fits) in [
        ("/sys/devices/a/driver", "../../bus/pci/drivers/x", true),
        ("/sys/devices/a/driver", "../../../etc", true),
        ("/sys/devices/a/driver", "../../../../etc", false),
        ("/sys/devices/a/driver", "b/../../../../../etc", false),
        ("/sys/devices/a/driver", "./b", true),
        ("/x", "..", false),
        ("/x", "x", true),
        ("/x/y", "..", true),
    ] {
        assert_eq!(recording::check_link(at, target).is_ok(), fits, "{at} -> {target}");
    }
}

const SIDECAR: &str = "\
passthru-sidecar 1
# a remark
T: /proc/swaps
 Filename\tType
 /dev/dm-1 partition

A: /proc/cmdline=quiet iommu=pt\\n
H: /sys/firmware/acpi/tables/DMAR=444D4152FF00
L: /sys/class/iommu/dmar0=../../devices/virtual/iommu/dmar0
D: /sys/module/vfio_pci
!: /proc/iomem=EACCES
!: /proc/vmcore=77
";

#[test]
fn a_sidecar_is_read() {
    let sidecar = sidecar::parse(SIDECAR).unwrap();
    let file = |text: &str| Content::File(text.into());
    for (path, want) in [
        ("/proc/swaps", file("Filename\tType\n/dev/dm-1 partition\n")),
        ("/proc/cmdline", file("quiet iommu=pt\n")),
        ("/sys/firmware/acpi/tables/DMAR", Content::File(b"DMAR\xff\0".to_vec())),
        ("/sys/class/iommu/dmar0", Content::Link("../../devices/virtual/iommu/dmar0".to_owned())),
        ("/sys/module/vfio_pci", Content::Folder),
        ("/proc/iomem", Content::Refused(13)),
        ("/proc/vmcore", Content::Refused(77)),
    ] {
        assert_eq!(sidecar.get(path), Some(&want), "{path}");
    }
    assert_eq!(sidecar.len(), 7);
    assert_eq!(sidecar::parse(&sidecar::print(&sidecar)), Ok(sidecar));
}

#[test]
fn malformed_sidecars_are_refused_with_their_line() {
    for (text, line, says) in [
        ("", 1, "the first line must be"),
        ("passthru-sidecar 2\n", 1, "the first line must be"),
        ("passthru-sidecar 1\n text\n", 2, "belongs to no `T:` line"),
        ("passthru-sidecar 1\nA: /x=1\n text\n", 3, "belongs to no `T:` line"),
        ("passthru-sidecar 1\nT: x\n", 2, "not absolute"),
        ("passthru-sidecar 1\nT: /x/../y\n", 2, "`.` or `..`"),
        ("passthru-sidecar 1\nD: /\n", 2, "empty part"),
        ("passthru-sidecar 1\nA: /x\n", 2, "has no `=`"),
        ("passthru-sidecar 1\nD: /x=y\n", 2, "holds a `=`"),
        ("passthru-sidecar 1\nH: /x=0\n", 2, "digit 1"),
        ("passthru-sidecar 1\nL: /x=/etc\n", 2, "is absolute"),
        ("passthru-sidecar 1\nL: /x/y=../../..\n", 2, "leads out"),
        ("passthru-sidecar 1\n!: /x=EWHAT\n", 2, "not the name of an error"),
        ("passthru-sidecar 1\n!: /x=-1\n", 2, "not the name of an error"),
        ("passthru-sidecar 1\nD: /x\nD: /x\n", 3, "described twice"),
        ("passthru-sidecar 1\nQ: /x\n", 2, "no line of this format"),
    ] {
        let error = sidecar::parse(text).unwrap_err();
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.to_string().contains(says), "{text}: {error}");
    }
}

#[test]
fn links_of_processes_may_be_absolute() {
    let text = "passthru-sidecar 1\nL: /proc/7/fd/3=/dev/nvidia0\nL: /proc/7/exe=/usr/bin/x\n";
    let sidecar = sidecar::parse(text).unwrap();
    assert_eq!(sidecar["/proc/7/fd/3"], Content::Link("/dev/nvidia0".to_owned()));
    for at in ["/proc/7/root", "/proc/self/exe", "/proc/7/fd/3/x", "/proc/7/fdx", "/sys/7/exe"] {
        let text = format!("passthru-sidecar 1\nL: {at}=/dev/nvidia0\n");
        let error = sidecar::parse(&text).unwrap_err();
        assert!(matches!(error.problem, Problem::Link { .. }), "{at}: {error}");
    }
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9:._-]{0,6}[a-z0-9]"
}

fn attribute() -> impl Strategy<Value = Attribute> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Attribute::File),
        "[ -~\\n\\t\\\\\"äß]{0,40}".prop_map(|text| Attribute::File(text.into_bytes())),
        name().prop_map(Attribute::Link),
    ]
}

fn device() -> impl Strategy<Value = Device> {
    let attributes = proptest::collection::btree_map(name(), attribute(), 0..6);
    let properties = proptest::collection::vec(("[A-Z_]{1,9}x", "[ -~]{0,20}"), 0..3);
    let node = proptest::option::of((name(), proptest::collection::vec(any::<u8>(), 0..9)));
    (name(), name(), attributes, properties, node).prop_map(|(path, subsystem, a, p, n)| Device {
        path: format!("/devices/{path}"),
        subsystem,
        node: n.map(|(name, content)| Node { name, content }),
        node_links: Vec::new(),
        properties: p,
        attributes: a,
    })
}

fn content() -> impl Strategy<Value = Content> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Content::File),
        "([ -~\\t]{0,9}\\n){0,4}".prop_map(|text| Content::File(text.into_bytes())),
        name().prop_map(Content::Link),
        Just(Content::Folder),
        (1..200).prop_map(Content::Refused),
    ]
}

proptest! {
    #![proptest_config(fuzz::seconds())]

    #[test]
    fn devices_round_trip(devices in proptest::collection::vec(device(), 0..4)) {
        let mut seen = std::collections::BTreeSet::new();
        let devices: Vec<Device> =
            devices.into_iter().filter(|device| seen.insert(device.path.clone())).collect();
        let text = umockdev::print(&devices);
        prop_assert_eq!(umockdev::parse(&text), Ok(devices), "{}", text);
    }

    #[test]
    fn sidecars_round_trip(entries in proptest::collection::btree_map("/[a-z]{1,4}/[a-z]{1,4}", content(), 0..6)) {
        let sidecar: Sidecar = entries;
        let text = sidecar::print(&sidecar);
        prop_assert_eq!(sidecar::parse(&text), Ok(sidecar), "{}", text);
    }

    #[test]
    fn bytes_round_trip_as_escaped_text(bytes: Vec<u8>) {
        let mut text = String::new();
        recording::escape(&bytes, &mut text);
        prop_assert!(text.is_ascii() && !text.contains('\n'));
        prop_assert_eq!(recording::unescape(&text), bytes);
    }

    #[test]
    fn garbage_is_read_or_refused(text in "(([PENSAHLZ]|!|T|D): ?[a-z/.=0-9\\\\]{0,12}\n| x\n|\n){0,8}") {
        if let Ok(devices) = umockdev::parse(&text) {
            prop_assert_eq!(umockdev::parse(&umockdev::print(&devices)), Ok(devices));
        }
        let text = format!("{}\n{text}", sidecar::VERSION);
        if let Ok(sidecar) = sidecar::parse(&text) {
            prop_assert_eq!(sidecar::parse(&sidecar::print(&sidecar)), Ok(sidecar));
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,60}", tail: Vec<u8>) {
        let _ = umockdev::parse(&text);
        let _ = sidecar::parse(&text);
        let tail = String::from_utf8_lossy(&tail);
        let _ = umockdev::parse(&format!("P: /devices/a\nE: SUBSYSTEM=x\nA: {tail}"));
        let _ = sidecar::parse(&format!("{}\n{tail}", sidecar::VERSION));
    }

    #[test]
    fn no_accepted_path_leaves_the_root(path in "[a-z./]{0,24}", target in "[a-z./]{0,24}") {
        if recording::check_absolute(&format!("/{path}")).is_ok() {
            let whole = format!("/{path}/");
            prop_assert!(!whole.contains("/../"), "{}", whole);
        }
        if recording::check_link("/a/b/c", &target).is_ok() {
            let mut at = vec!["a", "b"];
            for part in target.split('/') {
                match part {
                    ".." => prop_assert!(at.pop().is_some()),
                    "" | "." => {}
                    part => at.push(part),
                }
            }
        }
    }
}

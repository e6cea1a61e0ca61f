//! Cards of several functions, switches, conventional bridges, NUMA nodes and large memory ranges.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;
use std::time::Duration;

use support::{Host, Scenario};

const CARD: [&str; 3] = ["0000:01:00.0", "0000:01:00.1", "0000:01:00.2"];
const NVME: &str = "0000:41:00.0";
const LARGE: &str = "0000:08:00.0";

const SCENARIOS: &[Scenario] = &[
    ("the_lab_is_as_described", the_lab_is_as_described),
    ("a_card_moves_whole", a_card_moves_whole),
    ("behind_a_switch", behind_a_switch),
    ("behind_a_conventional_bridge", behind_a_conventional_bridge),
    ("the_node_is_told", the_node_is_told),
    ("a_card_and_a_large_range_in_a_guest", a_card_and_a_large_range_in_a_guest),
    ("a_card_behind_the_guests_iommu", a_card_behind_the_guests_iommu),
    ("a_record_replays_the_same", support::a_record_replays_the_same),
];

fn main() -> ExitCode {
    support::main("shapes", SCENARIOS)
}

fn the_lab_is_as_described(host: &Host) {
    assert_eq!(host.group(CARD[0]), CARD.join(" "));
    assert_eq!(host.driver(CARD[2]), "xhci_hcd");
    for (address, port) in [("0000:04:00.0", "0000:03:00.0"), ("0000:05:00.0", "0000:03:01.0")] {
        assert_eq!(host.group(address), format!("{port} {address}"));
    }
    let behind_bridge = host.group("0000:07:01.0");
    assert!(behind_bridge.contains("0000:07:02.0"), "{behind_bridge}");
    assert_eq!(host.sh(&format!("cat /sys/bus/pci/devices/{NVME}/numa_node")), "1");
    let size = format!(
        "read -r start end _ < <(sed -n 3p /sys/bus/pci/devices/{LARGE}/resource); echo $((end - start + 1))"
    );
    assert_eq!(host.sh(&size), (1u64 << 30).to_string());
}

fn drivers(host: &Host) -> [String; 3] {
    CARD.map(|address| host.driver(address))
}

fn a_card_moves_whole(host: &Host) {
    let before = drivers(host);
    for address in CARD {
        assert_eq!(host.verdict(address).0, "in_company", "{address}");
    }
    // Whichever function is named, all of them go; and they come back together.
    for address in CARD {
        host.ok(&format!("bind {address}"));
        assert_eq!(drivers(host), ["vfio-pci"; 3]);
        host.ok(&format!("release {}", CARD[1]));
        assert_eq!(drivers(host), before);
    }
}

/// The port in the group is a bridge: it stays, and hinders nobody.
fn behind_a_switch(host: &Host) {
    assert_eq!(host.verdict("0000:04:00.0").0, "assignable");
    host.ok("bind 04:00.0 05:00.0");
    assert_eq!(host.driver("0000:03:00.0"), "pcieport");
    assert_eq!(host.driver("0000:04:00.0"), "vfio-pci");
    host.ok("release 04:00.0 05:00.0");
    host.refuses("bridge", "bind 03:00.0");
    let chain = host.listed("0000:04:00.0")["upstream"].clone();
    assert_eq!(chain[0], "0000:03:00.0", "{chain}");
    assert_eq!(chain.as_array().unwrap().len(), 3, "port, switch, root port: {chain}");
}

fn behind_a_conventional_bridge(host: &Host) {
    let (_, reasons) = host.verdict("0000:07:01.0");
    assert!(reasons.contains(&"conventional_pci".to_owned()), "{reasons:?}");
    let before = (host.driver("0000:07:01.0"), host.driver("0000:07:02.0"));
    host.ok("bind 07:01.0");
    assert_eq!(host.driver("0000:07:02.0"), "vfio-pci", "all behind the bridge go together");
    host.ok("release 07:01.0");
    assert_eq!((host.driver("0000:07:01.0"), host.driver("0000:07:02.0")), before);
}

fn the_node_is_told(host: &Host) {
    let show = host.json(&format!("show {NVME}"));
    assert_eq!(show["numa_node"], 1, "{show}");
}

const BOOT: &str = "--memory 384M --kernel /lab/guest/vmlinuz --initrd /lab/guest/initrd.img \
                    --append 'console=ttyS0 quiet intel_iommu=on'";

/// All that a guest says until it is up.
#[track_caller]
fn ready(host: &Host) -> String {
    let ready = "passthru instance logs one | grep -q '^guest: ready'";
    host.wait_for(ready, Duration::from_secs(240)).unwrap_or_else(|error| panic!("{error}"));
    host.ok("instance logs one")
}

/// Where a guest has a device.
#[track_caller]
fn place(logs: &str, ids: &str) -> String {
    let line = logs.lines().find(|line| line.starts_with("guest: pci") && line.contains(ids));
    let line = line.unwrap_or_else(|| panic!("no {ids} in {logs}"));
    line.split_whitespace().nth(2).unwrap().to_owned()
}

/// Three functions of one group must share an address space, which the guest's IOMMU gives to each function of its
/// own: on a conventional bus they are one requester.
fn a_card_behind_the_guests_iommu(host: &Host) {
    let before = drivers(host);
    host.ok(&format!("run one {BOOT} --viommu on --device {}", CARD.join(" --device ")));
    let logs = ready(host);
    let bridge = place(&logs, "1b36:000e");
    let card = ["1234:1111", "8086:293e", "1b36:000d"].map(|ids| place(&logs, ids));
    for (number, place) in card.iter().enumerate() {
        assert!(place.ends_with(&format!(":01.{number}")) && place[..7] != bridge[..7], "{card:?}");
    }
    host.ok("instance stop one");
    assert_eq!(drivers(host), before);
    host.ok("instance delete one");
}

fn a_card_and_a_large_range_in_a_guest(host: &Host) {
    let before = drivers(host);
    host.ok(&format!(
        "run one {BOOT} --device {} --device {LARGE} --device {NVME}",
        CARD.join(" --device ")
    ));
    // A member of its group is the same device to everybody else.
    for address in CARD {
        host.refuses("assigned", &format!("run two {BOOT} --device {address}"));
    }
    let logs = ready(host);
    // The functions keep their numbers and share a slot, as their drivers expect.
    let card = ["1234:1111", "8086:293e", "1b36:000d"].map(|ids| place(&logs, ids));
    for (number, place) in card.iter().enumerate() {
        assert_eq!(place[..11], card[0][..11], "{card:?}");
        assert!(place.ends_with(&format!(".{number}")), "{card:?}");
    }
    // A range that the guest found no room for would be told by its kernel.
    place(&logs, "1af4:1110");
    assert!(!logs.contains("can't assign") && !logs.contains("no space"), "{logs}");
    host.ok("instance stop one");
    assert_eq!(drivers(host), before);
    assert_eq!(host.driver(NVME), "nvme");
    host.ok("instance delete one");
}

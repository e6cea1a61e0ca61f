//! A host that lives on its devices: the root disk and the only way in are not given away.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;

use support::{Host, Scenario};

const ROOT: &str = "0000:01:00.0";
const NETWORK: &str = "0000:02:00.0";
const FREE: &str = "0000:03:00.0";

const SCENARIOS: &[Scenario] = &[
    ("the_lab_is_as_described", the_lab_is_as_described),
    ("the_root_disk_stays", the_root_disk_stays),
    ("the_only_network_stays", the_only_network_stays),
    ("what_is_free_goes", what_is_free_goes),
    ("a_second_way_out", a_second_way_out),
    ("a_record_replays_the_same", support::a_record_replays_the_same),
];

fn main() -> ExitCode {
    support::main("critical", SCENARIOS)
}

fn the_lab_is_as_described(host: &Host) {
    // With multipath, Debian's default, the disk hangs below its subsystem and links to its controllers.
    let disk = host.sh("readlink -f /sys/block/$(basename $(findmnt -no SOURCE /))/device/nvme*");
    assert!(disk.contains("/0000:01:00.0/nvme"), "{disk}");
    let route = host.sh("ip route show default");
    assert!(route.contains("via 10.0.2.2 dev eth0"), "{route}");
    assert_eq!(host.driver(NETWORK), "e1000e");
}

#[track_caller]
fn is_refused(host: &Host, device: &str, code: &str, driver: &str) {
    let (kind, reasons) = host.verdict(device);
    assert_eq!((kind.as_str(), reasons[0].as_str()), ("not", code));
    host.refuses(code, &format!("bind {device}"));
    host.refuses(code, &format!("run one --device {device} --kernel /lab/guest/vmlinuz"));
    // Together with another it is refused just the same, and the other one stays, too.
    host.refuses(code, &format!("bind {FREE} {device}"));
    assert_eq!((host.driver(device).as_str(), host.driver(FREE).as_str()), (driver, "nvme"));
    // One name does not open another door.
    let other = if code == "root_disk" { "only_network" } else { "root_disk" };
    host.refuses(code, &format!("bind {device} --override {other}"));
    let plan = host.ok(&format!("bind {device} --override {code} --dry-run"));
    assert!(plan.contains(&format!("unbind {device} from {driver}")), "{plan}");
    assert_eq!(host.driver(device), driver);
}

fn the_root_disk_stays(host: &Host) {
    is_refused(host, ROOT, "root_disk", "nvme");
}

fn the_only_network_stays(host: &Host) {
    is_refused(host, NETWORK, "only_network", "e1000e");
}

fn what_is_free_goes(host: &Host) {
    assert_eq!(host.verdict(FREE).0, "assignable");
    host.ok(&format!("bind {FREE}"));
    assert_eq!(host.driver(FREE), "vfio-pci");
    assert_eq!(host.driver(ROOT), "nvme", "the same driver, another device");
    host.ok(&format!("release {FREE}"));
}

/// With another interface that leads out, the card may go; it still is worth a word.
fn a_second_way_out(host: &Host) {
    host.sh("ip link add way type dummy; ip link set way up; ip addr add 192.0.2.1/24 dev way; ip route add default via 192.0.2.254 dev way metric 900");
    let (_, reasons) = host.verdict(NETWORK);
    host.sh("ip link del way");
    // A dummy is no way out of the machine: it has no hardware.
    assert_eq!(reasons[0], "only_network", "{reasons:?}");
}

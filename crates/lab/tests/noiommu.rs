//! A machine without an IOMMU: it is told about, and nothing is changed. It is the smallest, so what the handle of any
//! lab host does is tried on it, too.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use lab::disk;
use serde_json::{Value, json};
use support::{Host, Scenario};

const EDU: &str = "0000:01:00.0";
const NVME: &str = "0000:02:00.0";

const SCENARIOS: &[Scenario] = &[
    ("the_reason_is_told", the_reason_is_told),
    ("nothing_is_bound", nothing_is_bound),
    ("a_record_replays_the_same", support::a_record_replays_the_same),
    ("commands_and_files", commands_and_files),
    ("a_device_comes_and_goes", a_device_comes_and_goes),
    ("a_machine_that_was_stopped_goes_on", a_machine_that_was_stopped_goes_on),
];

fn main() -> ExitCode {
    support::main("noiommu", SCENARIOS)
}

fn the_reason_is_told(host: &Host) {
    assert_eq!(host.sh("ls /sys/kernel/iommu_groups | wc -l"), "0");
    for address in [EDU, NVME] {
        assert_eq!(host.listed(address)["group"], serde_json::Value::Null);
        let (kind, reasons) = host.verdict(address);
        assert_eq!((kind.as_str(), reasons[0].as_str()), ("not", "no_iommu"), "{reasons:?}");
    }
    let show = host.ok(&format!("show {NVME}"));
    assert!(show.contains("no_iommu") && show.contains("hint:"), "{show}");
}

fn nothing_is_bound(host: &Host) {
    for address in [EDU, NVME] {
        host.refuses("no_iommu", &format!("bind {address}"));
        host.refuses("no_iommu", &format!("bind {address} --dry-run"));
        let run = format!("run one --device {address} --kernel /lab/guest/vmlinuz");
        host.refuses("no_iommu", &run);
    }
    // No override opens this door.
    let output = host.passthru(&format!("bind {NVME} --override no_iommu"));
    assert_eq!(output.status, 2, "{output:?}");
    assert_eq!(host.driver(NVME), "nvme");
}

fn commands_and_files(host: &Host) {
    let output = host.run("echo out; echo err >&2; exit 7").unwrap();
    assert_eq!(
        (output.status, output.stdout.as_str(), output.stderr.as_str()),
        (7, "out\n", "err\n")
    );

    let late = host.run_within("echo before; sleep 100", b"", Duration::from_secs(1)).unwrap();
    assert!(late.timed_out && late.stdout == "before\n", "{late:?}");

    let start = Instant::now();
    host.sh("sleep 60 & echo left behind");
    assert!(start.elapsed() < Duration::from_secs(30), "a child left behind holds nothing back");

    let content: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    host.write_file("/root/new/file", &content, 0o600).unwrap();
    assert_eq!(host.read_file("/root/new/file").unwrap(), content);
    assert!(host.read_file("/no/such").unwrap_err().to_string().contains("/no/such"));

    let echoed = host.run_within("cat", b"typed", Duration::from_secs(20)).unwrap();
    assert_eq!(echoed.stdout, "typed");
    let sector = host
        .sh("dd if=/dev/nvme0n1 bs=512 count=1 skip=3 status=none | od -An -v -tx1 | tr -d ' \n'");
    assert_eq!(sector, lab::hex(&disk::sector("data", 3)));
}

fn a_device_comes_and_goes(host: &Host) {
    let there = format!("test -e /sys/bus/pci/devices/{EDU}");
    host.qmp("device_del", &json!({"id": "edu"})).unwrap();
    host.until(&format!("! {there}"));
    host.qmp("device_add", &json!({"driver": "edu", "id": "edu", "bus": "rp1"})).unwrap();
    host.until(&there);
    let refused = host.qmp("device_del", &json!({"id": "nothing"})).unwrap_err();
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert!(source.contains("nothing"), "{refused}: {source}");
}

/// What makes one stand still by itself cannot be ordered; that its silence is noticed can.
fn a_machine_that_was_stopped_goes_on(host: &Host) {
    host.qmp("stop", &Value::Object(Default::default())).unwrap();
    assert_eq!(host.sh("echo here"), "here");
    let log = std::fs::read_to_string(host.logs().join("stall.log")).unwrap();
    assert!(log.starts_with("stands still") && log.contains("paused"), "{log}");
}

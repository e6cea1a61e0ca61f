//! A machine without an IOMMU: it is told about, and nothing is changed.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;

use support::{Host, Scenario};

const EDU: &str = "0000:01:00.0";
const NVME: &str = "0000:02:00.0";

const SCENARIOS: &[Scenario] = &[
    ("the_reason_is_told", the_reason_is_told),
    ("nothing_is_bound", nothing_is_bound),
    ("a_record_replays_the_same", support::a_record_replays_the_same),
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

//! The handle of a lab host does what it says. What each topology's file promises, the scenarios on it look at first.

// A test's helper functions may fail as its test does; clippy excuses only the test itself.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use lab::{Lab, LabHost, disk};
use serde_json::json;

fn start(topology: &str) -> LabHost {
    Lab::start(topology).unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn sh(host: &LabHost, command: &str) -> String {
    host.sh_ok(command).unwrap_or_else(|error| panic!("{error}")).trim().to_owned()
}

#[track_caller]
fn driver(host: &LabHost, address: &str) -> String {
    sh(host, &format!("basename $(readlink /sys/bus/pci/devices/{address}/driver || echo -)"))
}

#[track_caller]
fn group(host: &LabHost, address: &str) -> String {
    sh(host, &format!("ls /sys/bus/pci/devices/{address}/iommu_group/devices | paste -sd ' '"))
}

#[test]
fn basic_has_its_devices_and_the_handle_works() {
    let host = start("basic");
    for (address, name) in
        [("0000:01:00.0", "-"), ("0000:02:00.0", "igb"), ("0000:03:00.0", "nvme")]
    {
        assert_eq!(driver(&host, address), name);
        assert_eq!(group(&host, address), address);
    }
    assert_eq!(group(&host, "0000:00:1f.2"), "0000:00:1f.0 0000:00:1f.2 0000:00:1f.3");
    sh(&host, "test -c /dev/kvm");
    commands_and_files(&host);
    a_device_vanishes(&host);
    a_restart_keeps_the_disks(&host);
    assert_gone(host);
}

fn commands_and_files(host: &LabHost) {
    let output = host.run("echo out; echo err >&2; exit 7").unwrap();
    assert_eq!(
        (output.status, output.stdout.as_str(), output.stderr.as_str()),
        (7, "out\n", "err\n")
    );

    let late = host.run_within("echo before; sleep 100", b"", Duration::from_secs(1)).unwrap();
    assert!(late.timed_out && late.stdout == "before\n", "{late:?}");

    let start = Instant::now();
    sh(host, "sleep 60 & echo left behind");
    assert!(start.elapsed() < Duration::from_secs(30), "a child left behind holds nothing back");

    let content: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    host.write_file("/root/new/file", &content, 0o600).unwrap();
    assert_eq!(host.read_file("/root/new/file").unwrap(), content);
    assert!(host.read_file("/no/such").unwrap_err().to_string().contains("/no/such"));

    let echoed = host.run_within("cat", b"typed", Duration::from_secs(20)).unwrap();
    assert_eq!(echoed.stdout, "typed");
    assert_eq!(sh(host, "head -c 31 /dev/nvme0n1"), "passthru lab disk data sector 0");
}

fn a_device_vanishes(host: &LabHost) {
    let before = sh(
        host,
        "dd if=/dev/nvme0n1 bs=512 count=1 skip=3 status=none | od -An -v -tx1 | tr -d ' \n'",
    );
    assert_eq!(before, lab::hex(&disk::sector("data", 3)));
    host.qmp("device_add", &json!({"driver": "edu", "id": "late", "bus": "rp4"})).unwrap();
    host.wait_for("test -e /sys/bus/pci/devices/0000:04:00.0", Duration::from_secs(30)).unwrap();
    host.qmp("device_del", &json!({"id": "late"})).unwrap();
    host.wait_for("test ! -e /sys/bus/pci/devices/0000:04:00.0", Duration::from_secs(30)).unwrap();
    let refused = host.qmp("device_del", &json!({"id": "nothing"})).unwrap_err();
    let source = std::error::Error::source(&refused).unwrap().to_string();
    assert!(source.contains("nothing"), "{refused}: {source}");
}

fn a_restart_keeps_the_disks(host: &LabHost) {
    sh(host, "echo kept > /root/note; sync");
    host.reboot().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(sh(host, "cat /root/note"), "kept");
    assert_eq!(driver(host, "0000:03:00.0"), "nvme");
}

fn assert_gone(host: LabHost) {
    let (name, logs) = (host.name().to_owned(), host.logs());
    drop(host);
    assert!(lab::running().unwrap().iter().all(|record| record.name != name));
    assert!(logs.join("console.log").exists());
    assert!(!logs.join("data.raw").exists(), "only the logs stay");
}

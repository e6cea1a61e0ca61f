//! POWER9: several PCI domains, each behind a host bridge with an IOMMU of its own, no PC firmware, threads that a
//! hypervisor wants to be off.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::{Command, ExitCode};

use serde_json::{Value, json};
use support::story::Story;
use support::{Host, Scenario, codes};

const NET: &str = "0000:01:00.0";
const NVME: &str = "0001:01:00.0";
const ROOT: &str = "0002:01:00.0";
const BRIDGED: [&str; 2] = ["0005:02:01.0", "0005:02:02.0"];

/// The machine and its compiler take ten minutes to make.
const LONG: &[Scenario] = &[
    ("the_lab_is_as_described", the_lab_is_as_described),
    ("each_domain_is_told", each_domain_is_told),
    ("one_function_is_shown_whole", one_function_is_shown_whole),
    ("what_the_host_needs_stays", what_the_host_needs_stays),
    ("a_disk_goes_and_comes_back", a_disk_goes_and_comes_back),
    ("behind_a_conventional_bridge", behind_a_conventional_bridge),
    ("threads_are_seen_and_switched", threads_are_seen_and_switched),
    ("the_guides_way", the_guides_way),
    ("a_record_replays_the_same", support::a_record_replays_the_same),
    ("a_record_replays_the_same_on_a_pc", a_record_replays_the_same_on_a_pc),
];

fn main() -> ExitCode {
    support::main_and_long("power9", &[], LONG)
}

fn the_lab_is_as_described(host: &Host) {
    assert_eq!(host.sh("uname -m"), "ppc64le");
    assert_eq!(host.sh("ls /sys/class/pci_bus | grep -c :00"), "6", "a domain per host bridge");
    assert_eq!(host.sh("ls /sys/class/iommu | grep -c phb"), "6", "each with its IOMMU");
    for address in [NET, NVME, ROOT] {
        assert_eq!(host.group(address), address);
    }
    assert_eq!(host.group(BRIDGED[0]), BRIDGED.join(" "));
}

fn each_domain_is_told(host: &Host) {
    let list = host.json("list --all");
    for (address, group, kind) in [
        (NET, 0, "assignable"),
        (NVME, 1, "assignable"),
        (ROOT, 2, "not"),
        (BRIDGED[0], 5, "in_company"),
    ] {
        let mut rows = list["functions"].as_array().unwrap().iter();
        let row = rows.find(|row| row["address"] == address).unwrap();
        assert_eq!(
            (&row["group"], &row["verdict"]["kind"]),
            (&json!(group), &json!(kind)),
            "{row}"
        );
    }
    // A short address is one of domain 0, as everywhere.
    assert!(host.ok("show 01:00.0").starts_with(NET));
}

fn one_function_is_shown_whole(host: &Host) {
    let shown = host.ok(&format!("show {NVME}"));
    for line in
        ["behind            0001:00:00.0  root port", "flr, then bus", "IOMMU group       1"]
    {
        assert!(shown.contains(line), "no {line:?} in {shown}");
    }
}

fn what_the_host_needs_stays(host: &Host) {
    host.refuses("root_disk", &format!("bind {ROOT}"));
    host.refuses("bridge", "bind 0001:00:00.0");
    assert_eq!(host.driver(ROOT), "nvme");
}

/// With the driver comes the IOMMU's own part of VFIO: there is no type 1 here.
fn a_disk_goes_and_comes_back(host: &Host) {
    let disk =
        "cat /dev/$(basename /sys/bus/pci/devices/0001:01:00.0/nvme/nvme*/nvme*n1) | sha256sum";
    let before = host.sh(disk);
    host.ok(&format!("bind {NVME}"));
    assert_eq!(host.driver(NVME), "vfio-pci");
    assert_eq!(host.sh("ls /dev/vfio"), "1\nvfio");
    host.sh("test -d /sys/module/vfio_iommu_spapr_tce");
    assert_eq!(host.driver(ROOT), "nvme", "another function of the same driver stays");
    host.ok(&format!("release {NVME}"));
    assert_eq!(host.driver(NVME), "nvme");
    host.until(&format!("{disk} >/dev/null"));
    assert_eq!(host.sh(disk), before);
}

fn behind_a_conventional_bridge(host: &Host) {
    let (kind, reasons) = host.verdict(BRIDGED[1]);
    assert_eq!((kind.as_str(), reasons[0].as_str()), ("in_company", "conventional_pci"));
    let before = BRIDGED.map(|address| host.driver(address));
    host.ok(&format!("bind {}", BRIDGED[0]));
    assert_eq!(BRIDGED.map(|address| host.driver(address)), ["vfio-pci"; 2]);
    host.ok(&format!("release {}", BRIDGED[1]));
    assert_eq!(BRIDGED.map(|address| host.driver(address)), before);
}

/// What the kernel and `ppc64_cpu` say of each other's settings: whoever offers one of the two changes both.
fn threads_are_seen_and_switched(host: &Host) {
    const CONTROL: &str = "/sys/devices/system/cpu/smt/control";
    let seen = || {
        let files = ["smt/control", "smt/active", "online"];
        let cat = files.map(|file| format!("/sys/devices/system/cpu/{file}")).join(" ");
        let words = host.sh(&format!("echo $(cat {cat}) $(ppc64_cpu --smt)"));
        words.replace("SMT is ", "SMT=")
    };
    assert_eq!(seen(), "on 1 0-3 SMT=4");
    for (command, after) in [
        ("ppc64_cpu --smt=off", "off 0 0 SMT=off"),
        ("ppc64_cpu --smt=on", "on 1 0-3 SMT=4"),
        ("echo off >/sys/devices/system/cpu/smt/control", "off 0 0 SMT=off"),
        ("echo 2 >/sys/devices/system/cpu/smt/control", "2 1 0-1 SMT=2"),
        ("echo 1 >/sys/devices/system/cpu/smt/control", "off 0 0 SMT=off"),
        ("echo on >/sys/devices/system/cpu/smt/control", "on 1 0-3 SMT=4"),
    ] {
        host.sh(command);
        assert_eq!(seen(), after, "{command}");
    }
    let refused = host.run(&format!("echo 8 >{CONTROL}")).unwrap();
    assert!(refused.stderr.contains("Invalid argument"), "more than the core has: {refused:?}");
}

/// The POWER guide, step by step: a second entry in the menu that Petitboot reads, and threads off.
fn the_guides_way(host: &Host) {
    const MENU: &[u8] = include_bytes!("../../model/tests/samples/grub/power9-debian13-nvme.cfg");
    host.sh("test -d /sys/firmware/opal; mkdir -p /boot/grub");
    host.write_file("/boot/grub/grub.cfg", MENU, 0o644).unwrap();
    let menu = || host.sh("sha256sum /boot/grub/grub.cfg; cat /sys/devices/system/cpu/smt/control");
    let before = menu();

    let mut story = Story::new(host, "power9#");
    let check = story.typed("passthru check 0000:01:00.0");
    assert!(check.stdout.contains("multithreading"), "{check:?}");
    let shown = story.done("passthru prepare 0000:01:00.0 --once --dry-run");
    assert!(shown.contains("+menuentry 'Debian GNU/Linux - passthru testing'"), "{shown}");
    assert_eq!(menu(), before);
    host.ok("prepare 0000:01:00.0 --once --yes");
    let text = host.sh("cat /boot/grub/grub.cfg");
    assert!(
        text.contains("vfio-pci.disable_idle_d3=1") && text.contains("smt-enabled=off"),
        "{text}"
    );
    host.ok("prepare --undo --yes");
    assert_eq!(menu(), before);

    // Threads are off now, too, where it is for good.
    story.done("passthru prepare --yes");
    assert_eq!(host.sh("cat /sys/devices/system/cpu/smt/control"), "off");
    story.done("passthru bind 0000:01:00.0");
    story.done("passthru release 0000:01:00.0");
    story.done("passthru prepare --undo --yes");
    assert_eq!(menu(), before);
    host.sh("rm -r /boot/grub");
    story.compare("docs/guide/prepare.md");
}

/// The recording of one processor's machine, read by a program for another's.
fn a_record_replays_the_same_on_a_pc(host: &Host) {
    host.ok("record /root/recording.txt");
    let told = host.json("list --all --machine /root/recording.txt");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("power9.txt");
    std::fs::write(&path, host.read_file("/root/recording.txt").unwrap()).unwrap();
    let mut here = Command::new(lab::passthru().unwrap());
    let output = here.args(["--json", "list", "--all", "--machine"]).arg(&path).output().unwrap();
    let replayed: Value = serde_json::from_slice(&output.stdout).unwrap();
    // Names are each machine's own: its pci.ids may be older.
    let rows = |list: &Value| {
        let mut rows = list["functions"].as_array().unwrap().clone();
        for row in &mut rows {
            row["device_name"] = Value::Null;
            row["vendor_name"] = Value::Null;
        }
        rows
    };
    assert_eq!(rows(&told), rows(&replayed));
    assert_eq!(codes(&rows(&replayed)[0]["verdict"]["reasons"]), ["bridge"]);
    host.sh("rm /root/recording.txt");
}

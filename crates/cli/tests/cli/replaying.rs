//! The recordings of `machines/`, by the real program.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::desk::passthru;

fn machines() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines");
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap().path());
    let mut machines: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    machines.sort();
    assert!(machines.len() >= 5, "{machines:?}");
    machines
}

fn json(machine: &Path, args: &[&str]) -> Value {
    let all = [args, &["--json", "--machine", machine.to_str().unwrap()]].concat();
    let said = passthru(&all);
    assert_eq!(said.code, Some(0), "{said}");
    serde_json::from_str(&said.out).unwrap()
}

fn words(list: &Value, of: impl Fn(&Value) -> &Value) -> String {
    let words = list.as_array().unwrap().iter().map(|item| of(item).as_str().unwrap());
    words.collect::<Vec<_>>().join(" ")
}

/// Without names, which the machine that runs the test may have in another version.
#[test]
fn every_machine_can_be_listed() {
    for machine in machines() {
        let list = json(&machine, &["list", "--all"]);
        let mut text = String::new();
        for function in list["functions"].as_array().unwrap() {
            let [address, driver, group] = ["address", "driver", "group"].map(|key| &function[key]);
            let verdict = &function["verdict"];
            let reasons = words(&verdict["reasons"], |reason| &reason["code"]);
            let kind = verdict["kind"].as_str().unwrap();
            writeln!(text, "{address} {driver} {group} {kind}: {reasons}").unwrap();
        }
        let name = machine.file_name().unwrap().to_str().unwrap();
        insta::assert_snapshot!(name, text.replace('"', ""));
    }
}

#[test]
fn devices_of_every_machine_can_be_shown() {
    for machine in machines() {
        let list = json(&machine, &["list"]);
        for function in list["functions"].as_array().unwrap().iter().rev().take(2) {
            let address = function["address"].as_str().unwrap();
            let whole = json(&machine, &["show", address]);
            assert_eq!(whole["address"], function["address"]);
            let page = passthru(&["show", address, "--machine", machine.to_str().unwrap()]);
            assert!(page.out.starts_with(address), "{page}");
        }
    }
}

/// A chipset's function on the root bus is no slot of conventional PCI.
#[test]
fn a_link_that_is_none_says_why() {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines/lab-basic");
    let page = passthru(&["show", "00:1f.0", "--machine", lab.to_str().unwrap()]);
    assert!(page.out.contains("none: on a root bus, without PCI Express"), "{page}");
    assert!(!page.out.contains("conventional"), "{page}");
    let list = json(&lab, &["list", "--all"]);
    let functions = list["functions"].as_array().unwrap().iter();
    let pages = functions.map(|function| {
        passthru(&[
            "show",
            function["address"].as_str().unwrap(),
            "--machine",
            lab.to_str().unwrap(),
        ])
    });
    let acs: Vec<String> = pages
        .flat_map(|page| page.out.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| line.trim_start().starts_with("ACS "))
        .collect();
    assert!(acs.iter().any(|line| line.contains("source validation")), "{acs:?}");
    assert!(acs.iter().all(|line| !line.contains("0x")), "{acs:?}");
}

/// POWER: no driver tells the width, bridges are in no group, and short addresses are of domain 0.
#[test]
fn a_machine_of_many_domains() {
    let lab = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines/lab-power9");
    let machine = ["--machine", lab.to_str().unwrap()];
    let show = |address| passthru(&[&["show", address][..], &machine[..]].concat());
    let page = show("0001:01:00.0");
    assert!(page.out.contains("IOMMU             on, how many address bits"), "{page}");
    assert!(page.out.contains("IOMMU group       1"), "{page}");
    assert!(show("01:00.0").out.starts_with("0000:01:00.0"));
    let bind = passthru(&[&["bind", "--dry-run", "0001:00:00.0"][..], &machine[..]].concat());
    assert_eq!(bind.code, Some(3), "{bind}");
    assert!(bind.err.contains("[bridge]") && !bind.err.contains("no_group"), "{bind}");
}

#[test]
fn a_dry_run_on_a_recording_shows_paths_of_that_machine() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let dir = tempfile::tempdir().unwrap();
    // Longer than the path of a socket may be: where a recording lies here says nothing about the paths there.
    let copy = dir.path().join("a".repeat(120));
    std::fs::create_dir(&copy).unwrap();
    for entry in folder.join("../../machines/lab-basic").read_dir().unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    let (lab, qemu) = (copy.to_str().unwrap(), folder.join("tests/cli/qemu"));
    let args = ["run", "vm1", "--dry-run", "-d", "01:00.0", "--kernel", "Cargo.toml"];
    let said =
        passthru(&[&args[..], &["--program", qemu.to_str().unwrap(), "--machine", lab]].concat());
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.out.contains("sysfsdev=/sys/bus/pci/devices/0000:01:00.0,"), "{said}");
    assert!(said.out.contains("path=/var/lib/passthru/instances/vm1/console.sock,"), "{said}");
    assert!(!said.to_string().contains("passthru-replay"), "{said}");
}

/// A reset of the controller takes the drives behind it away from the host.
#[test]
fn a_controller_whose_drives_are_mounted_is_not_reset() {
    let machine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines/vmd-xeon-nvme");
    let at = ["--machine", machine.to_str().unwrap(), "--json", "--dry-run"];
    for (verb, device) in [("reset", "5d:05.5"), ("bind", "5d:05.5"), ("bind", "10000:01:00.0")] {
        let said = passthru(&[&[verb, device][..], &at].concat());
        assert_eq!(said.code, Some(3), "{said}");
        let error: Value = serde_json::from_str(&said.err).unwrap();
        let reasons = error["details"]["reasons"].as_array().unwrap();
        let mounted = reasons.iter().filter(|reason| reason["code"] == "disk_in_use");
        assert_eq!(mounted.count(), 1, "{verb} {device}: {said}");
    }
}

/// What is told on a terminal is in the JSON, too.
#[test]
fn notes_on_a_guest_are_in_its_json() {
    let machine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines/desktop-rtx2080");
    let kernel = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let args = ["run", "vm1", "--kernel", kernel, "--append", "", "--dry-run", "--json"];
    let said = passthru(&[&args[..], &["--machine", machine.to_str().unwrap()]].concat());
    let plan: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(plan["notes"][0]["code"], "unknown_facts", "{said}");
    let words = plan["command"].as_array().unwrap();
    let append = words.iter().position(|word| word == "-append").unwrap();
    assert_eq!(words[append + 1], "", "nothing was asked for, and nothing is given");
}

/// It was recorded without its processes: nothing waits for them here.
#[test]
fn who_holds_a_recorded_device_is_told_to_be_unknown() {
    let machine = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines/lab-basic");
    let plan = json(&machine, &["bind", "03:00.0", "--dry-run"]);
    let note = &plan["notes"][0];
    assert_eq!(note["code"], "unknown_facts", "{plan}");
    assert!(note["text"].as_str().unwrap().contains("the recording does not say"), "{plan}");
}

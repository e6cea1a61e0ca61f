//! The real QEMU for POWER takes a pseries guest, and plugs a device behind
//! a host bridge of its own. Emulated, stopped before its first instruction.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cases;
mod running;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cases::*;
use hypervisors::machine::{Console, Machine, Network, Numa};
use hypervisors::qemu::ports::{by_slot, free_ports};
use hypervisors::qemu::{hotplug, version};
use hypervisors::{ControlError, GuestSpec, HostDevice, HostFacts, Version};
use running::Running;
use serde_json::{Value, json};

/// Three groups: two devices of one bus behind one host bridge, one with two
/// functions, one with a large register.
fn stopped(dir: &Path) -> GuestSpec {
    let mut spec = tcg(guest(512 * MIB));
    spec.machine = Machine::named("pseries").unwrap();
    spec.devices = vec![
        device(vec![function("0002:01:00.0", 1, vec![bar(0, 16 * GIB, true, true)])]),
        device(vec![function("0003:01:00.0", 2, vec![]), function("0003:01:00.1", 2, vec![])]),
        device(vec![function("0003:01:01.0", 2, vec![])]),
    ];
    spec.spare.count = 2;
    spec.memory.numa = Some(Numa { node: 0, strict: false });
    spec.network = Network::User { mac: "52:54:00:12:34:56".to_owned(), forwards: vec![] };
    spec.console = Some(Console { socket: dir.join("tty"), log: dir.join("log") });
    spec.monitors = vec![dir.join("qmp")];
    spec.extra = vec!["-S".to_owned()];
    spec
}

fn start(spec: &GuestSpec) -> Running {
    Running::start_on(spec, &HostFacts { kvm: false, ..power() })
}

/// What is behind each host bridge that has something behind it.
fn behind(running: &mut Running) -> Vec<Vec<String>> {
    let answer = running.qmp().execute("query-pci", &Value::Null).unwrap();
    let names = |bus: &Value| -> Vec<String> {
        let devices = bus["devices"].as_array().unwrap().iter();
        devices.map(|device| device["qdev_id"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let mut buses: Vec<_> = answer.as_array().unwrap().iter().map(names).collect();
    buses.retain(|names| !names.is_empty());
    buses.sort();
    buses
}

fn free(running: &mut Running) -> Vec<String> {
    free_ports(running.qmp()).unwrap().into_iter().map(|port| port.bus).collect()
}

#[test]
fn its_version_is_understood() {
    let ask = version::ask("qemu-system-ppc64");
    let output = Command::new(&ask.program).args(&ask.args).output();
    let output = output.expect("qemu-system-ppc64 is installed (setup/install)");
    let found = Version::parse(&String::from_utf8(output.stdout).unwrap()).expect("a version");
    assert!(found.refusal().is_none(), "{found}");
}

#[test]
fn each_group_has_a_host_bridge_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = start(&stopped(dir.path()));
    let one = vec!["pci-0002-01-00.0"];
    let other = vec!["pci-0003-01-00.0", "pci-0003-01-00.1", "pci-0003-01-01.0"];
    assert_eq!(behind(&mut running), [vec!["nic0"], one, other.clone()]);
    assert_eq!(free(&mut running), ["phb3.0", "phb4.0"]);
    let ids = other.iter().map(ToString::to_string).collect::<Vec<_>>();
    let slots = by_slot(running.qmp(), &ids).unwrap();
    assert_eq!(slots, [&other[..2], &other[2..]]);
    assert!(dir.path().join("tty").exists());
    assert_eq!(running.qmp().query_status().unwrap(), "prelaunch");
    running.qmp().quit().unwrap();
    assert_eq!(running.end(), "", "QEMU complained");
}

#[test]
fn a_device_is_plugged_behind_a_free_host_bridge_and_out_again() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = start(&stopped(dir.path()));
    // Function 1 first, as `attach` does it.
    for (number, id) in [(1, "two"), (0, "one")] {
        let properties = json!({
            "driver": "virtio-rng-pci", "id": id, "bus": "phb3.0",
            "addr": format!("0x0.{number:#x}"), "multifunction": number == 0,
        });
        running.qmp().device_add(&properties).unwrap();
    }
    assert!(behind(&mut running).contains(&vec!["one".to_owned(), "two".to_owned()]));
    assert_eq!(free(&mut running), ["phb4.0"]);
    // Nobody in the guest has seen it yet: it goes without being asked for.
    let ids = ["one".to_owned(), "two".to_owned()];
    hotplug::unplug(running.qmp(), "the card", &ids, &Duration::from_secs(60).into()).unwrap();
    assert_eq!(free(&mut running), ["phb3.0", "phb4.0"]);
}

#[test]
fn a_group_that_would_come_behind_two_host_bridges_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let spec = stopped(dir.path());
    let mut running = start(&spec);
    let held: Vec<_> = spec.devices.iter().flat_map(|device| device.functions.clone()).collect();
    let of = |address, group| device(vec![function(address, group, vec![])]);
    let two = [of("0004:01:00.0", 9), of("0004:01:01.0", 9)];
    let third = [of("0003:01:02.0", 2)];
    let whole = device(two.iter().flat_map(|device| device.functions.clone()).collect());
    hotplug::may_attach(running.qmp(), &[whole], &held).unwrap();
    for devices in [&two[..], &third] {
        let error = hotplug::may_attach(running.qmp(), devices, &held).unwrap_err();
        let ControlError::Refused(reason) = error else { panic!("{error:?}") };
        assert!(reason.text.contains("host bridge"), "{reason}");
    }
}

#[test]
fn what_the_guest_began_with_it_has_to_let_go_of() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = start(&stopped(dir.path()));
    let ids = ["pci-0002-01-00.0".to_owned()];
    let patience = Duration::from_millis(300).into();
    let error = hotplug::unplug(running.qmp(), "the card", &ids, &patience).unwrap_err();
    assert!(matches!(error, ControlError::NotLetGo { .. }), "{error:?}");
    assert_eq!(running.qmp().query_status().unwrap(), "prelaunch");
}

#[test]
fn a_device_that_cannot_be_opened_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = start(&stopped(dir.path()));
    let before = running.qmp().peripherals().unwrap();
    let mut card = function("0004:01:00.0", 9, vec![bar(0, 16 * GIB, true, true)]);
    card.sysfs = dir.path().join("gone");
    let card = HostDevice { functions: vec![card] };
    let error = hotplug::attach(running.qmp(), &card).unwrap_err();
    let ControlError::Socket(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("no such host device"), "{error}");
    assert_eq!(running.qmp().peripherals().unwrap(), before);
}

//! One reset, journaled, of a device that nobody uses.

use fakehost::{Errno, On};

use crate::given::*;

#[test]
fn an_idle_device_is_reset() {
    let given = Given::new();
    let report = given.engine().reset(NVME).unwrap();
    assert_eq!(report.steps.len(), 1);
    assert!(given.host.log().iter().any(|op| op.to_string().ends_with(&format!("{NVME}/reset"))));
    assert!(given.engine().unfinished().unwrap().is_empty());
}

#[test]
fn one_in_use_is_not() {
    let host = machine().mount("nvme0n1", "/srv/data");
    let given = Given { host, ..Given::new() };
    given.engine().reset(NVME).unwrap_err();
    let error = given.engine().reset(GPU).unwrap_err();
    assert!(codes(&error).contains(&"held_by_process"), "{error}");
    let error = given.engine().reset("0000:00:01.0").unwrap_err();
    assert!(codes(&error).contains(&"bridge"), "{error}");
    assert_eq!(given.host.log(), []);
}

#[test]
fn a_driver_that_has_it_is_named_and_one_of_guests_is_not() {
    let given = Given::new();
    let report = given.engine().reset(NVME).unwrap();
    let notes: Vec<&str> = report.notes.iter().map(|note| note.code.as_str()).collect();
    assert_eq!(notes, ["driver_bound"]);
    given.engine().bind(&request(&[NVME])).unwrap();
    assert_eq!(given.engine().reset(NVME).unwrap().notes, []);
}

#[test]
fn a_device_that_fell_off_the_bus_is_not_reset() {
    let given = Given::new();
    given.host.wedge(NVME);
    for error in
        [given.engine().reset(NVME).unwrap_err(), given.engine().plan_reset(NVME).unwrap_err()]
    {
        assert_eq!(codes(&error), ["wedged"]);
    }
    assert_eq!(given.host.log(), []);
}

#[test]
fn a_reset_that_fails_is_said() {
    let given = Given::new();
    given.host.refuse(On::path("reset"), Errno::NOTTY);
    let error = given.engine().reset(NVME).unwrap_err();
    assert_eq!(error.code(), "step_failed");
    assert!(given.engine().unfinished().unwrap().is_empty());
}

#[test]
fn a_physical_function_is_not_reset_under_its_virtual_ones() {
    let nic = "0000:68:00.0";
    let host = machine().root_port("0000:00:04.0", 0x68).sriov_nic(nic, "eth9", 4);
    let given = Given { host, ..Given::new() };
    given.host.meddle(&format!("sys/bus/pci/devices/{nic}/sriov_numvfs"), "2");
    let error = given.engine().reset(nic).unwrap_err();
    assert!(codes(&error).contains(&"active_vfs"), "{error}");
}

#[test]
fn what_the_host_does_with_it_is_called_by_its_name() {
    let host = machine().mount("nvme0n1", "/srv/data");
    let given = Given { host, ..Given::new() };
    assert_eq!(codes(&given.engine().reset(NVME).unwrap_err()), ["disk_in_use"]);
}

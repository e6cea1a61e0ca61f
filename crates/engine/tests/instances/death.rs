//! Whoever dies, at whatever moment: the device has one owner, and in the end
//! it is the host's.

use std::time::Duration;

use engine::InstanceState;
use engine::aftermath::Found;

use crate::given::*;

#[test]
fn a_guest_that_dies_is_seen_by_its_supervisor_alone() {
    let given = Given::new();
    let started = given.engine().run(&request("one", &[NVME])).unwrap();
    kill(started.instance.process.unwrap(), "KILL");
    given.until("the release", |given| !given.instance("one").state.is_live());
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
    let instance = given.instance("one");
    assert_eq!(instance.state, InstanceState::Failed);
    assert!(instance.error.unwrap().contains("signal: 9"));
}

#[test]
fn a_guest_without_a_supervisor_runs_on_and_gets_another() {
    let given = Given::new();
    let started = given.engine().run(&request("one", &[NVME])).unwrap();
    let first = started.instance.supervisor.unwrap();
    kill(first, "KILL");
    given.until("the supervisor's end", |given| given.instance("one").supervisor.is_none());
    assert_eq!(given.instance("one").process, started.instance.process);

    let recovered = given.engine().recover().unwrap();
    assert_eq!(recovered.instances.len(), 1);
    assert_eq!(recovered.instances[0].found, Found::Orphaned);
    given.until("another supervisor", |given| given.instance("one").supervisor.is_some());
    assert_ne!(given.instance("one").supervisor, Some(first));
    assert_eq!(given.instance("one").process, started.instance.process);

    kill(started.instance.process.unwrap(), "KILL");
    given.until("the release", |given| !given.instance("one").state.is_live());
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn when_both_are_dead_the_next_verb_releases() {
    let given = Given::new();
    let started = given.engine().run(&request("one", &[NVME])).unwrap();
    kill(started.instance.supervisor.unwrap(), "KILL");
    kill(started.instance.process.unwrap(), "KILL");
    given.until("their end", |given| {
        let instance = given.instance("one");
        instance.supervisor.is_none() && instance.process.is_none()
    });
    let recovered = given.engine().recover().unwrap();
    assert_eq!(recovered.instances[0].found, Found::Ended);
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
    assert_eq!(given.instance("one").state, InstanceState::Stopped);
    assert!(given.engine().recover().unwrap().is_empty());
}

#[test]
fn a_supervisor_that_is_asked_to_end_stops_its_guest_first() {
    let given = Given::new();
    let started = given.engine().run(&request("one", &[NVME])).unwrap();
    kill(started.instance.supervisor.unwrap(), "HUP");
    kill(started.instance.supervisor.unwrap(), "TERM");
    // The guest hears no power button; help it along rather than wait.
    kill(started.instance.process.unwrap(), "TERM");
    given.until("the release", |given| !given.instance("one").state.is_live());
    assert_eq!(given.instance("one").state, InstanceState::Stopped);
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn another_boot_ends_every_instance() {
    let given = Given::new();
    let started = given.engine().run(&request("one", &[NVME])).unwrap();
    for process in [started.instance.supervisor, started.instance.process] {
        kill(process.unwrap(), "KILL");
    }
    given.boot_again();
    given.engine().recover().unwrap();
    let instance = given.instance("one");
    assert_eq!(instance.state, InstanceState::Stopped);
    assert!(instance.devices.is_empty());
}

#[test]
fn a_process_of_another_boot_is_nobody_of_ours() {
    let given = Given::new();
    let started = given.engine().run(&request("one", &[NVME])).unwrap();
    kill(started.instance.supervisor.unwrap(), "KILL");
    // Its pid and start time are some other process's after the restart.
    let other = started.instance.process.unwrap();
    given.boot_again();
    assert_eq!(given.instance("one").process, None);
    assert_eq!(given.instance("one").state, InstanceState::Stopped);
    let error = given.engine().stop(&name("one"), short()).unwrap_err();
    assert_eq!(error.code(), "instance_state", "there is nothing left to stop: {error}");
    given.engine().delete(&name("one"), None).unwrap();
    assert!(given.engine().instances().unwrap().is_empty());
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", other.pid)).unwrap();
    kill(other, "KILL");
    assert!(!stat.contains(") Z"), "it was not touched: {stat}");
}

#[test]
fn a_start_that_is_killed_at_any_moment_ends_defined() {
    for millis in [0, 5, 10, 20, 40, 60, 80, 120, 160, 240, 400] {
        let given = Given::new();
        let mut child = given.run_command("one", &[NVME, EDU]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        child.wait().unwrap();
        // Whatever had been begun is either carried on by the supervisor or
        // settled by the next verb, which is this one.
        given.until("a defined state", |given| {
            given.engine().recover().unwrap();
            let instances = given.engine().instances().unwrap();
            instances.iter().all(|it| it.state != InstanceState::Starting)
        });
        let instances = given.engine().instances().unwrap();
        match instances.iter().find(|it| it.state == InstanceState::Running) {
            Some(instance) => {
                assert!(instance.process.is_some(), "{millis}");
                assert_eq!(instance.devices.len(), 2, "{millis}");
                assert_eq!(given.driver_of(NVME).as_deref(), Some("vfio-pci"), "{millis}");
                given.engine().stop(&name("one"), short()).unwrap();
            }
            None => assert!(instances.iter().all(|it| it.devices.is_empty()), "{millis}"),
        }
        let instances = given.engine().instances().unwrap();
        let told = format!("{millis}: {instances:?}");
        assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"), "{told}");
        assert_eq!(given.driver_of(EDU), None, "{told}");
    }
}

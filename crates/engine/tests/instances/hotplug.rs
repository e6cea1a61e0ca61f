//! Devices that come to a running guest and leave it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use engine::{BindRequest, InstanceState, RunRequest, StateDir};
use fakehost::{Express, FakeHost, FunctionSpec, devices};
use hypervisors::machine::GuestIommu;

use crate::given::*;
use crate::qemu;

const LONG: Duration = Duration::from_secs(600);

/// A guest of the pretended QEMU, with or without a device.
fn running(given: &Given, devices: &[&str]) {
    given.engine().run(&pretended(devices)).unwrap();
}

fn pretended(devices: &[&str]) -> RunRequest {
    RunRequest { program: Some(qemu::script()), ..request("one", devices) }
}

fn asked(devices: &[&str]) -> BindRequest {
    BindRequest { devices: devices.iter().map(ToString::to_string).collect(), ..Default::default() }
}

fn file(given: &Given, name: &str) -> PathBuf {
    given.state.path().join("instances/one").join(name)
}

fn say(given: &Given, name: &str) {
    std::fs::write(file(given, name), "").unwrap();
}

fn unsay(given: &Given, name: &str) {
    std::fs::remove_file(file(given, name)).unwrap();
}

/// A flag that is raised when the hypervisor was asked for something; then
/// `after` is no longer said.
fn raised_when_asked(given: &Given, after: &'static str) -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    let (raised, asked) = (Arc::clone(&flag), file(given, "asked"));
    let said = file(given, after);
    thread::spawn(move || {
        while !asked.exists() {
            thread::sleep(Duration::from_millis(5));
        }
        raised.store(true, Ordering::Relaxed);
        if after == "slow" {
            std::fs::remove_file(said).unwrap();
        }
    });
    flag
}

#[test]
fn a_device_comes_and_goes_and_both_are_planned_as_they_are_done() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    running(&given, &[]);
    let one = name("one");
    let planned = given.engine().plan_attach(&asked(&[NVME]), &one).unwrap();
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
    let report = given.engine().attach(&asked(&[NVME]), &one).unwrap();
    assert_eq!((planned.plan.steps, planned.functions), (report.steps, report.functions));
    assert_eq!(given.instance("one").devices[0].to_string(), NVME);

    let devices = [NVME.to_owned()];
    let planned = given.engine().plan_detach(&devices, &one).unwrap();
    assert!(!planned.plan.steps.is_empty(), "it goes back to its driver");
    assert_eq!(given.driver_of(NVME).as_deref(), Some("vfio-pci"));
    let report = given.engine().detach(&devices, &one, LONG).unwrap();
    assert_eq!(planned.functions, report.functions);
    assert_eq!(given.differs(&before), [""; 0]);
    assert!(given.instance("one").devices.is_empty());
    given.engine().stop(&one, short()).unwrap();
}

#[test]
fn what_speaks_against_an_attachment_is_said_by_its_plan_as_well() {
    let given = Given::new();
    let one = name("one");
    let mut first = pretended(&[]);
    first.spare.count = 1;
    given.engine().run(&first).unwrap();
    let refused = |devices: &[&str]| {
        let planned = given.engine().plan_attach(&asked(devices), &one).unwrap_err();
        let done = given.engine().attach(&asked(devices), &one).unwrap_err();
        assert_eq!(codes(&planned), codes(&done));
        codes(&done)
    };
    assert_eq!(refused(&[NVME, EDU]), ["unsupported"], "it has one free port");
    given.engine().attach(&asked(&[NVME]), &one).unwrap();
    assert_eq!(refused(&[NVME]), ["assigned"]);
    assert_eq!(refused(&[EDU]), ["unsupported"]);
    assert_eq!(given.driver_of(EDU), None, "it was not even bound");
    let error = given.engine().plan_detach(&[EDU.to_owned()], &one).unwrap_err();
    assert_eq!(codes(&error), ["not_found"]);
    given.engine().stop(&one, short()).unwrap();
    for error in [
        given.engine().plan_attach(&asked(&[NVME]), &one).unwrap_err(),
        given.engine().plan_detach(&[NVME.to_owned()], &one).unwrap_err(),
    ] {
        assert_eq!(error.code(), "instance_state");
    }
}

const FIRST: &str = "0000:67:00.0";
const SECOND: &str = "0000:67:00.1";
const THIRD: &str = "0000:68:00.0";

/// A slot with two functions, each in the group of this number. Each can be
/// reset without the other.
fn one_slot(groups: [u32; 2]) -> Given {
    let function = |bdf, group| FunctionSpec {
        group: Some(group),
        express: Some(Express { flr: true, ..Express::default() }),
        reset_methods: "flr bus".to_owned(),
        ..devices::edu(bdf)
    };
    let host = FakeHost::new().root_port("0000:00:03.0", 0x67);
    let host = host.function(function(FIRST.parse().unwrap(), groups[0]));
    Given::on(host.with_function(1, |bdf| function(bdf, groups[1])).loaded("vfio-pci"))
}

/// Two slots in one group.
fn one_group() -> Given {
    let host = FakeHost::new().root_port("0000:00:03.0", 0x67).root_port("0000:00:04.0", 0x68);
    Given::on(host.edu(FIRST).group(50).edu(THIRD).group(50).loaded("vfio-pci"))
}

/// What leaves when the first function is asked for: the plan and the deed
/// say the same.
#[track_caller]
fn leaves(given: &Given) -> Vec<String> {
    let devices = [FIRST.to_owned()];
    let planned = given.engine().plan_detach(&devices, &name("one")).unwrap();
    let report = given.engine().detach(&devices, &name("one"), LONG).unwrap();
    assert_eq!(planned.functions, report.functions);
    report.functions.iter().map(ToString::to_string).collect()
}

#[test]
fn what_came_in_one_slot_of_the_guest_leaves_together() {
    let given = one_slot([50, 51]);
    running(&given, &[]);
    given.engine().attach(&asked(&[FIRST, SECOND]), &name("one")).unwrap();
    assert_eq!(leaves(&given), [FIRST, SECOND]);
    let given = one_slot([50, 51]);
    running(&given, &[FIRST, SECOND]);
    assert_eq!(leaves(&given), [FIRST, SECOND]);
}

#[test]
fn what_came_apart_leaves_apart_although_the_host_has_it_in_one_slot() {
    for groups in [[50, 51], [50, 50]] {
        let given = one_slot(groups);
        running(&given, &[SECOND]);
        given.engine().attach(&asked(&[FIRST]), &name("one")).unwrap();
        assert_eq!(leaves(&given), [FIRST]);
        assert_eq!(given.instance("one").devices.len(), 1);
        assert_eq!(given.driver_of(SECOND).as_deref(), Some("vfio-pci"));
    }
}

#[test]
fn a_guest_that_cannot_be_asked_is_asked_to_let_go_of_nothing() {
    let given = Given::new();
    running(&given, &[NVME]);
    let files = given.instance("one").files;
    for monitor in [files.monitor(), files.supervisor_monitor()] {
        std::fs::remove_file(monitor).unwrap();
    }
    let devices = [NVME.to_owned()];
    for error in [
        given.engine().plan_detach(&devices, &name("one")).unwrap_err(),
        given.engine().detach(&devices, &name("one"), LONG).unwrap_err(),
    ] {
        assert_eq!(error.code(), "guest_control", "{error}");
    }
    assert!(!file(&given, "asked").exists());
    assert_eq!(given.instance("one").devices.len(), 1);
}

#[test]
fn a_group_behind_a_virtual_iommu_is_refused_before_it_is_bound() {
    let given = one_group();
    let one = name("one");
    given.engine().run(&RunRequest { iommu: GuestIommu::On, ..pretended(&[]) }).unwrap();
    let refused = |devices: &[&str]| {
        let planned = given.engine().plan_attach(&asked(devices), &one).unwrap_err();
        let done = given.engine().attach(&asked(devices), &one).unwrap_err();
        assert_eq!((codes(&planned), codes(&done)), (vec!["unsupported"], codes(&planned)));
        done.to_string()
    };
    let error = refused(&[FIRST, THIRD]);
    assert!(error.contains("group"), "{error}");
    assert_eq!(given.driver_of(FIRST), None, "it was not even bound");
    given.engine().attach(&asked(&[FIRST]), &one).unwrap();
    let error = refused(&[THIRD]);
    assert!(error.contains(FIRST), "{error}");
    assert_eq!(given.instance("one").devices.len(), 1);
}

#[test]
fn a_group_comes_in_parts_where_all_devices_have_one_address_space() {
    let given = one_group();
    running(&given, &[]);
    given.engine().attach(&asked(&[FIRST]), &name("one")).unwrap();
    given.engine().attach(&asked(&[THIRD]), &name("one")).unwrap();
    assert_eq!(given.instance("one").devices.len(), 2);
}

#[test]
fn a_guest_whose_memory_cannot_be_pinned_is_given_nothing() {
    let given = Given::new();
    given.engine().run(&RunRequest { memory: 1 << 30, ..pretended(&[]) }).unwrap();
    let meminfo = given.host.root().join("proc/meminfo");
    std::fs::write(meminfo, "MemTotal: 2000000 kB\nMemAvailable: 1000 kB\n").unwrap();
    let planned = given.engine().plan_attach(&asked(&[NVME]), &name("one")).unwrap_err();
    let done = given.engine().attach(&asked(&[NVME]), &name("one")).unwrap_err();
    assert_eq!((codes(&planned), codes(&done)), (vec!["not_enough_memory"], codes(&planned)));
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn the_last_move_waits_for_whoever_is_at_work() {
    let given = Given::new();
    running(&given, &[]);
    say(&given, "slow");
    thread::scope(|scope| {
        let hasty = scope.spawn(|| {
            let mut engine = given.engine().patience(Duration::ZERO);
            engine.attach(&asked(&[NVME]), &name("one"))
        });
        given.until("the hypervisor is asked", |given| file(given, "asked").exists());
        let state = StateDir::new(given.state.path());
        let held = engine::lock::Lock::take(&state, "bind", LONG).unwrap();
        unsay(&given, "slow");
        // The guest has it; whoever gave it now waits for the lock.
        given.until("it is there", |given| {
            let id = format!("pci-{}", NVME.replace(':', "-"));
            let monitor = given.instance("one").files.monitor();
            let qmp = hypervisors::qemu::Qmp::connect(&monitor, LONG);
            qmp.unwrap().peripherals().unwrap().iter().any(|device| device.id == id)
        });
        drop(held);
        hasty.join().unwrap().unwrap();
    });
    assert_eq!(given.instance("one").devices.len(), 1);
}

#[test]
fn an_interrupted_attachment_is_taken_back() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    running(&given, &[]);
    say(&given, "slow");
    let flag = raised_when_asked(&given, "slow");
    let error =
        given.engine().interrupted_by(flag).attach(&asked(&[NVME]), &name("one")).unwrap_err();
    assert_eq!(error.code(), "interrupted", "{error}");
    assert_eq!(given.differs(&before), [""; 0]);
    assert!(given.instance("one").devices.is_empty());
}

#[test]
fn an_interrupted_detachment_leaves_it_to_the_guest() {
    let given = Given::new();
    running(&given, &[NVME]);
    say(&given, "keeps");
    let flag = raised_when_asked(&given, "keeps");
    let devices = [NVME.to_owned()];
    let error =
        given.engine().interrupted_by(flag).detach(&devices, &name("one"), LONG).unwrap_err();
    assert_eq!(error.code(), "interrupted", "{error}");
    assert!(error.to_string().contains(NVME), "{error}");
    assert_eq!(given.instance("one").devices.len(), 1);
    assert_eq!(given.driver_of(NVME).as_deref(), Some("vfio-pci"));
}

#[test]
fn a_detachment_that_was_never_asked_for_changes_nothing() {
    let given = Given::new();
    running(&given, &[NVME]);
    let flag = Arc::new(AtomicBool::new(true));
    let devices = [NVME.to_owned()];
    let error =
        given.engine().interrupted_by(flag).detach(&devices, &name("one"), LONG).unwrap_err();
    assert_eq!(error.code(), "interrupted", "{error}");
    assert!(!file(&given, "asked").exists());
    assert_eq!(given.instance("one").devices.len(), 1);
}

#[test]
fn an_unplug_that_comes_late_is_seen_by_the_supervisor_alone() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    running(&given, &[]);
    given.engine().attach(&asked(&[NVME]), &name("one")).unwrap();
    say(&given, "keeps");
    let devices = [NVME.to_owned()];
    let error = given.engine().detach(&devices, &name("one"), Duration::ZERO).unwrap_err();
    assert_eq!(error.code(), "guest_control", "{error}");
    assert_eq!(given.driver_of(NVME).as_deref(), Some("vfio-pci"));
    unsay(&given, "keeps");
    given.until("the release", |given| given.instance("one").devices.is_empty());
    assert_eq!(given.differs(&before), [""; 0]);
    assert_eq!(given.instance("one").state, InstanceState::Running);
}

#[test]
fn an_interrupted_stop_says_that_the_guest_may_still_end() {
    let given = Given::new();
    running(&given, &[NVME]);
    let flag = Arc::new(AtomicBool::new(true));
    let grace = engine::Grace { guest: LONG, hypervisor: LONG };
    let error = given.engine().interrupted_by(flag).stop(&name("one"), grace).unwrap_err();
    assert_eq!(error.code(), "interrupted", "{error}");
    assert!(error.to_string().contains("may do so still"), "{error}");
    assert_eq!(given.instance("one").state, InstanceState::Running);
    given.engine().stop(&name("one"), short()).unwrap();
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn an_interrupted_start_is_taken_back() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    let wanted = pretended(&[NVME]);
    let last = given.engine().plan_run(&wanted).unwrap().plan.steps.pop().unwrap();
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    let mut engine = given.engine().interrupted_by(flag).telling(move |step| {
        if *step == last {
            raised.store(true, Ordering::Relaxed);
        }
    });
    let error = engine.run(&wanted).unwrap_err();
    assert_eq!(error.code(), "interrupted", "{error}");
    assert_eq!(given.differs(&before), [""; 0]);
    assert!(given.engine().instances().unwrap().is_empty());
}

#[test]
fn a_guest_that_waits_to_be_continued_has_started() {
    let given = Given::new();
    let extra = vec!["-S".to_owned()];
    for program in [None, Some(qemu::script())] {
        let program = program.or(request("one", &[]).program);
        let wanted = RunRequest { extra: extra.clone(), program, ..request("one", &[]) };
        let started = given.engine().run(&wanted).unwrap();
        assert_eq!(started.instance.state, InstanceState::Running);
        let events = given.engine().events(&name("one")).unwrap();
        assert!(events.iter().any(|event| event.text.contains("prelaunch")), "{events:?}");
        given.engine().delete(&name("one"), Some(short())).unwrap();
    }
}

//! From start to stop, as users do it.

use std::time::Duration;

use engine::{BindRequest, Ended, InstanceState};

use crate::given::*;

#[test]
fn a_guest_holds_its_device_until_it_is_stopped() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    let started = given.engine().run(&request("one", &[NVME])).unwrap();
    assert_eq!(started.instance.state, InstanceState::Running);
    assert_eq!(started.instance.devices[0].to_string(), NVME);
    let process = started.instance.process.expect("a hypervisor that runs");
    let supervisor = started.instance.supervisor.expect("somebody who sees to it");
    assert_ne!(supervisor.pid, std::process::id());
    assert_eq!(given.driver_of(NVME).as_deref(), Some("vfio-pci"));
    assert!(given.instance("one").files.console_log().exists());

    let bind = BindRequest { devices: vec![NVME.to_owned()], ..BindRequest::default() };
    assert!(codes(&given.engine().bind(&bind).unwrap_err()).contains(&"assigned"));
    let devices = [NVME.to_owned()];
    assert!(codes(&given.engine().release(&devices).unwrap_err()).contains(&"assigned"));
    let error = given.engine().run(&request("two", &[NVME])).unwrap_err();
    assert!(codes(&error).contains(&"assigned"), "{error}");
    let error = given.engine().run(&request("one", &[])).unwrap_err();
    assert_eq!(error.code(), "instance_exists");
    assert_eq!(given.engine().delete(&name("one"), None).unwrap_err().code(), "instance_state");
    assert_eq!(given.instance("one").process, Some(process), "nothing of this moved it");

    assert_eq!(given.engine().stop(&name("one"), short()).unwrap(), Ended::Terminated);
    let instance = given.instance("one");
    assert_eq!(instance.state, InstanceState::Stopped, "{:?}", instance.error);
    assert_eq!((instance.process, instance.devices), (None, Vec::new()));
    assert_eq!(given.differs(&before), [""; 0]);
    let error = given.engine().stop(&name("one"), short()).unwrap_err();
    assert_eq!(error.code(), "instance_state");

    given.engine().delete(&name("one"), None).unwrap();
    assert!(given.engine().instances().unwrap().is_empty());
    assert!(!given.state.path().join("instances/one").exists());
    assert_eq!(given.engine().instance(&name("one")).unwrap_err().code(), "no_instance");
}

#[test]
fn what_a_person_bound_stays_bound() {
    let given = Given::new();
    let bind = BindRequest { devices: vec![NVME.to_owned()], ..BindRequest::default() };
    given.engine().bind(&bind).unwrap();
    given.engine().run(&request("one", &[NVME, EDU])).unwrap();
    given.engine().stop(&name("one"), short()).unwrap();
    assert_eq!(given.driver_of(NVME).as_deref(), Some("vfio-pci"));
    assert_eq!(given.driver_of(EDU), None);
    given.engine().release(&[NVME.to_owned()]).unwrap();
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn the_guest_outlives_whoever_started_it() {
    let given = Given::new();
    let output = given.run_command("one", &[NVME]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let instance = given.instance("one");
    assert_eq!(instance.state, InstanceState::Running);
    assert!(instance.process.is_some() && instance.supervisor.is_some());
    given.engine().delete(&name("one"), Some(short())).unwrap();
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn a_device_that_the_guest_cannot_take_goes_back_and_the_guest_runs_on() {
    let given = Given::new();
    let started = given.engine().run(&request("one", &[])).unwrap();
    let asked = BindRequest { devices: vec![NVME.to_owned()], ..BindRequest::default() };
    let error = given.engine().attach(&asked, &name("one")).unwrap_err();
    assert!(["guest_control", "refused"].contains(&error.code()), "{error}");
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
    let instance = given.instance("one");
    assert_eq!((instance.process, instance.devices), (started.instance.process, Vec::new()));
    let wait = Duration::from_secs(1);
    let error = given.engine().detach(&[NVME.to_owned()], &name("one"), wait).unwrap_err();
    assert_eq!(codes(&error), ["not_found"]);
}

//! Starts that fail: everything goes back, and the reason is told.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use engine::store::Store;
use engine::{Engine, InstanceState, Process, RunRequest, StateDir};
use fakehost::{FakeHost, On};
use host::paths::Root;
use host::process;

use crate::given::*;
use crate::program;

#[test]
fn a_hypervisor_that_refuses_its_arguments_is_quoted() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    let asked = RunRequest { extra: vec!["-nonsense".to_owned()], ..request("one", &[NVME]) };
    let error = given.engine().run(&asked).unwrap_err();
    assert_eq!(error.code(), "not_started");
    assert!(error.to_string().contains("-nonsense"), "{error}");
    assert_eq!(given.differs(&before), [""; 0]);
    assert!(given.engine().instances().unwrap().is_empty(), "the name is free again");
    given.engine().run(&request("one", &[NVME])).unwrap();
}

#[test]
fn what_is_refused_leaves_no_trace() {
    let given = Given::new();
    let missing = RunRequest { image: Some("/nonexistent".into()), ..request("one", &[NVME]) };
    let huge = RunRequest { memory: 1 << 60, ..request("one", &[NVME]) };
    let old = RunRequest { machine: Some("pc-i440fx-9.2".to_owned()), ..request("one", &[NVME]) };
    let program = RunRequest { program: Some("/bin/true".into()), ..request("one", &[NVME]) };
    for (asked, code) in
        [(missing, "file"), (huge, "refused"), (old, "refused"), (program, "not_qemu")]
    {
        let error = given.engine().run(&asked).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(given.engine().instances().unwrap().is_empty());
        assert!(!given.state.path().join("instances/one").exists());
    }
    assert_eq!(given.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn a_dry_run_changes_nothing() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    let plan = given.engine().plan_run(&request("one", &[NVME])).unwrap();
    assert!(!plan.plan.steps.is_empty());
    assert!(format!("{:?}", plan.rendered).contains(NVME));
    assert_eq!(given.differs(&before), [""; 0]);
    assert!(given.state.path().read_dir().unwrap().next().is_none());
}

/// What its registers say decides about the guest, and it is about to be taken.
#[test]
fn a_sleeping_device_is_looked_at_before_it_goes() {
    let given = Given::new();
    let status = format!("sys/bus/pci/devices/{NVME}/power/runtime_status");
    std::fs::write(given.host.root().join(status), "suspended\n").unwrap();
    let asleep = |notes: &[model::Reason]| notes.iter().any(|note| note.text.contains("suspended"));
    assert!(asleep(&given.engine().plan_run(&request("one", &[NVME])).unwrap().plan.notes));
    assert!(!asleep(&given.engine().run(&request("one", &[NVME])).unwrap().report.notes));
}

#[test]
fn the_base_image_is_never_written() {
    let given = Given::new();
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base.raw");
    let content = vec![0x5a; 1 << 20];
    std::fs::write(&base, &content).unwrap();
    let asked = RunRequest { image: Some(base.clone()), ..request("one", &[]) };
    let started = given.engine().run(&asked).unwrap();
    assert_eq!(started.instance.spec.image.as_deref(), Some(base.as_path()));
    given.engine().stop(&name("one"), short()).unwrap();
    assert!(given.state.path().join("instances/one/overlay.qcow2").exists());
    assert_eq!(std::fs::read(&base).unwrap(), content);
    assert_eq!(given.instance("one").state, InstanceState::Stopped);
}

#[test]
fn a_device_that_comes_into_doubt_is_left_alone_when_the_start_is_taken_back() {
    let given = Given::new();
    given.host.hang(On::path("drivers_probe"));
    let (root, state) = (Root::new(given.host.root()), StateDir::new(given.state.path()));
    let (kernel, runner) = (Box::new(given.host.kernel()), Box::new(given.host.runner()));
    let mut engine = Engine::new(root, state, kernel, runner);
    let error = engine.run(&request("one", &[NVME])).unwrap_err();
    assert_eq!(error.code(), "in_doubt", "{error}");
    assert!(engine.instances().unwrap().is_empty());
    let log: Vec<String> = given.host.log().iter().map(ToString::to_string).collect();
    let hung = log.iter().position(|op| op.contains("drivers_probe"));
    assert_eq!(hung, Some(log.len() - 1), "nothing was tried after it: {log:#?}");
    assert_eq!(engine.recover().unwrap().pending.len(), 1);
    given.host.settle();
    assert!(engine.recover().unwrap().pending.is_empty());
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn spare_ports_have_room_for_the_largest_device_of_the_machine() {
    const GPU_MEMORY: u64 = 128 << 30;
    let host = FakeHost::new().accelerator("0000:65:00.0").edu(EDU).loaded("vfio-pci");
    let given = Given::on(host);
    let mut asked = request("one", &[EDU]);
    asked.spare.count = 1;
    let plan = given.engine().plan_run(&asked).unwrap();
    let text = format!("{:?}", plan.rendered);
    let kept = text.split("pref64-reserve=").nth(1).and_then(|rest| rest.split('G').next());
    let kept: u64 = kept.unwrap().parse().unwrap();
    assert!(kept << 30 > GPU_MEMORY, "{text}");
}

/// It is started while devices are bound, by whoever binds them.
#[test]
fn a_supervisor_waits_while_its_instance_is_prepared() {
    let given = Given::new();
    let state = StateDir::new(given.state.path());
    state.make().unwrap();
    let mut store = Store::open(&state).unwrap();
    let boot_id = process::boot_id(&Root::new(given.host.root())).unwrap();
    let mut prepare = |owner| store.put_instance(&name("one"), "{}", &boot_id, owner).unwrap();
    let supervise = |from| {
        let (state, root) = (given.state.path().to_owned(), given.host.root().to_owned());
        thread::spawn(move || program::engine(&state, &root).supervise(&name("one"), from))
    };

    let pid = std::process::id();
    let start_time = process::start_time(&Root::real(), pid).unwrap().unwrap();
    let own = Process { pid, start_time };
    prepare(own);
    let supervisor = supervise(own);
    thread::sleep(Duration::from_millis(200));
    assert!(!supervisor.is_finished(), "it takes over too early");
    assert_eq!(given.instance("one").state, InstanceState::Preparing);
    // Binding failed, and the instance is forgotten.
    Store::open(&state).unwrap().delete_instance(&name("one")).unwrap();
    supervisor.join().unwrap().unwrap();

    // Whoever bound was killed: nobody will ever say that it is done.
    let gone = Process { pid, start_time: start_time + 1 };
    prepare(gone);
    supervise(gone).join().unwrap().unwrap();
    let row = Store::open(&state).unwrap().instance(&name("one")).unwrap().unwrap();
    assert_eq!((row.state, row.owner), (InstanceState::Preparing, Some(gone)));

    // Its start was being taken back when everybody was killed: the guest lives and needs somebody.
    let mut guest = Command::new("sleep").arg("600").spawn().unwrap();
    let start_time = process::start_time(&Root::real(), guest.id()).unwrap().unwrap();
    let hypervisor = Process { pid: guest.id(), start_time };
    let mut store = Store::open(&state).unwrap();
    store.set_instance(&name("one"), InstanceState::Starting).unwrap();
    assert!(store.claim_start(&name("one"), gone, hypervisor).unwrap());
    store.set_instance(&name("one"), InstanceState::Preparing).unwrap();
    let supervisor = supervise(gone);
    let until = Instant::now() + PATIENCE;
    while store.instance(&name("one")).unwrap().unwrap().owner == Some(gone) {
        assert!(Instant::now() < until, "nobody takes over");
        thread::sleep(Duration::from_millis(5));
    }
    guest.kill().unwrap();
    guest.wait().unwrap();
    supervisor.join().unwrap().unwrap();
    assert_eq!(given.instance("one").state, InstanceState::Stopped);
}

//! A process that is killed at every single operation, for real: it is one of
//! its own, it ends by SIGKILL, and another process recovers.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use engine::{Engine, StateDir};
use fakehost::{FakeHost, Moment, TreeSnapshot, Visitor};
use host::paths::Root;
use tempfile::TempDir;

use crate::given::*;

const DEVICES: [&str; 3] = [GPU, NVME, EDU];

/// A machine that is all in its tree: services are not.
struct Shared {
    host: FakeHost,
    state: TempDir,
    before: TreeSnapshot,
}

impl Shared {
    fn new() -> Self {
        let host = FakeHost::new()
            .root_port("0000:00:01.0", 0x65)
            .root_port("0000:00:02.0", 0x66)
            .root_port("0000:00:03.0", 0x67)
            .gpu(GPU)
            .with_audio()
            .nvme(NVME)
            .edu(EDU);
        let before = host.snapshot_tree();
        Self { host, state: tempfile::tempdir().unwrap(), before }
    }

    fn visitor(&self) -> Visitor {
        visitor(self.host.root())
    }

    fn engine(&self) -> Engine {
        engine(self.state.path(), self.visitor())
    }

    /// The verb in a process of its own, which must die of it.
    fn die(&self, moment: Moment, verb: &str) {
        let (when, nth) = match moment {
            Moment::Before(nth) => ("before", nth),
            Moment::After(nth) => ("after", nth),
        };
        let harness = ["killed::program", "--exact", "--ignored", "--nocapture", "--quiet"];
        let places = [("state", self.state.path()), ("root", self.host.root())];
        let status = Command::new(std::env::current_exe().unwrap())
            .args(harness)
            .args(places.map(|(key, path)| format!("{key}={}", path.display())))
            .args([when, &nth.to_string(), verb])
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.signal(), Some(9), "{verb}, {moment:?}: {status}");
    }

    /// What is not as it was, but for modules that were loaded and for what
    /// a drive's driver makes at its first probe only.
    fn differs(&self) -> Vec<String> {
        let made = ["vfio", "nvme0", "/nvme (folder)"];
        let diff = self.before.diff(&self.host.snapshot_tree()).into_iter();
        diff.filter(|line| !made.iter().any(|made| line.contains(made))).collect()
    }

    #[track_caller]
    fn recover(&self, told: &str) {
        let recovered = self.engine().recover().unwrap();
        assert!(recovered.settled.iter().all(|plan| plan.failure.is_none()), "{told}");
        assert!(recovered.pending.is_empty(), "{told}: {recovered:?}");
        assert!(self.engine().recover().unwrap().is_empty(), "{told}: twice is once");
        assert!(self.engine().unfinished().unwrap().is_empty(), "{told}");
    }
}

fn visitor(root: &Path) -> Visitor {
    Visitor::new(root)
        .knowing("nvidia", (0x10de, 0x2206))
        .knowing("snd_hda_intel", (0x10de, 0x1aef))
        .knowing("nvme", (0x144d, 0xa808))
}

fn engine(state: &Path, visitor: Visitor) -> Engine {
    let root = Root::new(visitor.root());
    Engine::new(root, StateDir::new(state), Box::new(visitor.clone()), Box::new(visitor))
        .probe_wait(Duration::ZERO)
        .patience(Duration::from_secs(30))
}

/// How many operations a bind and the release after it take.
fn operations() -> (usize, usize) {
    let shared = Shared::new();
    let visitor = shared.visitor();
    let mut engine = engine(shared.state.path(), visitor.clone());
    engine.bind(&request(&DEVICES)).unwrap();
    let bind = visitor.count();
    engine.release(&typed(&DEVICES)).unwrap();
    assert_eq!(shared.differs(), [""; 0]);
    (bind, visitor.count() - bind)
}

fn moments(count: usize) -> impl Iterator<Item = Moment> {
    (1..=count).flat_map(|nth| [Moment::Before(nth), Moment::After(nth)])
}

#[test]
fn a_bind_that_is_killed_at_any_operation_is_taken_back_by_another_process() {
    let (bind, _) = operations();
    assert!(bind > 12, "{bind}");
    for moment in moments(bind) {
        let shared = Shared::new();
        shared.die(moment, "bind");
        shared.recover(&format!("{moment:?}"));
        assert_eq!(shared.differs(), [""; 0], "{moment:?}");
        shared.engine().bind(&request(&DEVICES)).unwrap();
        shared.engine().release(&typed(&DEVICES)).unwrap();
        assert_eq!(shared.differs(), [""; 0], "{moment:?}");
    }
}

#[test]
fn a_release_that_is_killed_at_any_operation_is_completed_by_another_process() {
    let (_, release) = operations();
    assert!(release > 12, "{release}");
    for moment in moments(release) {
        let shared = Shared::new();
        shared.engine().bind(&request(&DEVICES)).unwrap();
        shared.die(moment, "release");
        shared.recover(&format!("{moment:?}"));
        // Groups whose turn had not come are bound still.
        shared.engine().release(&typed(&DEVICES)).unwrap();
        assert_eq!(shared.differs(), [""; 0], "{moment:?}");
    }
}

#[test]
fn a_recovery_that_is_killed_at_any_operation_is_recovered_from() {
    let (bind, _) = operations();
    // All is done, and nothing is said to be.
    let bound = || {
        let shared = Shared::new();
        shared.die(Moment::After(bind), "bind");
        shared
    };
    let shared = bound();
    let visitor = shared.visitor();
    engine(shared.state.path(), visitor.clone()).recover().unwrap();
    assert!(visitor.count() > 12, "{}", visitor.count());
    for moment in moments(visitor.count()) {
        let shared = bound();
        shared.die(moment, "recover");
        shared.recover(&format!("{moment:?}"));
        assert_eq!(shared.differs(), [""; 0], "{moment:?}");
    }
}

#[test]
#[ignore = "a program for the other tests to start"]
fn program() {
    let words: Vec<String> = std::env::args().collect();
    let Some(at) = words.iter().position(|word| word.starts_with("state=")) else { return };
    let [state, root, when, nth, verb] = &words[at..] else { panic!("what to do: {words:?}") };
    let place = |text: &str| text.split_once('=').unwrap().1.to_owned();
    let nth = nth.parse().unwrap();
    let moment = if when == "before" { Moment::Before(nth) } else { Moment::After(nth) };
    let visitor = visitor(Path::new(&place(root))).dying(moment);
    let mut engine = engine(Path::new(&place(state)), visitor);
    let done = match verb.as_str() {
        "bind" => engine.bind(&request(&DEVICES)).map(drop),
        "release" => engine.release(&typed(&DEVICES)).map(drop),
        _ => engine.recover().map(drop),
    };
    panic!("it lives: {done:?}");
}

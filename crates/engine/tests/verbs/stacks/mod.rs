//! A host made ready and taken back, on every stack that a host boots by:
//! whole, killed at every operation, and refused at every operation.

mod faults;
mod killed;
mod manner;
mod once;
mod persist;
mod undo;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use engine::prepare::{OnChanged, PrepareRequest};
use engine::{Engine, Error, StateDir};
use fakehost::stacks::{CARD, STACKS, Stack};
use fakehost::{Entry, FakeHost, Moment, Op, TreeSnapshot, until_killed};
use host::paths::Root;
use model::Step;

/// A machine that boots by a stack, and its state directory.
struct Stacked {
    host: FakeHost,
    /// Beside the machine, in memory.
    state: PathBuf,
    before: TreeSnapshot,
}

impl Stacked {
    fn of(stack: Stack) -> Self {
        Self::around(stack.machine())
    }

    fn around(host: FakeHost) -> Self {
        let before = host.snapshot_tree();
        let state = host.root().with_file_name("state");
        Self { host, state, before }
    }

    fn named(name: &str) -> Self {
        Self::of(Stack::named(name))
    }

    /// A new engine, as a new process would make it.
    fn engine(&self) -> Engine {
        let root = Root::new(self.host.root());
        let state = StateDir::new(&self.state);
        let (kernel, runner) = (Box::new(self.host.kernel()), Box::new(self.host.runner()));
        Engine::new(root, state, kernel, runner)
            .gate(Box::new(self.host.disk()))
            .own_program("/usr/bin/passthru", [""; 0])
            .patience(Duration::from_secs(30))
    }

    fn steps(&self) -> Vec<Step> {
        self.engine().plan_prepare(&request(&devices())).unwrap().steps
    }

    fn prepare(&self) -> Result<(), Error> {
        self.prepare_for(&devices())
    }

    fn prepare_for(&self, devices: &[String]) -> Result<(), Error> {
        let planned = self.engine().plan_prepare(&request(devices))?;
        self.engine().prepare(&planned).map(drop)
    }

    fn undo(&self) -> Result<(), Error> {
        self.engine().undo_preparations(OnChanged::Keep).map(drop)
    }

    /// What is not as it was before everything; folders that were made stay.
    fn differs(&self) -> Vec<String> {
        let diff = self.before.diff(&self.host.snapshot_tree()).into_iter();
        diff.filter(|line| !line.ends_with(".d (folder)")).collect()
    }

    /// How many operations some work takes, from here on.
    fn operations(&self, work: impl FnOnce(&Self)) -> Vec<Op> {
        self.host.calm();
        work(self);
        let log = self.host.log();
        self.host.calm();
        log
    }

    /// Dies at a moment of some work; whoever comes next recovers.
    fn die(&self, moment: Moment, work: impl FnOnce(&Self) -> Result<(), Error>) {
        self.host.calm();
        self.host.kill(moment);
        let done = until_killed(|| work(self));
        assert!(done.is_err(), "{moment:?}: it lives: {done:?}");
        self.host.calm();
    }

    /// Whatever is in use is one or the other, whole.
    fn is_between(&self, one: &Files, other: &Files, told: &str) {
        let now = in_use(&self.host.snapshot_tree());
        for (path, entry) in &now {
            let known = [one, other].into_iter().filter_map(|files| files.get(path));
            assert!(known.into_iter().any(|known| known == entry), "{told}: {path}: {entry}");
        }
        for path in one.keys().filter(|path| other.contains_key(*path)) {
            assert!(now.contains_key(path), "{told}: {path} is gone");
        }
    }

    fn recover(&self, told: &str) {
        let recovered = self.engine().recover().unwrap();
        let failed = recovered.settled.iter().find_map(|plan| plan.failure.as_ref());
        assert!(failed.is_none(), "{told}: {failed:?}");
        assert!(self.engine().recover().unwrap().is_empty(), "{told}: twice is once");
    }

    fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.host.root().join(path)).unwrap()
    }

    fn put(&self, path: &str, text: &str) {
        std::fs::write(self.host.root().join(path), text).unwrap();
    }
}

fn request(devices: &[String]) -> PrepareRequest {
    PrepareRequest { devices: devices.to_vec(), ..PrepareRequest::default() }
}

fn devices() -> Vec<String> {
    vec![CARD.to_owned()]
}

/// Every moment at which something can be cut off. Behind a change of a file
/// is before the next operation.
fn moments(log: &[Op]) -> Vec<Moment> {
    let mut all = Vec::new();
    for (nth, op) in (1..).zip(log) {
        all.push(Moment::Before(nth));
        if !matches!(op, Op::File { .. }) {
            all.push(Moment::After(nth));
        }
    }
    all
}

/// Every file with a name of its own (none of ours) at one moment.
type Files = BTreeMap<String, Entry>;

fn in_use(snapshot: &TreeSnapshot) -> Files {
    snapshot
        .entries()
        .filter(|(path, entry)| **entry != Entry::Folder && !path.contains(".passthru-"))
        .map(|(path, entry)| (path.clone(), entry.clone()))
        .collect()
}

/// Stacks whose configuration can be changed.
fn changed() -> impl Iterator<Item = Stack> {
    STACKS.iter().copied().filter(|stack| !Stacked::of(*stack).steps().is_empty())
}

/// One stack of each kind: settings, a block, a line, a menu's source, JSON,
/// and more than files.
fn telling() -> impl Iterator<Item = Stack> {
    let names = [
        "debian-grub",
        "rhel8-grubenv",
        "debian-systemd-boot",
        "u-boot-menu",
        "pop-kernelstub",
        "power9-petitboot",
    ];
    names.into_iter().map(Stack::named)
}

#[test]
fn prepared_once_and_taken_back_whole() {
    for stack in STACKS {
        let machine = Stacked::of(*stack);
        let steps = machine.steps();
        machine.prepare().unwrap_or_else(|error| panic!("{}: {error}", stack.name));
        let again: Vec<String> = machine.steps().iter().map(ToString::to_string).collect();
        assert_eq!(again, [""; 0], "{}: nothing is left to do", stack.name);
        assert_eq!(machine.differs().is_empty(), steps.is_empty(), "{}", stack.name);
        machine.undo().unwrap_or_else(|error| panic!("{}: {error}", stack.name));
        assert_eq!(machine.differs(), [""; 0], "{}", stack.name);
        machine.undo().unwrap();
        assert_eq!(machine.differs(), [""; 0], "{}: twice is once", stack.name);
    }
}

//! Doing: one step of a plan at a time.
//!
//! In: a [`Step`], which holds every value that it needs. Out: an
//! [`Outcome`]. Before it writes, a step reads again what it is about to
//! change and stops if that moved since it was planned; afterwards it reads
//! whether the write had its effect. Never: a decision, a retry, an undo, the
//! journal (those are the engine's), or a path outside the root.

mod attribute;
mod disk;
mod driver;
mod error;
mod file;
mod look;
mod made;
mod once;
mod smt;
mod software;
mod stands;
mod variable;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::port::{AttrWriter, Child, FileGate, OpenGate, Runner, Stuck, Wrote};
use model::usage::Holder;
use model::{Fact, Step, Why};

use crate::observe::holders_of;
use crate::paths::Root;
use disk::Disk;

pub use error::ApplyError;
pub use stands::stands;

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a step can fail, or be in doubt"]
pub enum Outcome {
    /// Applied, and its effect was seen.
    Done,
    /// What the step wants was so before: nothing was written.
    Already,
    /// Not applied.
    Failed(ApplyError),
    /// The kernel has not come back: it may still take effect. The device is
    /// neither rolled back nor used until [`crate::write::has_ended`].
    InDoubt(Doubt),
}

/// A write that has not come back from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    pub path: PathBuf,
    pub value: String,
    pub stuck: Stuck,
    /// Who has the device open: often what the kernel waits for.
    pub holders: Fact<Vec<Holder>>,
}

/// Applies steps, one after the other, to one machine.
#[derive(Debug)]
pub struct Applier {
    root: Root,
    writer: Box<dyn AttrWriter>,
    runner: Box<dyn Runner>,
    disk: Disk,
    probe_wait: Duration,
}

/// What ends a step before its end.
enum Stop {
    Failed(ApplyError),
    InDoubt(Box<Doubt>),
}

impl Applier {
    /// An applier for the machine below `root`. Reads go there directly,
    /// changes through `writer` and `runner`.
    pub fn new(root: Root, writer: Box<dyn AttrWriter>, runner: Box<dyn Runner>) -> Self {
        let disk = Disk::new(Box::new(OpenGate), root.is_real());
        Self { root, writer, runner, disk, probe_wait: Duration::from_secs(2) }
    }

    /// Who sees each change of a file before it is made; nobody at first.
    #[must_use]
    pub fn gate(mut self, gate: Box<dyn FileGate>) -> Self {
        self.disk = Disk::new(gate, self.root.is_real());
        self
    }

    /// How long to wait for a driver after the kernel was asked to look for
    /// one (2 s at first). `drivers_probe` is synchronous
    /// (`bus_rescan_devices_helper()`, `drivers/base/bus.c`); only a probe
    /// that the driver defers comes later.
    #[must_use]
    pub fn probe_wait(mut self, wait: Duration) -> Self {
        self.probe_wait = wait;
        self
    }

    /// Apply one step.
    pub fn apply(&mut self, step: &Step) -> Outcome {
        let result = match step {
            Step::LoadModule { module } => self.load_module(module),
            Step::StopUnit { unit, triggers } => self.stop_unit(unit, triggers),
            Step::StartUnit { unit, triggers } => self.start_unit(unit, triggers),
            Step::Unbind { bdf, driver } => self.unbind(*bdf, driver),
            Step::SetDriverOverride { bdf, from, to } => {
                self.set_driver_override(*bdf, from.as_deref(), to.as_deref())
            }
            Step::Probe { bdf, driver } => self.probe(*bdf, driver),
            Step::ProbeAny { bdf } => self.probe_any(*bdf),
            Step::SetPowerControl { bdf, from, to } => self.set_power_control(*bdf, from, to),
            Step::KeepAwake { bdf } => self.keep_awake(*bdf),
            Step::SetD3cold { bdf, from, to } => self.set_d3cold(*bdf, *from, *to),
            Step::Reset { bdf } => self.reset(*bdf),
            Step::WriteFile { path, from, to } => self.write_file(path, from.as_ref(), to.as_ref()),
            Step::SetGrubVariable { path, name, from, to } => {
                self.set_grub_variable(path, name, from.as_deref(), to.as_deref())
            }
            Step::Make(made) => self.make(made),
            Step::Restore(made) => self.restore(made),
            Step::Remake(made) => self.remake(made),
            Step::BootOnce { by, from, to } => self.boot_once(by, from.as_deref(), to.as_deref()),
            Step::SetSmt { from, to } => self.set_smt(from, to),
        };
        match result {
            Ok(outcome) => outcome,
            Err(Stop::Failed(error)) => Outcome::Failed(error),
            Err(Stop::InDoubt(mut doubt)) => {
                if let Some(bdf) = step.bdf() {
                    doubt.holders = holders_of(&self.root, bdf);
                }
                Outcome::InDoubt(*doubt)
            }
        }
    }

    /// The process in which the next write will happen (for the journal).
    pub fn child(&mut self) -> Option<Child> {
        self.writer.child()
    }

    /// What reads and writes attributes, for a look in between.
    pub fn attributes(&mut self) -> &mut dyn AttrWriter {
        self.writer.as_mut()
    }

    /// Write one attribute. The caller has seen that the path is inside. A
    /// refusal comes back as a value: the effect may be there all the same
    /// (somebody was faster, or the writing process was killed over it), and
    /// the caller looks.
    fn write(&mut self, path: &Path, value: &str) -> Result<Result<(), ApplyError>, Stop> {
        let path = path.to_owned();
        let value = value.to_owned();
        match self.writer.write(&path, &value) {
            Wrote::Done => Ok(Ok(())),
            Wrote::Failed { errno, text } => {
                Ok(Err(ApplyError::Write { path, value, errno, text }))
            }
            Wrote::InDoubt(stuck) => {
                let holders = Fact::Unknown(Why::NotObserved);
                Err(Stop::InDoubt(Box::new(Doubt { path, value, stuck, holders })))
            }
        }
    }
}

impl From<ApplyError> for Stop {
    fn from(error: ApplyError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, value, stuck, holders } = self;
        let (value, path) = (value.trim_end(), path.display());
        let seconds = stuck.waited.as_secs();
        write!(f, "writing `{value}` to `{path}` has not come back after {seconds} s: ")?;
        write!(f, "process {} is in the kernel", stuck.pid)?;
        if let Some(channel) = &stuck.wait_channel {
            write!(f, ", in {channel}")?;
        }
        holders.known().into_iter().flatten().try_for_each(|holder| write!(f, "; {holder}"))
    }
}

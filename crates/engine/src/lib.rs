//! The verbs, and the journal that makes them safe.
//!
//! In: what a user wants, in the user's words. Out: what was done, with every
//! change journaled before it was made. Never: a path of the machine (that is
//! `host`'s), a decision about a device (that is `model`'s), or a word of the
//! terminal or the wire.
//!
//! ```text
//! Engine ── turn (lock, database, recover) ── observe ── plan ── transaction ── store
//!                                                                 (journal → apply → mark)
//! ```
//!
//! Modules stand in reading order.

pub mod error;
pub mod name;

pub mod lock;
pub mod state;
pub mod store;

pub mod assignment;
mod target;
mod tell;

mod transaction;
mod turn;

pub mod bind;
pub mod devices;
pub mod release;
pub mod reset;

pub mod check;
pub mod persist;
pub mod prepare;

pub mod aftermath;
pub mod recover;

pub mod request;
pub mod run;

pub mod attach;
pub mod console;
pub mod detach;
pub mod instances;
pub mod stop;

pub mod spawn;
pub mod supervise;

mod ear;
mod gone;
mod guest;
mod present;
#[cfg(test)]
mod sequences;
mod watch;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use host::apply::Applier;
use host::observe::{Depth, driver_override, guest_driver, observe};
use host::paths::Root;
use model::function::is_for_guests;
use model::port::{AttrWriter, FileGate, Runner};
use model::{Bdf, Snapshot, Step, Why};

use assignment::Holdings;
use spawn::OwnProgram;
use store::{InEffect, Store};
use tell::Tell;

pub use attach::HandOver;
pub use bind::{BindRequest, Report};
pub use error::Error;
pub use instances::{Files, Instance, InstanceSpec};
pub use name::Name;
pub use recover::{Recovered, Unfinished};
pub use request::{Grace, Hugepages, NetworkRequest, RunRequest};
pub use run::{RunPlan, Started};
pub use state::StateDir;
pub use stop::Ended;
pub use store::{InstanceState, Process, Registered};
pub use target::resolve;

/// What carries the verbs out: a machine, a state directory, and the two ways
/// to change the machine.
#[derive(Debug)]
pub struct Engine {
    root: Root,
    state: StateDir,
    applier: Applier,
    interrupt: Arc<AtomicBool>,
    patience: Duration,
    let_go: Duration,
    own: OwnProgram,
    tell: Tell,
}

impl Engine {
    /// An engine for the machine below `root`. Nothing is read or made yet.
    pub fn new(
        root: Root,
        state: StateDir,
        writer: Box<dyn AttrWriter>,
        runner: Box<dyn Runner>,
    ) -> Self {
        Self {
            applier: Applier::new(root.clone(), writer, runner),
            own: OwnProgram::new(&state),
            root,
            state,
            interrupt: Arc::default(),
            patience: Duration::from_secs(5),
            let_go: Duration::from_secs(10),
            tell: Tell::default(),
        }
    }

    /// A flag that, once set, makes a verb stop before its next step and undo
    /// what it did.
    #[must_use]
    pub fn interrupted_by(mut self, flag: Arc<AtomicBool>) -> Self {
        self.interrupt = flag;
        self
    }

    /// How long to wait for another passthru that is at work (5 s at first).
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Somebody who is told each step, an undoing one included, just before
    /// it is applied.
    #[must_use]
    pub fn telling(mut self, tell: impl FnMut(&Step) + 'static) -> Self {
        self.tell = Tell::new(tell);
        self
    }

    /// The program that instances are supervised with, and its arguments
    /// before the subcommand, in place of this very program; systemd is then
    /// not asked to run it.
    #[must_use]
    pub fn own_program<I>(mut self, program: impl Into<PathBuf>, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        let args = args.into_iter().map(Into::into).collect();
        self.own = OwnProgram { program: program.into(), args, systemd: false };
        self
    }

    /// How long processes have to let go of a device after the services were
    /// stopped that started them; 10 s unless told otherwise.
    #[must_use]
    pub fn let_go(mut self, wait: Duration) -> Self {
        self.let_go = wait;
        self
    }

    /// How long to wait for a driver after the kernel was asked for it.
    #[must_use]
    pub fn probe_wait(mut self, wait: Duration) -> Self {
        self.applier = self.applier.probe_wait(wait);
        self
    }

    /// Who sees each change of a file of the machine before it is made.
    #[must_use]
    pub fn gate(mut self, gate: Box<dyn FileGate>) -> Self {
        self.applier = self.applier.gate(gate);
        self
    }

    /// The state directory.
    pub fn state(&self) -> &StateDir {
        &self.state
    }

    /// The machine as it is now, holders included; `driver_override` is left
    /// out where reading it might block, and so are the registers of what is
    /// in doubt. A database that cannot be read is told by whoever needs it.
    pub fn observe(&self) -> Snapshot {
        self.observe_beside(&self.holdings().unwrap_or_default())
    }

    /// Everything about the machine, which is what checks judge by.
    fn observe_whole(&self) -> Snapshot {
        let holdings = self.holdings().unwrap_or_default();
        observe(&self.root, Depth::Whole.sparing(&holdings.in_doubt()))
    }

    fn observe_beside(&self, holdings: &Holdings) -> Snapshot {
        observe(&self.root, Depth::Plan.sparing(&holdings.in_doubt()))
    }

    /// The same machine with these devices awake, whose registers decide about
    /// the guest (interrupt remapping, say). They are about to be taken, which
    /// wakes them anyway; a dry run leaves them asleep.
    fn awake(&self, snapshot: Snapshot, devices: &[Bdf]) -> Result<Snapshot, Error> {
        let asleep = |bdf: &Bdf| {
            let function = snapshot.get(*bdf);
            function.is_some_and(|function| function.config.why() == Some(&Why::Suspended))
        };
        let asleep: Vec<Bdf> =
            bind::movers(&snapshot, devices).into_iter().filter(asleep).collect();
        if asleep.is_empty() {
            return Ok(snapshot);
        }
        let in_doubt = self.holdings()?.in_doubt();
        Ok(observe(&self.root, Depth::Plan.sparing(&in_doubt).waking(&asleep)))
    }

    /// Adds what only a plan about these functions needs. Reading it takes
    /// each device's lock, so it is done for no others: one of them may be
    /// stuck.
    fn look_closer(&mut self, snapshot: &mut Snapshot, functions: &[Bdf]) {
        for bdf in functions {
            let Some(function) = snapshot.functions.get_mut(bdf) else { continue };
            let in_doubt = function.config.why() == Some(&Why::InDoubt);
            if function.driver_override.known().is_none() && !in_doubt {
                let attrs = self.applier.attributes();
                function.driver_override = driver_override(&self.root, *bdf, attrs);
            }
        }
    }

    /// Adds whether the kernel has the driver that a bind is for.
    fn look_for_driver(&self, snapshot: &mut Snapshot, driver: &str) {
        let drivers = &mut snapshot.machine.guest_drivers;
        if is_for_guests(driver) && !drivers.contains_key(driver) {
            drivers.insert(driver.to_owned(), guest_driver(&self.root, driver));
        }
    }

    /// The function that a user's text means.
    pub fn resolve(&self, text: &str, snapshot: &Snapshot) -> Result<Bdf, Error> {
        target::resolve(text, snapshot, &self.registered()?)
    }

    /// What guests hold, and what is in doubt. Needs no lock.
    pub fn holdings(&self) -> Result<Holdings, Error> {
        match Store::open_reading(&self.state)? {
            Some(store) => turn::holdings(&store, &turn::boot_id(&self.root)?),
            None => Ok(Holdings::default()),
        }
    }

    /// What was done to functions and has its effect still. Nothing has on
    /// another device that sits there by now.
    fn in_effect(&self, snapshot: &Snapshot, functions: &[Bdf]) -> Result<Vec<InEffect>, Error> {
        let Some(store) = Store::open_reading(&self.state)? else { return Ok(Vec::new()) };
        let bindings = store.bindings()?;
        let gone = bindings.iter().filter(|binding| gone::is_gone(binding, snapshot));
        let gone: Vec<Bdf> = gone.map(|binding| binding.bdf).collect();
        let there: Vec<Bdf> =
            functions.iter().copied().filter(|function| !gone.contains(function)).collect();
        store.in_effect(&there, &turn::boot_id(&self.root)?)
    }
}

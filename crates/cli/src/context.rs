//! Which machine, which state, and how to answer: what every verb is given.
//!
//! In: the global options. Out: a [`Context`]. A recording is unpacked into a
//! temporary folder that goes away with the context.

use std::cell::Cell;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use engine::{Engine, StateDir};
use host::observe::{self, Depth, InDoubt, observe, observe_with};
use host::paths::Root;
use host::record::Recording;
use host::replay::Replay;
use host::run::{CommandRunner, NoCommands};
use host::write::ChildWriter;
use model::port::Runner;
use model::{Snapshot, Step};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::args::Global;
use crate::error::Error;
use crate::output::Look;

/// What every verb is given.
#[derive(Debug)]
pub struct Context {
    pub root: Root,
    /// The recording that the root is, which goes with the context.
    replay: Option<Replay>,
    state: StateDir,
    pub json: bool,
    verbose: bool,
    deadline: Duration,
    /// Whether an engine was handed out to change something.
    changes: Cell<bool>,
    pub look: Look,
}

impl Context {
    /// Opens the machine that the options name.
    pub fn new(global: Global) -> Result<Self, Error> {
        let replay = global.machine.as_deref().map(host::replay::load).transpose();
        let replay = replay.map_err(Error::Replay)?;
        let root = match (&replay, global.root) {
            (Some(replay), _) => replay.root().clone(),
            (None, Some(dir)) => below(dir)?,
            (None, None) => Root::real(),
        };
        let state = match (global.state, &replay) {
            (None, Some(_)) => StateDir::elsewhere(),
            (path, _) => {
                let path = path.unwrap_or_else(|| root.at(StateDir::DEFAULT));
                // Processes that are started with it run in another folder.
                StateDir::new(std::path::absolute(&path).unwrap_or(path))
            }
        };
        let look = Look::of_stdout();
        let Global { json, verbose, deadline, .. } = global;
        let deadline = Duration::from_secs(deadline.into());
        Ok(Self { root, replay, state, json, verbose, deadline, changes: Cell::new(false), look })
    }

    /// What is to be left alone when the machine is looked at. Who cannot
    /// read the state is told elsewhere.
    pub fn in_doubt(&self) -> InDoubt {
        self.engine().holdings().map(|known| known.in_doubt()).unwrap_or_default()
    }

    /// The machine as a listing needs it.
    pub fn observe(&self, in_doubt: &InDoubt) -> Snapshot {
        observe(&self.root, Depth::Listing.sparing(in_doubt))
    }

    /// Everything about the machine. What may block is read in a child.
    pub fn observe_whole(&self, look: observe::Look<'_>) -> Snapshot {
        match self.root.is_real() {
            true => observe_with(&self.root, look, &mut self.writer()),
            false => observe(&self.root, look),
        }
    }

    /// Says what takes long, to somebody who watches.
    pub fn waiting(&self, what: impl Display) {
        if !self.json && io::stderr().is_terminal() {
            let _ = writeln!(io::stderr(), "{what} …");
        }
    }

    /// Whether the verb is one that changes something.
    pub fn changes(&self) -> bool {
        self.changes.get()
    }

    /// What writes, and reads what may block.
    fn writer(&self) -> ChildWriter {
        ChildWriter::new().deadline(self.deadline)
    }

    /// An engine to ask.
    pub fn engine(&self) -> Engine {
        let writer = Box::new(self.writer());
        let runner: Box<dyn Runner> = match self.root.is_real() {
            true => Box::new(CommandRunner),
            false => Box::new(NoCommands),
        };
        Engine::new(self.root.clone(), self.state.clone(), writer, runner)
    }

    /// An engine to change this machine with. From here on a signal asks the
    /// engine to take back what it did, instead of ending the program.
    pub fn changing_engine(&self) -> Result<Engine, Error> {
        if !self.root.is_real() {
            return Err(Error::NotThisMachine);
        }
        self.engine_to_change()
    }

    /// An engine for these steps: on this machine for any, in another one's
    /// tree for those that change files and nothing else. A program of this
    /// machine would work on this machine's files.
    pub fn engine_for(&self, steps: &[Step]) -> Result<Engine, Error> {
        if self.root.is_real() || self.replay.is_some() {
            return self.changing_engine();
        }
        match steps.iter().find(|step| !step.is_of_files()) {
            Some(step) => Err(Error::StepElsewhere(step.to_string())),
            None => self.engine_to_change(),
        }
    }

    fn engine_to_change(&self) -> Result<Engine, Error> {
        self.changes.set(true);
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .map_err(|source| Error::Io { doing: "catch signals".to_owned(), source })?;
        }
        let engine = self.engine().interrupted_by(flag);
        // Steps are for somebody who watches, or asked for them.
        match self.verbose || (!self.json && io::stderr().is_terminal()) {
            true => Ok(engine.telling(|step| {
                // Whoever stopped reading still gets the work done.
                let _ = writeln!(io::stderr(), "- {step}");
            })),
            false => Ok(engine),
        }
    }
}

/// A tree to look at. One that is not there is a slip of the pen, and no
/// machine without devices.
fn below(dir: PathBuf) -> Result<Root, Error> {
    match dir.join(".").metadata() {
        Ok(_) if Recording::is_folder(&dir) => Err(Error::RecordingAsRoot(dir)),
        Ok(_) => Ok(Root::new(dir)),
        Err(source) => Err(Error::Io { doing: format!("look below {}", dir.display()), source }),
    }
}

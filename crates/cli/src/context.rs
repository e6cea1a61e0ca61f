//! Which machine, which state, and how to answer: what every verb is given.
//!
//! In: the global options. Out: a [`Context`]. A recording is unpacked into a
//! temporary folder that goes away with the context.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use engine::{Engine, StateDir};
use host::observe::{Depth, observe};
use host::paths::Root;
use host::run::CommandRunner;
use host::write::ChildWriter;
use model::Snapshot;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::args::Global;
use crate::error::Error;
use crate::output::Look;

/// What every verb is given.
#[derive(Debug)]
pub struct Context {
    pub root: Root,
    state: StateDir,
    pub json: bool,
    verbose: bool,
    pub look: Look,
}

impl Context {
    /// Opens the machine that the options name.
    pub fn new(global: Global) -> Result<Self, Error> {
        let root = global.root.map_or_else(Root::real, Root::new);
        let state = global.state.unwrap_or_else(|| root.at(StateDir::DEFAULT));
        let look = Look::of_stdout();
        let Global { json, verbose, .. } = global;
        Ok(Self { root, state: StateDir::new(state), json, verbose, look })
    }

    /// The machine as it is now.
    pub fn observe(&self, depth: Depth) -> Snapshot {
        observe(&self.root, depth)
    }

    /// An engine to ask.
    pub fn engine(&self) -> Engine {
        let writer = Box::new(ChildWriter::new());
        Engine::new(self.root.clone(), self.state.clone(), writer, Box::new(CommandRunner))
    }

    /// An engine to change this machine with. From here on a signal asks the
    /// engine to take back what it did, instead of ending the program.
    pub fn changing_engine(&self) -> Result<Engine, Error> {
        if !self.root.is_real() {
            return Err(Error::NotThisMachine);
        }
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, Arc::clone(&flag))
                .map_err(|source| Error::Io { doing: "catch signals".to_owned(), source })?;
        }
        Ok(self.engine().interrupted_by(flag))
    }

    /// Whether to tell every step: somebody watches, or asked for it.
    pub fn tells_steps(&self) -> bool {
        !self.json && (self.verbose || io::stderr().is_terminal())
    }
}

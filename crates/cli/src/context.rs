//! Which machine, which state, and how to answer: what every verb is given.
//!
//! In: the global options. Out: a [`Context`]. A recording is unpacked into a
//! temporary folder that goes away with the context.

use engine::state::StateDir;
use engine::store::{Registered, Store};
use host::observe::{Depth, observe};
use host::paths::Root;
use model::Snapshot;

use crate::args::Global;
use crate::error::Error;
use crate::output::Look;

/// What every verb is given.
#[derive(Debug)]
pub struct Context {
    pub root: Root,
    pub state: StateDir,
    pub json: bool,
    pub verbose: bool,
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

    /// Refuses, unless this is the machine that the program runs on.
    pub fn refuse_elsewhere(&self) -> Result<(), Error> {
        if self.root.is_real() { Ok(()) } else { Err(Error::NotThisMachine) }
    }

    /// The registered devices; none where passthru never ran.
    pub fn registered(&self) -> Result<Vec<Registered>, Error> {
        match Store::open_reading(&self.state)? {
            Some(store) => Ok(store.devices()?),
            None => Ok(Vec::new()),
        }
    }
}

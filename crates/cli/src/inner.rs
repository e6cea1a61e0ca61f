//! The program as it starts itself: what writes, what supervises an instance,
//! what becomes its hypervisor. Nobody types these, so they are no part of the
//! command line that is told and completed; and each start of one is waited
//! for, so it is spared all of that.

use std::ffi::OsString;

use clap::{Args, Parser, Subcommand};
use engine::spawn::{DETACH, GUEST, SUPERVISE};
use engine::{Name, Process};
use host::process::close_inherited;
use host::write::{SUBCOMMAND as WRITER, run_child};

use crate::args::Global;
use crate::context::Context;
use crate::error::Error;

#[derive(Debug, Parser)]
#[command(name = "passthru")]
struct Inner {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// See an instance through to its end
    #[command(name = SUPERVISE)]
    Supervise(Instance),
    /// Leave the caller's session and start a supervisor
    #[command(name = DETACH)]
    Detach(Instance),
    /// Become an instance's hypervisor
    #[command(name = GUEST)]
    Guest(Instance),
}

#[derive(Debug, Args)]
struct Instance {
    name: Name,
    /// The process that saw to it until now
    pid: u32,
    /// Its start time
    start_time: u64,
}

/// Runs the program as itself; `None` when somebody else started it.
pub(crate) fn run(args: &[OsString]) -> Option<Result<(), Error>> {
    match args {
        [_, verb] if verb == WRITER => Some(
            run_child().map_err(|source| Error::Io { doing: "serve writes".to_owned(), source }),
        ),
        // Behind `--state DIR`: see `engine::spawn`.
        [_, _, _, verb, ..] if [SUPERVISE, DETACH, GUEST].iter().any(|inner| verb == inner) => {
            let inner = Inner::try_parse_from(args).map_err(Error::Arguments);
            Some(inner.and_then(Inner::exec))
        }
        _ => None,
    }
}

impl Inner {
    fn exec(self) -> Result<(), Error> {
        let cx = Context::new(self.global)?;
        let engine = |instance: &Instance| {
            let from = Process { pid: instance.pid, start_time: instance.start_time };
            (cx.engine(), instance.name.clone(), from)
        };
        match &self.verb {
            Verb::Supervise(instance) => {
                let (mut engine, name, from) = engine(instance);
                Ok(engine.supervise(&name, from)?)
            }
            Verb::Detach(instance) => {
                // The guest is not to hold a lock of the shell that it was started from.
                close_inherited();
                let (engine, name, from) = engine(instance);
                Ok(engine.detach_supervisor(&name, from)?)
            }
            Verb::Guest(instance) => {
                let (engine, name, from) = engine(instance);
                Ok(engine.become_guest(&name, from)?)
            }
        }
    }
}

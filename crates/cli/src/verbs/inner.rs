//! Subcommands that passthru starts itself with; nobody types them.

use clap::Args;
use engine::{Name, Process};

use crate::context::Context;
use crate::error::Error;

/// What the subcommands about an instance are given.
#[derive(Debug, Args)]
pub struct From {
    /// The instance
    name: Name,
    /// The process that saw to it until now
    pid: u32,
    /// Its start time
    start_time: u64,
}

/// See an instance through to its end
#[derive(Debug, Args)]
pub struct Supervise {
    #[command(flatten)]
    from: From,
}

/// Leave the caller's session and start a supervisor
#[derive(Debug, Args)]
pub struct Detach {
    #[command(flatten)]
    from: From,
}

/// Become an instance's hypervisor
#[derive(Debug, Args)]
pub struct Guest {
    #[command(flatten)]
    from: From,
}

impl From {
    fn process(&self) -> Process {
        Process { pid: self.pid, start_time: self.start_time }
    }
}

impl Supervise {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        Ok(cx.engine().supervise(&self.from.name, self.from.process())?)
    }
}

impl Detach {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        // The guest is not to hold a lock of the shell that it was started from.
        host::process::close_inherited();
        Ok(cx.engine().detach_supervisor(&self.from.name, self.from.process())?)
    }
}

impl Guest {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        Ok(cx.engine().become_guest(&self.from.name, self.from.process())?)
    }
}

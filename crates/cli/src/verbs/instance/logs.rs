//! `passthru instance logs`: what a guest said.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use clap::Args;
use engine::Name;
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::output::guarded::Guarded;
use crate::output::{json, print};

/// Print what an instance said on its console
///
/// On a terminal, escape sequences and control characters are left out: a
/// guest is not trusted. A pipe or file gets the bytes as they are.
#[derive(Debug, Args)]
pub struct Logs {
    /// A name from `passthru instance list`
    name: Name,

    /// Go on until the instance ends
    #[arg(short, long, conflicts_with = "json")]
    follow: bool,

    /// What the hypervisor said, in place of the guest
    #[arg(long)]
    hypervisor: bool,
}

/// Between two looks for more.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Serialize)]
struct LogJson<'a> {
    instance: &'a str,
    log: &'a str,
}

impl Logs {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        let engine = cx.engine();
        let files = engine.instance(&self.name)?.files;
        let path = match self.hypervisor {
            true => files.hypervisor_log(),
            false => files.console_log(),
        };
        let mut log = Log::open(&path)?;
        if cx.json {
            let bytes = log.more()?;
            let log = String::from_utf8_lossy(&bytes);
            return json::print(&LogJson { instance: self.name.as_str(), log: &log });
        }
        let mut guarded = io::stdout().is_terminal().then(Guarded::default);
        loop {
            // Asked before reading: what is said last is read, too.
            let goes_on = self.follow && engine.instance(&self.name)?.state.is_live();
            let bytes = log.more()?;
            match &mut guarded {
                Some(guarded) => print(|out| out.write_all(guarded.next(&bytes).as_bytes()))?,
                None => print(|out| out.write_all(&bytes))?,
            }
            if !goes_on {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
    }
}

/// A log that grows.
struct Log<'a> {
    path: &'a Path,
    /// `None` until the hypervisor has made it.
    file: Option<File>,
}

impl<'a> Log<'a> {
    fn open(path: &'a Path) -> Result<Self, Error> {
        let mut log = Self { path, file: None };
        log.look()?;
        Ok(log)
    }

    fn look(&mut self) -> Result<(), Error> {
        if self.file.is_none() {
            self.file = match File::open(self.path) {
                Ok(file) => Some(file),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => return Err(self.failed(error)),
            };
        }
        Ok(())
    }

    /// What was added since the last time.
    fn more(&mut self) -> Result<Vec<u8>, Error> {
        self.look()?;
        let mut bytes = Vec::new();
        let read = self.file.as_mut().map(|file| file.read_to_end(&mut bytes)).transpose();
        read.map_err(|error| self.failed(error))?;
        Ok(bytes)
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::Io { doing: format!("read {}", self.path.display()), source }
    }
}

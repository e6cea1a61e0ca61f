//! The child's side: one request after the other, until the pipe closes.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use nix::sys::signal::{SigSet, Signal};
use rustix::io::Errno;

use super::wire::{PAGE, Reply, Request};
use crate::process;

/// Be the child: serve over standard input and output until the parent closes
/// the pipe or goes away. To be called first thing in a program of its own.
///
/// Signals that ask a program to end are blocked: the parent decides what
/// becomes of a half-applied plan, and needs this process to undo it (Ctrl-C,
/// or systemd ending the whole unit). Blocked and not caught, so that none
/// interrupts a write in the kernel.
pub fn run_child() -> io::Result<()> {
    process::close_inherited();
    let asking = [Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT, Signal::SIGTERM];
    asking.into_iter().collect::<SigSet>().thread_block()?;
    serve(io::stdin().lock(), io::stdout().lock())
}

/// Answer requests until there are no more.
fn serve(mut requests: impl Read, mut replies: impl Write) -> io::Result<()> {
    while let Some(request) = Request::from_pipe(&mut requests)? {
        let reply = match request {
            Request::Write { path, value } => write(&path, &value),
            Request::Read { path } => read(&path),
        };
        replies.write_all(&reply.to_bytes())?;
        replies.flush()?;
    }
    Ok(())
}

/// Opened as a shell's `>` does it, less the creating: sysfs ignores the
/// truncation, and a plain file below another root ends up with the value alone.
fn write(path: &Path, value: &[u8]) -> Reply {
    let mut file = match OpenOptions::new().write(true).truncate(true).open(path) {
        Ok(file) => file,
        Err(error) => return Reply::NotOpened(errno(&error)),
    };
    // One write, one value: an attribute never sees the rest of a short one.
    match file.write(value) {
        Ok(written) if written == value.len() => Reply::Done(Vec::new()),
        Ok(_) => Reply::Refused(Errno::IO.raw_os_error()),
        Err(error) => Reply::Refused(errno(&error)),
    }
}

fn read(path: &Path) -> Reply {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return Reply::NotOpened(errno(&error)),
    };
    let mut content = Vec::new();
    match file.take(PAGE as u64).read_to_end(&mut content) {
        Ok(_) => Reply::Done(content),
        Err(error) => Reply::Refused(errno(&error)),
    }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(Errno::IO.raw_os_error())
}

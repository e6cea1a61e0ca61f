//! The parent's side: one child process and the pipe to it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use model::port::{self, Stuck};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::wire::{Reply, Request};
use crate::paths::Root;
use crate::process;

/// A child that waits for requests, or is in the kernel with one.
#[derive(Debug)]
pub(super) struct Worker {
    child: Child,
    requests: ChildStdin,
    replies: ChildStdout,
    start_time: u64,
}

/// Why there is no reply.
pub(super) enum Silence {
    /// It ended over the request, which may have had its effect, or before.
    Ended(io::Error),
    /// It is in the kernel with the request still.
    Late,
}

impl Worker {
    /// A group of its own keeps a terminal's Ctrl-C away from it. It
    /// inherits no lock: std opens every file with `O_CLOEXEC`.
    pub(super) fn start(program: &Path, args: &[OsString]) -> io::Result<Self> {
        let mut child = Command::new(program)
            .args(args)
            .arg0("passthru")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // An abandoned child must not keep its parent's terminal or pipe open.
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(requests), Some(replies)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipe to the child"));
        };
        let start_time = process::start_time(&Root::real(), child.id())?.unwrap_or_default();
        Ok(Self { child, requests, replies, start_time })
    }

    pub(super) fn identity(&self) -> port::Child {
        port::Child { pid: self.child.id(), start_time: self.start_time }
    }

    /// Whether the process is gone (killed, most likely).
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ask, and wait for the reply until the deadline.
    pub(super) fn ask(&mut self, request: &Request, until: Instant) -> Result<Reply, Silence> {
        // The pipe is empty, and holds more than the longest request: this does not block.
        self.requests.write_all(&request.to_bytes()).map_err(Silence::Ended)?;
        let mut bytes = Vec::new();
        loop {
            if let Some(reply) = Reply::from_bytes(&bytes).map_err(Silence::Ended)? {
                return Ok(reply);
            }
            if !self.readable(until).map_err(Silence::Ended)? {
                return Err(Silence::Late);
            }
            let mut chunk = [0; 4096 + 16];
            match self.replies.read(&mut chunk) {
                Ok(0) => return Err(Silence::Ended(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => bytes.extend(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Silence::Ended(error)),
            }
        }
    }

    /// Whether the child has said something, or ended, before the deadline.
    fn readable(&self, until: Instant) -> io::Result<bool> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
            let mut fds = [PollFd::new(&self.replies, PollFlags::IN)];
            match poll(&mut fds, Some(&timeout)) {
                Ok(ready) => return Ok(ready > 0),
                // Ctrl-C of the parent's user; whoever called looks at that later.
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Give up on a child: say where it is, and let it end as soon as the
    /// kernel lets go of it. What is left is to be reaped, not waited for.
    pub(super) fn abandon(mut self, waited: Duration) -> (Stuck, Child) {
        let port::Child { pid, start_time } = self.identity();
        let wait_channel = process::wait_channel(&Root::real(), pid);
        // Ends a wait that may be interrupted; a deeper one ignores it until
        // it is over, and then the child has nothing left to do.
        let _ = self.child.kill();
        (Stuck { pid, start_time, wait_channel, waited }, self.child)
    }

    /// See that a child ends that said no more.
    pub(super) fn finish(mut self, patience: Duration) -> Option<Child> {
        drop(self.requests);
        let until = Instant::now() + patience;
        let timeout = Timespec::try_from(patience).ok();
        let mut fds = [PollFd::new(&self.replies, PollFlags::IN)];
        // It has nothing to say any more: the pipe closes as it ends.
        let _ = poll(&mut fds, timeout.as_ref());
        while Instant::now() < until {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return None;
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Some(self.child)
    }
}

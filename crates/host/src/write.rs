//! Writing attributes of the kernel without ever waiting for ever.
//!
//! In: a path, a value, a deadline. Out: done, refused in the kernel's
//! words, or *in doubt*. A write to sysfs can block in the kernel in a state
//! that ignores even SIGKILL (an unbind of a driver whose device is in use),
//! and may complete minutes later. So it happens in a child, which is
//! abandoned at the deadline:
//!
//! ```text
//! ChildWriter ──request──▶ child (this program, `__writer`) ──▶ kernel
//!             ◀──reply───
//!      └ deadline: Wrote::InDoubt(pid, start time, wait channel);
//!        the next request gets a new child
//! ```
//!
//! One child serves all writes of a plan, since starting a process costs more
//! than most of them. Never: a fork without exec (it would inherit locks), a
//! wait for an abandoned child, a retry of a write that may have happened.

mod child;
mod serve;
mod wire;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

use model::port::{self, AttrWriter, Showed, Stuck, Wrote, errno_text};
use rustix::io::Errno;

use crate::paths::Root;
use crate::process;
use child::{Silence, Worker};
use wire::{Reply, Request};

pub use serve::run_child;

/// The subcommand that makes this program a writer's child: it calls [`run_child`].
pub const SUBCOMMAND: &str = "__writer";

/// How long a write may take before it is in doubt.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// How long a child may take to end whose pipe broke over a request.
const FAREWELL: Duration = Duration::from_millis(500);

/// Writes in a child process that can be abandoned.
#[derive(Debug)]
pub struct ChildWriter {
    program: PathBuf,
    args: Vec<OsString>,
    deadline: Duration,
    worker: Option<Worker>,
    /// Children that were given up and have not been seen to end.
    abandoned: Vec<Child>,
}

/// How a request ended that got no reply.
enum Lost {
    Stuck(Stuck),
    Failed { errno: i32, text: String },
}

impl Default for ChildWriter {
    fn default() -> Self {
        Self::new()
    }
}

impl ChildWriter {
    /// A writer whose child is this very program, by the kernel's own link to
    /// it: an upgrade may have replaced the file meanwhile.
    pub fn new() -> Self {
        Self::with_command(Root::real().own_program(), [SUBCOMMAND])
    }

    /// A writer whose child is another program that calls [`run_child`].
    pub fn with_command<I>(program: impl Into<PathBuf>, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<OsString>,
    {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            deadline: DEADLINE,
            worker: None,
            abandoned: Vec::new(),
        }
    }

    /// How long a write may take ([`DEADLINE`] at first).
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// One request to the child. One that has ended is not replaced here: a
    /// process that nobody wrote down must not write. [`AttrWriter::child`]
    /// starts the next.
    fn ask(&mut self, request: &Request) -> Result<Reply, Lost> {
        self.reap();
        let begun = Instant::now();
        let mut worker = self.take_worker().map_err(|error| not_started(&error))?;
        match worker.ask(request, begun + self.deadline) {
            Ok(reply) => {
                self.worker = Some(worker);
                Ok(reply)
            }
            Err(Silence::Ended(error)) => {
                self.abandoned.extend(worker.finish(FAREWELL));
                Err(ended(&error))
            }
            Err(Silence::Late) => {
                let (stuck, child) = worker.abandon(begun.elapsed());
                self.abandoned.push(child);
                Err(Lost::Stuck(stuck))
            }
        }
    }

    fn take_worker(&mut self) -> io::Result<Worker> {
        match self.worker.take() {
            Some(worker) => Ok(worker),
            None => Worker::start(&self.program, &self.args),
        }
    }

    /// Take leave of abandoned children that have ended meanwhile.
    fn reap(&mut self) {
        self.abandoned.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }
}

impl AttrWriter for ChildWriter {
    fn write(&mut self, path: &Path, value: &str) -> Wrote {
        let request = Request::Write { path: path.to_owned(), value: value.into() };
        match self.ask(&request) {
            Ok(Reply::Done(_)) => Wrote::Done,
            Ok(Reply::Refused(errno)) => Wrote::failed(errno),
            Ok(Reply::NotOpened(errno)) => Wrote::Failed { errno, text: not_opened(errno) },
            Err(Lost::Failed { errno, text }) => Wrote::Failed { errno, text },
            Err(Lost::Stuck(stuck)) => Wrote::InDoubt(stuck),
        }
    }

    fn read(&mut self, path: &Path) -> Showed {
        match self.ask(&Request::Read { path: path.to_owned() }) {
            Ok(Reply::Done(content)) => Showed::Content(content),
            Ok(Reply::Refused(errno)) => Showed::failed(errno),
            Ok(Reply::NotOpened(errno)) => Showed::Failed { errno, text: not_opened(errno) },
            Err(Lost::Failed { errno, text }) => Showed::Failed { errno, text },
            Err(Lost::Stuck(stuck)) => Showed::Stuck(stuck),
        }
    }

    fn child(&mut self) -> Option<port::Child> {
        drop(self.worker.take_if(Worker::has_ended));
        let worker = self.take_worker().ok()?;
        let identity = worker.identity();
        self.worker = Some(worker);
        Some(identity)
    }
}

impl Drop for ChildWriter {
    fn drop(&mut self) {
        // An idle child ends when its pipe closes; nobody waits for that.
        drop(self.worker.take());
        // Whoever is left is stuck: init reaps it when the kernel lets go.
        self.reap();
    }
}

/// Whether a process that was stuck in the kernel has come out and ended:
/// what it wrote has happened by now, or never will.
pub fn has_ended(root: &Root, stuck: &Stuck) -> io::Result<bool> {
    let Stuck { pid, start_time, .. } = *stuck;
    process::is_alive(root, port::Child { pid, start_time }).map(|alive| !alive)
}

fn not_opened(errno: i32) -> String {
    format!("cannot be opened: {}", errno_text(errno))
}

fn not_started(error: &io::Error) -> Lost {
    // Not the error's own number: it is about the program, not the attribute.
    let text = format!("cannot start the process that writes: {error}");
    Lost::Failed { errno: Errno::CHILD.raw_os_error(), text }
}

fn ended(error: &io::Error) -> Lost {
    let text = format!("the process that writes ended before it answered: {error}");
    Lost::Failed { errno: Errno::PIPE.raw_os_error(), text }
}

//! Faults to order: refusals, hangs, death.
//!
//! Writes, commands and changes of files are counted together, from 1, in the
//! order in which they reach the machine.

use std::fmt;

use model::port::{Cmd, FileChange};
use rustix::io::Errno;

/// One thing that was asked of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// A value, and the path as it was given, below the root (`sys/bus/…`).
    Write {
        path: String,
        value: String,
    },
    Run(Cmd),
    /// A change of a file, by its path below the root.
    File {
        change: FileChange,
        path: String,
    },
}

/// Which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum On {
    Nth(usize),
    /// A write to a path that ends with this.
    Path(String),
    /// A write of this value to a path that ends with this.
    Write {
        path: String,
        value: String,
    },
    /// A command line that begins with this.
    Command(String),
    /// Every write.
    AnyWrite,
    /// Such a change of a file whose path has this in it.
    File {
        change: FileChange,
        within: String,
    },
    /// Every change of a file below a folder (`boot/`).
    Below(String),
}

/// The program's death at a point in its work: what was asked for is not
/// done (`Before`), or done without anybody learning of it (`After`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Before(usize),
    After(usize),
}

/// What the machine does instead of what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Refuse(Errno),
    Hang,
}

#[derive(Clone, Debug)]
pub(crate) struct Injection {
    pub on: On,
    pub fault: Fault,
    /// Gone after the first time.
    pub once: bool,
}

impl On {
    pub fn nth(count: usize) -> Self {
        Self::Nth(count)
    }

    pub fn path(end: &str) -> Self {
        Self::Path(end.to_owned())
    }

    pub fn write(end: &str, value: &str) -> Self {
        Self::Write { path: end.to_owned(), value: value.to_owned() }
    }

    pub fn command(beginning: &str) -> Self {
        Self::Command(beginning.to_owned())
    }

    pub fn below(folder: &str) -> Self {
        Self::Below(folder.to_owned())
    }

    pub fn file(change: FileChange, within: &str) -> Self {
        Self::File { change, within: within.to_owned() }
    }

    pub(crate) fn matches(&self, count: usize, op: &Op) -> bool {
        match (self, op) {
            (Self::Nth(nth), _) => *nth == count,
            (Self::Path(end), Op::Write { path, .. }) => path.ends_with(end.as_str()),
            (Self::Write { path: end, value: wanted }, Op::Write { path, value }) => {
                path.ends_with(end.as_str()) && value.trim_end() == wanted
            }
            (Self::Command(beginning), Op::Run(cmd)) => {
                cmd.to_string().starts_with(beginning.as_str())
            }
            (Self::AnyWrite, Op::Write { .. }) => true,
            (Self::File { change, within }, Op::File { change: found, path }) => {
                change == found && path.contains(within.as_str())
            }
            (Self::Below(folder), Op::File { path, .. }) => path.starts_with(folder.as_str()),
            _ => false,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { path, value } => write!(f, "{} > {path}", value.escape_debug()),
            Self::Run(cmd) => cmd.fmt(f),
            Self::File { change, path } => write!(f, "{change:?} {path}"),
        }
    }
}

/// The program died. Not a panic with a message: nothing is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Killed;

/// Run something until it ends or the machine kills it (see
/// [`FakeHost::kill`](crate::FakeHost::kill)). Whatever it held in memory is
/// gone then; what it wrote to files and the tree is there.
pub fn until_killed<T>(work: impl FnOnce() -> T) -> Result<T, Killed> {
    let work = std::panic::AssertUnwindSafe(work);
    std::panic::catch_unwind(work).map_err(|payload| match payload.downcast::<Killed>() {
        Ok(killed) => *killed,
        Err(other) => std::panic::resume_unwind(other),
    })
}

pub(crate) fn die() -> ! {
    std::panic::resume_unwind(Box::new(Killed))
}

//! Why a step could not be applied, in the kernel's words, and what to do about it.
//!
//! In: error numbers and what was found instead. Out: one sentence that names
//! the object and the path, and a hint. Values only, so that the journal and
//! the reply can keep them.

use std::io;
use std::path::{Path, PathBuf};

use model::Bdf;
use model::port::{Cmd, Output, RunError, Stuck};
use model::usage::Holder;
use rustix::io::Errno;
use thiserror::Error;

use crate::run::stderr_tail;

/// Why a step was not applied. Nothing was changed by it unless the text says so.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApplyError {
    #[error("{bdf} is no longer there")]
    Vanished { bdf: Bdf },
    #[error("{what} of {bdf} is {found}, not {expected}: somebody changed it since it was read")]
    Moved { bdf: Bdf, what: &'static str, expected: String, found: String },
    /// Found right before the driver was to be taken away: it would wait in
    /// the kernel for that process.
    #[error("{bdf} is still in use: {}", all(holders))]
    Held { bdf: Bdf, holders: Vec<Holder> },
    #[error("cannot write `{}` to `{}`: {text}", value.trim_end(), path.display())]
    Write { path: PathBuf, value: String, errno: i32, text: String },
    #[error("cannot read `{}`: {text}", path.display())]
    Read { path: PathBuf, errno: i32, text: String },
    /// A read that waits for a lock which somebody else's change holds.
    #[error("cannot read `{}`: the device's lock has been held in the kernel for {} s by another change to it", path.display(), stuck.waited.as_secs())]
    Locked { path: PathBuf, stuck: Stuck },
    #[error("`{}` is not there: {meaning}", path.display())]
    NoAttribute { path: PathBuf, meaning: &'static str },
    #[error("`{}` leads out of the root directory", path.display())]
    Outside { path: PathBuf },
    #[error("`{0}` cannot be the name of a driver, module or unit")]
    Name(String),
    /// With `found`, the kernel gave it to that driver instead.
    #[error("{bdf} was not bound to {expected}: {reason}")]
    NotBound { bdf: Bdf, expected: String, found: Option<String>, reason: String },
    #[error("`{}` took `{}` and still says `{found}`", path.display(), value.trim_end())]
    NoEffect { path: PathBuf, value: String, found: String },
    #[error("{bdf} answers every read with ones after its reset")]
    NoAnswer { bdf: Bdf },
    #[error("`{cmd}` {}: {stderr}", status_text(*status))]
    Command { cmd: Cmd, status: Option<i32>, stderr: String },
    #[error("{unit} is {state} after `{cmd}`")]
    Unit { unit: String, state: String, cmd: Cmd },
    #[error("cannot {doing} `{}`: {text}", path.display())]
    File { doing: &'static str, path: PathBuf, errno: i32, text: String },
    #[error("`{}` is not what it was: somebody changed it since it was read", path.display())]
    FileMoved { path: PathBuf },
    #[error("`{}` is not understood: {reason}", path.display())]
    NotUnderstood { path: PathBuf, reason: String },
    /// By a program that was to make a file beside the one in use.
    #[error("{0}")]
    NotRun(Box<ApplyError>),
    #[error("what {program} made is not as it must be: {reason}")]
    NotMade { program: String, reason: String },
    #[error("the next start is not by the entry `{entry}`, although {program} said so")]
    NotChosen { program: String, entry: String },
    #[error(transparent)]
    Run(#[from] RunError),
}

impl ApplyError {
    /// A command that ended badly, with the last of what it said.
    pub(super) fn command(cmd: Cmd, output: &Output) -> Self {
        let said = stderr_tail(output);
        let stderr = if said.is_empty() { "it said nothing" } else { said }.to_owned();
        Self::Command { cmd, status: output.status, stderr }
    }

    /// The kernel's error number, where there is one.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Write { errno, .. } | Self::Read { errno, .. } | Self::File { errno, .. } => {
                Some(*errno)
            }
            _ => None,
        }
    }

    /// What to do about it; `None` when the sentence says it all.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Vanished { .. } => {
                Some("it was unplugged or fell off its bus; the kernel log says when")
            }
            Self::Moved { .. } => Some("plan again; another program changes this device, too"),
            Self::Held { .. } => {
                Some("end that process first; stopping its service did not, or it came meanwhile")
            }
            Self::Write { errno, path, .. } => hint_for(*errno, path.ends_with("reset")),
            Self::Read { errno, .. } => hint_for(*errno, false),
            Self::File { errno, .. } => hint_for_files(*errno),
            Self::FileMoved { .. } => Some("plan again; another program changes this file, too"),
            Self::NotMade { .. } | Self::NotRun(_) => Some(
                "what was there before is in place; run the program by hand to see what it says",
            ),
            Self::NotChosen { .. } => Some("choose it in the menu at the next start"),
            Self::Locked { .. } => {
                Some("a bind or unbind of this device hangs in the kernel; see the kernel log")
            }
            Self::NotBound { found: None, .. } => Some("the kernel log says what the driver found"),
            Self::NoAnswer { .. } => Some("only a power cycle of the machine may bring it back"),
            Self::Run(RunError::Start { .. }) => {
                Some("the program is missing or may not be run; step in by hand, then try again")
            }
            Self::Run(RunError::Deadline { .. })
            | Self::NotBound { .. }
            | Self::NoAttribute { .. }
            | Self::Outside { .. }
            | Self::Name(_)
            | Self::NotUnderstood { .. }
            | Self::NoEffect { .. }
            | Self::Command { .. }
            | Self::Unit { .. } => None,
        }
    }
}

/// An error of a file, with its path and the kernel's words.
pub(super) fn failed(doing: &'static str, path: &Path, error: &io::Error) -> ApplyError {
    let errno = error.raw_os_error().unwrap_or_default();
    ApplyError::File { doing, path: path.to_owned(), errno, text: model::port::errno_text(errno) }
}

/// What the kernel's usual refusals mean when a device is moved.
fn hint_for(errno: i32, reset: bool) -> Option<&'static str> {
    Some(match Errno::from_raw_os_error(errno) {
        Errno::BUSY => "something still uses the device; `passthru show` names who holds it",
        Errno::INVAL => {
            "the driver refuses this device: vfio-pci takes no bridge and nothing without an \
             IOMMU group; a reserved memory region is named in the kernel log"
        }
        Errno::NODEV => "the device is not bound to that driver, or the driver does not know it",
        Errno::PERM => "the kernel is locked down (Secure Boot), or a security module forbids it",
        Errno::ROFS => "sysfs is mounted read-only, as in a container; run on the host itself",
        Errno::ACCESS => "only root may change devices; run as root",
        Errno::NOTTY if reset => "the device has no reset that works",
        Errno::NOENT => "this kernel does not offer it, or the device has just gone",
        Errno::IO => "the device does not answer; the kernel log says more",
        _ => return None,
    })
}

/// What the kernel's usual refusals mean when a file is changed.
fn hint_for_files(errno: i32) -> Option<&'static str> {
    Some(match Errno::from_raw_os_error(errno) {
        Errno::ROFS => {
            "its file system is mounted read-only: remount it, or this is an immutable image, whose own tools change it"
        }
        Errno::NOSPC => "its file system is full: remove old kernels, or give it more room",
        Errno::ACCESS | Errno::PERM => "only root may change it; run as root",
        _ => return None,
    })
}

fn all(holders: &[Holder]) -> String {
    holders.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn status_text(status: Option<i32>) -> String {
    match status {
        Some(status) => format!("ended with status {status}"),
        None => "was ended by a signal".to_owned(),
    }
}

//! What can go wrong in a verb.
//!
//! A refusal is data: nothing was changed, and every reason is there. All
//! else is a failure with a stable [`code`](Error::code) and a
//! [`hint`](Error::hint). What status or exit code is made of it is for
//! whoever talks to the user.

mod told;

use std::fmt;
use std::io;
use std::path::PathBuf;

use host::apply::{ApplyError, Doubt};
use hypervisors::ControlError;
use model::boot::source::EditError;
use model::plan::Refusal;
use model::plan::prepare::Unplanned;
use model::port::RunError;
use model::{Bdf, Reason, Step};
use thiserror::Error;

use crate::name::{Name, NameError};
use crate::store::InstanceState;

/// Why a verb did not do what was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// Nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A step failed; the report says what became of the others.
    #[error(transparent)]
    Failed(#[from] Box<Failure>),

    #[error("`{0}` is no device here: no address, no registered name, no vendor:device")]
    UnknownDevice(String),
    #[error("`{text}` could be {}", list(matches))]
    AmbiguousDevice { text: String, matches: Vec<Bdf> },
    #[error(transparent)]
    BadName(#[from] NameError),
    #[error("the name {0} is taken")]
    NameTaken(Name),
    #[error("{bdf} is registered already, as {name}")]
    AlreadyRegistered { bdf: Bdf, name: Name },
    #[error("no device is registered as {0}")]
    NotRegistered(Name),
    #[error("{0} cannot be registered: its ids cannot be read")]
    NoIdentity(Bdf),

    /// A file is not understood, or what was asked for cannot be had; nothing was changed.
    #[error(transparent)]
    Unplanned(Box<Unplanned>),

    #[error("another passthru is at work{}", holder(pid, verb))]
    Busy { path: PathBuf, pid: Option<u32>, verb: Option<String> },
    #[error("cannot use {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the state database {} fails", path.display())]
    State { path: PathBuf, source: rusqlite::Error },
    #[error("the state database {} is damaged", path.display())]
    StateDamaged { path: PathBuf, source: Damage },
    #[error("{} is a database of another program", path.display())]
    StateOfOthers { path: PathBuf },
    #[error("no room for the state database {}", path.display())]
    StateFull { path: PathBuf, source: rusqlite::Error },
    #[error(
        "the state database {} is of a later passthru (version {found}, this one knows {known})",
        path.display()
    )]
    StateNewer { path: PathBuf, found: usize, known: usize },
    #[error(
        "the state database {} is of an earlier passthru (version {found}, this one knows {known})",
        path.display()
    )]
    StateOlder { path: PathBuf, found: usize, known: usize },
    #[error("the state database {} is gone, but {} is there", path.display(), left.display())]
    StateMissing { path: PathBuf, left: PathBuf },
    #[error("the state directory {} belongs to user {owner}", path.display())]
    StateForeign { path: PathBuf, owner: u32 },
    #[error("others may write to the state directory {} (mode {mode:03o})", path.display())]
    StateOpen { path: PathBuf, mode: u32 },
    #[error("cannot tell this boot of the machine from others")]
    NoBootId(#[source] io::Error),
    #[error("cannot tell whether process {pid} still runs")]
    Process { pid: u32, source: io::Error },

    #[error(transparent)]
    Run(#[from] RunError),
    #[error("`{cmd}` failed: {said}")]
    Command { cmd: String, said: String },
    #[error("`{program}` is no QEMU")]
    NotQemu { program: String },
    #[error("cannot tell what {} is", path.display())]
    Image { path: PathBuf, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the path {} is too long for a socket ({} bytes, 107 at most)", path.display(), path.as_os_str().len())]
    SocketPath { path: PathBuf },

    #[error("there is an instance {0} already")]
    InstanceExists(Name),
    /// A signal asked to stop; what goes on all the same is said.
    #[error("interrupted: {text}")]
    Interrupted { text: String, hint: &'static str },
    #[error("instance {name} did not start: {text}")]
    NotStarted { name: Name, text: String },
    #[error("nobody came to see to instance {name}{}", said(text))]
    NoSupervisor { name: Name, text: String },
    #[error("{}", control(name, source))]
    Control { name: Name, source: ControlError },
    #[error("process {pid} of instance {name} does not end, not even by SIGKILL")]
    Undying { name: Name, pid: u32 },
    #[error("what instance {name} was started with cannot be read")]
    InstanceSpec { name: Name, source: serde_json::Error },
    #[error("cannot catch signals")]
    Signals(#[source] io::Error),
    #[error("cannot use the terminal")]
    Terminal(#[source] io::Error),
    #[error("no instance is named {0}")]
    NoInstance(Name),
    #[error("instance {name} is {state}")]
    InstanceState { name: Name, state: InstanceState },
}

impl From<Unplanned> for Error {
    fn from(error: Unplanned) -> Self {
        Self::Unplanned(Box::new(error))
    }
}

impl From<EditError> for Error {
    fn from(error: EditError) -> Self {
        Unplanned::from(error).into()
    }
}

/// A step that failed, and what became of the rest of its plan.
#[derive(Debug, Default)]
pub struct Failure {
    /// Why the plan stopped; the first is what came first.
    pub errors: Vec<StepError>,
    /// Steps that could not be undone.
    pub undo_errors: Vec<StepError>,
    /// Writes that have not come back from the kernel.
    pub doubts: Vec<StepDoubt>,
    /// A signal asked to stop.
    pub interrupted: bool,
    /// The journal could not be written any more, so the plan stopped.
    pub journal: Option<Box<Error>>,
}

/// A step, and why it failed.
#[derive(Debug)]
pub struct StepError {
    pub step: Step,
    pub error: ApplyError,
}

/// A step that is in the kernel still.
#[derive(Debug)]
pub struct StepDoubt {
    pub step: Step,
    pub doubt: Doubt,
}

impl Failure {
    /// Everything that was done was undone: the host is as it was.
    pub fn rolled_back(&self) -> bool {
        self.undo_errors.is_empty() && self.doubts.is_empty()
    }

    /// Whether anything went wrong at all.
    pub(crate) fn is_none(&self) -> bool {
        self.errors.is_empty() && self.rolled_back() && !self.interrupted && self.journal.is_none()
    }

    /// Adds what went wrong in another plan of the same verb.
    pub(crate) fn merge(&mut self, other: Self) {
        self.errors.extend(other.errors);
        self.undo_errors.extend(other.undo_errors);
        self.doubts.extend(other.doubts);
        self.interrupted |= other.interrupted;
        self.journal = self.journal.take().or(other.journal);
    }
}

impl Error {
    /// One reason, as a refusal.
    pub(crate) fn refused(reason: Reason) -> Self {
        Self::Refused(Refusal { reasons: vec![reason] })
    }

    pub(crate) fn file(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::File { path: path.into(), source }
    }

    pub(crate) fn store(path: impl Into<PathBuf>, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, DiskFull, NotADatabase};
        let path = path.into();
        // Its words, without the statement that they are about.
        let source = match source {
            rusqlite::Error::SqlInputError { error, msg, .. } => {
                rusqlite::Error::SqliteFailure(error, Some(msg))
            }
            other => other,
        };
        match source.sqlite_error_code() {
            Some(DatabaseCorrupt | NotADatabase) => {
                Self::StateDamaged { path, source: Damage(source.to_string()) }
            }
            Some(DiskFull) => Self::StateFull { path, source },
            _ if is_unreadable(&source) || lacks_tables(&source) => {
                Self::StateDamaged { path, source: Damage(source.to_string()) }
            }
            _ => Self::State { path, source },
        }
    }
}

/// What is wrong with a database, in SQLite's words or passthru's: each has its
/// own, and not a second in SQLite's numbers behind it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Damage(pub(crate) String);

/// Whether it was the way to the guest that failed, or the guest that did not do it.
fn control(name: &Name, source: &ControlError) -> String {
    match source {
        ControlError::Socket(_) => format!("the guest {name} could not be reached"),
        _ => format!("guest {name}"),
    }
}

/// A row that another hand wrote.
fn is_unreadable(source: &rusqlite::Error) -> bool {
    use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType};
    matches!(
        source,
        FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..)
    )
}

/// A table or column that is not there, or one that was not to be there: all
/// statements are this program's own, so the tables are another's.
fn lacks_tables(source: &rusqlite::Error) -> bool {
    let code = source.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_ERROR)
}

fn said(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

fn list(matches: &[Bdf]) -> String {
    matches.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn holder(pid: &Option<u32>, verb: &Option<String>) -> String {
    match (pid, verb) {
        (Some(pid), Some(verb)) => format!(": process {pid}, {verb}"),
        _ => String::new(),
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}", self.step, self.error)
    }
}

impl fmt::Display for StepDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.step, self.doubt)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = Vec::new();
        if self.interrupted {
            lines.push("interrupted".to_owned());
        }
        if let Some(error) = &self.journal {
            lines.push(error.to_string());
        }
        lines.extend(self.errors.iter().map(ToString::to_string));
        lines.extend(self.doubts.iter().map(ToString::to_string));
        lines.extend(self.undo_errors.iter().map(|error| format!("on the way back, {error}")));
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Failure {}

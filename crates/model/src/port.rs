//! The ways out of the process, as values and small traits.
//!
//! `host` has the real ones, `fakehost` the pretended ones. They stand here
//! so that neither needs the other.

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

/// Writes one attribute of the kernel, and reads those that block as writes do.
pub trait AttrWriter: fmt::Debug {
    /// Write `value` to the attribute at `path`, waiting no longer than the deadline.
    fn write(&mut self, path: &Path, value: &str) -> Wrote;

    /// Read the attribute at `path`, waiting no longer than the deadline.
    ///
    /// Showing `driver_override` and `sriov_numvfs` takes the device's lock
    /// (`driver_override_show()` in `drivers/pci/pci-sysfs.c`,
    /// `sriov_numvfs_show()` in `drivers/pci/iov.c`), which a stuck unbind
    /// holds: whoever reads them directly then waits for ever, too.
    fn read(&mut self, path: &Path) -> Showed;

    /// The process that the next write will happen in, started if need be;
    /// `None` when it is this one. While it lives, a write whose asker was
    /// killed may still take effect, so the journal keeps it with the plan.
    fn child(&mut self) -> Option<Child> {
        None
    }
}

/// A process that writes in another's stead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    pub pid: u32,
    /// Its start time in clock ticks after boot.
    pub start_time: u64,
}

/// How a write ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrote {
    Done,
    /// The kernel's error number and its words.
    Failed {
        errno: i32,
        text: String,
    },
    /// It did not end in time and may still take effect.
    InDoubt(Stuck),
}

/// How a read of an attribute ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Showed {
    /// The first 4096 bytes (an attribute has one page at most).
    Content(Vec<u8>),
    /// The kernel's error number and its words.
    Failed { errno: i32, text: String },
    /// It did not end in time. Nothing was changed by it.
    Stuck(Stuck),
}

/// A write or read that has not come back from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stuck {
    /// The process that is in the kernel with it.
    pub pid: u32,
    /// Its start time in clock ticks after boot.
    pub start_time: u64,
    /// The kernel function that it waits in (`/proc/PID/wchan`), if readable.
    pub wait_channel: Option<String>,
    pub waited: Duration,
}

/// Sees each change of a file right before it is made, one for each call of
/// the kernel's, and may refuse it. The real one refuses nothing: the disk
/// does; a pretended one is full, read-only, or without power from there on.
pub trait FileGate: fmt::Debug {
    /// # Errors
    ///
    /// What the kernel would answer.
    fn pass(&mut self, change: FileChange, path: &Path) -> io::Result<()>;
}

/// What happens to a file, or to a name of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileChange {
    MakeFolder,
    /// A new file, empty so far.
    Create,
    /// The bytes of a new file.
    Write,
    /// A file, or the names in a folder, made to last.
    Flush,
    /// Another name for a file.
    Link,
    /// The name under which it is to be, in the place of what has it.
    Rename,
    Remove,
}

/// Lets everything through.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenGate;

impl FileGate for OpenGate {
    fn pass(&mut self, _: FileChange, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

/// Runs one command to its end.
pub trait Runner: fmt::Debug {
    fn run(&mut self, cmd: &Cmd) -> Result<Output, RunError>;
}

/// A command, never a shell line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cmd {
    pub program: String,
    pub args: Vec<String>,
    pub deadline: Duration,
}

/// What a command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// Why there is no output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    #[error("cannot start `{program}`: {text}")]
    Start { program: String, text: String },
    #[error("`{program}` did not end within {} s", deadline.as_secs())]
    Deadline { program: String, deadline: Duration },
}

impl Cmd {
    /// A command with the default deadline of 30 s.
    pub fn new<I>(program: &str, args: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        Self {
            program: program.to_owned(),
            args: args.into_iter().map(Into::into).collect(),
            deadline: Duration::from_secs(30),
        }
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.program)?;
        self.args.iter().try_for_each(|arg| write!(f, " {arg}"))
    }
}

/// The kernel's words for an error number, as `strerror(3)` gives them, in
/// lower case and without Rust's `(os error N)`.
pub fn errno_text(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_ascii_lowercase());
    first.into_iter().chain(letters).collect()
}

impl Wrote {
    /// Refused by the kernel with this error number.
    pub fn failed(errno: i32) -> Self {
        Self::Failed { errno, text: errno_text(errno) }
    }
}

impl Showed {
    /// Refused by the kernel with this error number.
    pub fn failed(errno: i32) -> Self {
        Self::Failed { errno, text: errno_text(errno) }
    }
}

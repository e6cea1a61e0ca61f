//! What can go wrong in the lab, each naming the object and the path. The console's last lines travel with
//! the failures that only they explain.

use std::path::PathBuf;
use std::time::Duration;

/// The library's result.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of the lab itself; a command that exits with a code other than 0 is none (see
/// [`crate::Output`]), except where the caller asked for success.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot {action} `{}`", path.display())]
    File { action: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot start `{program}`{hint}")]
    Spawn { program: String, hint: &'static str, source: std::io::Error },
    #[error("`{command}` failed ({status})\n{tail}")]
    Command { command: String, status: String, tail: String },
    #[error("no topology `{name}`; there are: {known}")]
    UnknownTopology { name: String, known: String },
    #[error("topology `{}`", path.display())]
    BadTopology { path: PathBuf, source: toml::de::Error },
    #[error("lab host `{name}` ended while it was needed ({status}); its logs are in `{}`\n{tail}", logs.display())]
    Died { name: String, status: String, logs: PathBuf, tail: String },
    #[error("lab host `{name}` did not answer within {} s; its logs are in `{}`\n{tail}", after.as_secs(), logs.display())]
    Silent { name: String, after: Duration, logs: PathBuf, tail: String },
    #[error("lab host `{name}`: `{command}` {what}\n{stdout}{stderr}")]
    Unsuccessful { name: String, command: String, what: String, stdout: String, stderr: String },
    #[error("lab host `{name}`: {message}")]
    Agent { name: String, message: String },
    #[error("cannot control lab host `{name}`")]
    Qmp { name: String, source: hypervisors::qemu::QmpError },
    #[error("lab host `{name}`: talking to `{socket}`")]
    Talk { name: String, socket: &'static str, source: std::io::Error },
    #[error("no lab host `{name}` is up; `cargo xtask lab ls` shows those that are")]
    NotUp { name: String },
    #[error("this checkout builds no `{name}`")]
    NoBinary { name: &'static str },
    #[error("`{page}` shows what was not seen there:\n{lines}")]
    Page { page: &'static str, lines: String },
    #[error("kernel module `{name}` is neither in `{}` nor built in", index.display())]
    NoModule { name: String, index: PathBuf },
}

/// Gives a file operation its name and its path.
pub(crate) trait AtPath<T> {
    fn at(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T>;
}

impl<T> AtPath<T> for std::io::Result<T> {
    fn at(self, action: &'static str, path: impl Into<PathBuf>) -> Result<T> {
        self.map_err(|source| Error::File { action, path: path.into(), source })
    }
}

//! One writer: whoever applies a plan holds this lock.
//!
//! In: the state directory and how long to wait. Out: a guard; the kernel
//! lets go of the lock when its holder ends, however it ends. Readers never
//! need it, and nothing waits inside it for a guest or for a stuck write.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::Error;
use crate::state::StateDir;

/// The lock, held. Dropping it lets go.
///
/// The file is opened with `O_CLOEXEC` (the standard library always does): a
/// lock of flock(2) belongs to the open file, and a child that is stuck in
/// the kernel with a copy of it would hold it for as long.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// How often a taken lock is tried again.
const RETRY: Duration = Duration::from_millis(20);

impl Lock {
    /// Takes the lock, waiting for its holder no longer than `patience`.
    ///
    /// # Errors
    /// [`Error::Busy`] with the holder's process and verb.
    pub fn take(state: &StateDir, verb: &str, patience: Duration) -> Result<Self, Error> {
        let path = state.lock();
        let failed = |source| Error::file(&path, source);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).map_err(failed)?;
        let end = Instant::now() + patience;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                // EINTR: a signal asks for something that the caller sees to.
                Err(Errno::WOULDBLOCK | Errno::INTR) if Instant::now() < end => {
                    thread::sleep(RETRY);
                }
                Err(Errno::WOULDBLOCK | Errno::INTR) => return Err(busy(path, &mut file)),
                Err(errno) => return Err(failed(errno.into())),
            }
        }
        // For people and messages only: the lock itself is the kernel's. One
        // length for all, since cutting a file off is slow on some disks.
        let note = format!("{} {verb}", std::process::id());
        file.write_all(format!("{note:<63}\n").as_bytes()).map_err(failed)?;
        Ok(Self { _file: file })
    }
}

fn busy(path: PathBuf, file: &mut File) -> Error {
    let mut note = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut note));
    let (pid, verb) = match read {
        Ok(_) => parse_note(&note),
        Err(_) => (None, None),
    };
    Error::Busy { path, pid, verb }
}

fn parse_note(note: &str) -> (Option<u32>, Option<String>) {
    match note.trim_end().split_once(' ') {
        Some((pid, verb)) => (pid.parse().ok(), Some(verb.to_owned())),
        None => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path());
        let held = Lock::take(&state, "bind", Duration::ZERO).unwrap();
        let error = Lock::take(&state, "release", Duration::ZERO).unwrap_err();
        let Error::Busy { pid, verb, .. } = error else { panic!("{error}") };
        assert_eq!(pid, Some(std::process::id()));
        assert_eq!(verb.as_deref(), Some("bind"));
        drop(held);
        Lock::take(&state, "release", Duration::ZERO).unwrap();
    }

    #[test]
    fn a_note_that_makes_no_sense_names_nobody() {
        for note in ["", "\n", "x", "bind", "\0\0\0\0"] {
            assert_eq!(parse_note(note).0, None, "{note:?}");
        }
        assert_eq!(parse_note("12 bind   \n"), (Some(12), Some("bind".to_owned())));
    }
}

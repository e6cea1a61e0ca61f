//! One process, held on to: its end is seen, and signals hit no other.
//!
//! In: a pid with its start time. Out: its end, waited for. A file descriptor
//! of the process (pidfd_open(2)) stands for that very process, however soon
//! its pid is given to another.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use host::paths::Root;
use host::process::{is_alive, start_time};
use hypervisors::Patience;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use rustix::time::Timespec;

use crate::error::Error;
use crate::store::Process;

/// Between two looks at whether whoever waits has lost patience.
const LOOK: Duration = Duration::from_millis(50);

/// A process that is watched.
#[derive(Debug)]
pub(crate) struct Watched {
    fd: OwnedFd,
    pid: u32,
}

/// What a wait ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    /// The process has ended.
    Ended,
    /// One of the other descriptors has something to say.
    Called,
    /// The time is up.
    Late,
}

impl Watched {
    /// Holds on to a process; `None` when it has ended.
    pub fn open(process: Process) -> Result<Option<Self>, Error> {
        let failed = |source| Error::Process { pid: process.pid, source };
        let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
            return Ok(None);
        };
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(Errno::SRCH) => return Ok(None),
            Err(errno) => return Err(failed(errno.into())),
        };
        // Asked after the descriptor is there: from here on the pid is not
        // given to another.
        let alive = is_alive(&Root::real(), process).map_err(failed)?;
        Ok(alive.then_some(Self { fd, pid: process.pid }))
    }

    /// Waits until the process ends, one of `others` can be read, or `until`
    /// is past.
    pub fn wait(&self, others: &[BorrowedFd<'_>], until: Option<Instant>) -> Result<Woken, Error> {
        loop {
            let left = until.map(|until| until.saturating_duration_since(Instant::now()));
            let timeout = left.and_then(|left| Timespec::try_from(left).ok());
            let mut fds = vec![PollFd::from_borrowed_fd(self.fd.as_fd(), PollFlags::IN)];
            fds.extend(others.iter().map(|other| PollFd::from_borrowed_fd(*other, PollFlags::IN)));
            match poll(&mut fds, timeout.as_ref()) {
                Ok(_) if !fds[0].revents().is_empty() => return Ok(Woken::Ended),
                Ok(0) => return Ok(Woken::Late),
                Ok(_) => return Ok(Woken::Called),
                Err(Errno::INTR) => {}
                Err(errno) => return Err(self.failed(errno)),
            }
        }
    }

    /// Whether the process ends within this time; `None` when whoever waits
    /// lost patience.
    pub fn ends_within(&self, patience: &Patience) -> Result<Option<bool>, Error> {
        let until = Instant::now() + patience.wait();
        loop {
            let look = until.min(Instant::now() + LOOK);
            match self.wait(&[], Some(look))? {
                Woken::Ended => return Ok(Some(true)),
                _ if patience.is_lost() => return Ok(None),
                _ if Instant::now() >= until => return Ok(Some(false)),
                _ => {}
            }
        }
    }

    /// Sends a signal; one that has ended needs none.
    pub fn signal(&self, signal: Signal) -> Result<(), Error> {
        match pidfd_send_signal(&self.fd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(self.failed(errno)),
        }
    }

    fn failed(&self, errno: Errno) -> Error {
        Error::Process { pid: self.pid, source: errno.into() }
    }
}

/// This very process.
pub(crate) fn own_process() -> Result<Process, Error> {
    started(std::process::id())
}

/// A process that was started just now and is not reaped yet.
pub(crate) fn started(pid: u32) -> Result<Process, Error> {
    let failed = |source| Error::Process { pid, source };
    let gone = || failed(std::io::Error::from(std::io::ErrorKind::NotFound));
    let start_time = start_time(&Root::real(), pid).map_err(failed)?.ok_or_else(gone)?;
    Ok(Process { pid, start_time })
}

/// Whether a process of this machine still runs.
pub(crate) fn runs(process: Process) -> Result<bool, Error> {
    is_alive(&Root::real(), process).map_err(|source| Error::Process { pid: process.pid, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    #[test]
    fn an_end_is_seen_and_an_ended_one_is_not_watched() {
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let process = started(child.id()).unwrap();
        let other = Process { start_time: process.start_time + 1, ..process };
        assert!(Watched::open(other).unwrap().is_none(), "same pid, another process");
        let watched = Watched::open(process).unwrap().unwrap();
        assert_eq!(watched.ends_within(&Duration::ZERO.into()).unwrap(), Some(false));
        let raised = Arc::new(AtomicBool::new(true));
        let patience = Patience::from(Duration::from_secs(20));
        assert_eq!(watched.ends_within(&patience.clone().unless(&raised)).unwrap(), None);
        watched.signal(Signal::TERM).unwrap();
        assert_eq!(watched.ends_within(&patience).unwrap(), Some(true));
        child.wait().unwrap();
        assert!(Watched::open(process).unwrap().is_none());
        watched.signal(Signal::TERM).unwrap();
    }
}

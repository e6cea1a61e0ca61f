//! The supervisor's ear: what its guest lets go of by itself.
//!
//! In: the socket on which a guest's hypervisor tells what happens. Out:
//! something to wait for, and whether the guest let go of a device. A
//! connection that fails or ends is made again.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hypervisors::{Listener, Patience};

use crate::run::backend;

/// How long one try to connect may take.
const TRY: Duration = Duration::from_secs(1);
/// Between two tries.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Ear {
    socket: PathBuf,
    listener: Option<Box<dyn Listener>>,
    /// When to try to connect.
    due: Option<Instant>,
}

impl Ear {
    pub fn new(socket: PathBuf) -> Self {
        Self { socket, listener: None, due: Some(Instant::now()) }
    }

    /// Connects if it is time to. Says whether it listens from now on:
    /// nothing of what was said before has been heard.
    pub fn open(&mut self) -> bool {
        if self.due.is_none_or(|due| due > Instant::now()) {
            return false;
        }
        self.listener = backend().listen(&self.socket, &Patience::from(TRY)).ok();
        self.due = self.listener.is_none().then(|| Instant::now() + RETRY);
        self.listener.is_some()
    }

    /// When to [`open`](Self::open) it again.
    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Can be read when something was said.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.listener.as_ref().map(|listener| listener.as_fd())
    }

    /// Whether the guest let go of something.
    pub fn hears(&mut self) -> bool {
        match self.listener.as_mut().map(|listener| listener.let_go()) {
            None => false,
            Some(Ok(let_go)) => let_go,
            Some(Err(_)) => {
                self.listener = None;
                self.due = Some(Instant::now() + RETRY);
                false
            }
        }
    }
}

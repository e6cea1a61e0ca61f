//! The gate that changes of files pass: a disk that is full, read-only, or
//! loses its power.

use std::io;
use std::path::Path;

use model::port::{FileChange, FileGate};
use rustix::io::Errno;

use crate::inject::Op;
use crate::kernel::{Fate, Shared};

/// Counts changes of files with all else that is asked of a machine, and
/// refuses or dies where that was ordered.
#[derive(Clone, Debug)]
pub struct FakeDisk(pub(crate) Shared);

impl FileGate for FakeDisk {
    fn pass(&mut self, change: FileChange, path: &Path) -> io::Result<()> {
        let path = self.0.lock().machine.tree.given(path);
        match self.0.begin(Op::File { change, path }) {
            Fate::Go => Ok(()),
            Fate::Refused(errno) => Err(errno.into()),
            Fate::Hangs => Err(Errno::IO.into()),
        }
    }
}

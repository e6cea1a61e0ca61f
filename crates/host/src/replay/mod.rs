//! A recorded machine, unpacked so that it can be observed.
//!
//! In: a recording (a folder, or one text file). Out: a temporary directory
//! that stands for `/`, as a [`Root`]; it is removed with the [`Replay`].
//! Never: a write outside of that directory, whatever the recording says.

mod layout;
mod unpack;

use std::io;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir};
use thiserror::Error;

use crate::paths::Root;
use crate::record::{Recording, RecordingError};

pub use layout::Conflict;

/// A recording that is there as a tree of files, until this value is dropped.
#[derive(Debug)]
pub struct Replay {
    recording: Recording,
    root: Root,
    // Removes the tree when it is dropped, so it stands last.
    _dir: TempDir,
}

/// Why a recording cannot be replayed.
#[derive(Debug, Error)]
pub enum ReplayError {
    #[error(transparent)]
    Recording(#[from] RecordingError),
    #[error("`{}` holds no devices", path.display())]
    Empty { path: PathBuf },
    #[error("the recording contradicts itself")]
    Conflict(#[from] Conflict),
    #[error("cannot create a temporary directory")]
    TempDir(#[source] io::Error),
    #[error("cannot unpack `{}`", path.display())]
    Unpack { path: PathBuf, source: io::Error },
}

/// Reads a recording and unpacks it into a temporary directory. One without
/// any device is no machine without devices, but some other file.
pub fn load(path: &Path) -> Result<Replay, ReplayError> {
    let recording = Recording::read_from(path)?;
    if recording.devices.is_empty() {
        return Err(ReplayError::Empty { path: path.to_owned() });
    }
    let mut replay = Replay::new(recording)?;
    replay.root = replay.root.called(path);
    Ok(replay)
}

impl Replay {
    /// Unpacks a recording into a temporary directory.
    pub fn new(recording: Recording) -> Result<Self, ReplayError> {
        let dir = temp_dir().map_err(ReplayError::TempDir)?;
        unpack(&recording, dir.path())?;
        let root = Root::new(dir.path()).called("recording");
        Ok(Self { recording, root, _dir: dir })
    }

    /// The unpacked machine.
    pub fn root(&self) -> &Root {
        &self.root
    }

    /// What it was unpacked from.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }
}

/// In memory, where there is such a place: thousands of small files take six
/// times as long on a disk. `TMPDIR` rules, as everywhere.
fn temp_dir() -> io::Result<TempDir> {
    let name = Builder::new().prefix("passthru-replay-").to_owned();
    if std::env::var_os("TMPDIR").is_none()
        && let Ok(dir) = name.tempdir_in(Root::real().dev("shm"))
    {
        return Ok(dir);
    }
    name.tempdir()
}

/// Unpacks a recording into a directory, which must be empty: nothing that is
/// there already is overwritten.
pub fn unpack(recording: &Recording, dir: &Path) -> Result<(), ReplayError> {
    let tree = layout::tree(recording)?;
    unpack::write(&tree, dir)
}

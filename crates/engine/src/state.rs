//! The state directory: where everything is that outlives a process.
//!
//! ```text
//! /var/lib/passthru/            0700
//! ├── state.db                  registered devices, journal, instances
//! ├── lock                      held by whoever applies a plan
//! └── instances/NAME/           0700, one per instance
//!     ├── qmp.sock              control                 ├── overlay.qcow2
//!     ├── supervisor.sock       the same, for recovery  ├── qemu.log
//!     ├── events.sock           the same, to listen     └── console.log
//!     └── console.sock          serial console
//! ```
//!
//! In: a directory. Out: paths and folders with the right mode. It never
//! looks into a file.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::name::Name;

/// The state directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
}

impl StateDir {
    /// Where the state is kept unless the user says otherwise.
    pub const DEFAULT: &str = "/var/lib/passthru";

    /// Names the directory; nothing is made or read.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database.
    pub fn database(&self) -> PathBuf {
        self.path.join("state.db")
    }

    /// The lock.
    pub fn lock(&self) -> PathBuf {
        self.path.join("lock")
    }

    /// The folder of all instances.
    pub fn instances(&self) -> PathBuf {
        self.path.join("instances")
    }

    /// The folder of one instance.
    pub fn instance(&self, name: &Name) -> PathBuf {
        self.instances().join(name.as_str())
    }

    /// Makes the directory if it is missing. Mode 0700: disks, consoles and
    /// control sockets of guests are below it.
    ///
    /// # Errors
    /// [`Error::File`] for a folder that others may enter and that was made
    /// for something else: it is not taken from them (`--state /tmp`).
    pub fn make(&self) -> Result<(), Error> {
        let refused = |error| Error::file(&self.path, error);
        let open = match fs::metadata(&self.path) {
            Ok(found) => is_open(&found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(refused(error)),
        };
        if open && !self.database().exists() && !self.lock().exists() {
            let mut entries = fs::read_dir(&self.path).map_err(refused)?;
            if entries.next().is_some() {
                let text = "others may enter it, and it holds what is not passthru's";
                return Err(refused(io::Error::other(text)));
            }
        }
        private_dir(&self.path)
    }

    /// Makes the folder of an instance if it is missing.
    pub fn make_instance(&self, name: &Name) -> Result<PathBuf, Error> {
        let path = self.instance(name);
        private_dir(&self.instances())?;
        private_dir(&path)?;
        Ok(path)
    }

    /// Removes the folder of an instance with everything in it.
    pub fn remove_instance(&self, name: &Name) -> Result<(), Error> {
        let path = self.instance(name);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file(path, error)),
            _ => Ok(()),
        }
    }
}

fn private_dir(path: &Path) -> Result<(), Error> {
    let refused = |error| Error::file(path, error);
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(refused)?;
    // An existing folder may be wider: `mkdir` by hand, a package, a tmpfiles rule.
    match is_open(&fs::metadata(path).map_err(refused)?) {
        true => fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(refused),
        false => Ok(()),
    }
}

/// Whether anybody but its owner may use it.
fn is_open(found: &fs::Metadata) -> bool {
    found.permissions().mode() & 0o077 != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_others_is_not_taken_from_them() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("state"));
        let mode = || fs::metadata(state.path()).unwrap().permissions().mode() & 0o777;
        let open = || fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).unwrap();
        state.make().unwrap();
        assert_eq!(mode(), 0o700);
        open();
        state.make().unwrap();
        assert_eq!(mode(), 0o700, "an empty one, as `mkdir` makes it");
        fs::write(state.path().join("mine"), "").unwrap();
        open();
        let error = state.make().unwrap_err();
        assert_eq!((error.code(), mode()), ("file", 0o755));
        fs::write(state.database(), "").unwrap();
        state.make().unwrap();
        assert_eq!(mode(), 0o700, "one of passthru's");
    }
}

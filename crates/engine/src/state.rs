//! The state directory: where everything is that outlives a process.
//!
//! ```text
//! /var/lib/passthru/            0700
//! ├── state.db                  registered devices, journal, instances
//! ├── lock                      held by whoever applies a plan
//! ├── programs.json             versions of hypervisors; may be removed
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
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::name::Name;

/// The state directory.
#[derive(Clone, Debug)]
pub struct StateDir {
    path: PathBuf,
    /// On a machine that is not here: the path is shown and never opened.
    elsewhere: bool,
}

impl StateDir {
    /// Where the state is kept unless the user says otherwise.
    pub const DEFAULT: &str = "/var/lib/passthru";

    /// Names the directory; nothing is made or read.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), elsewhere: false }
    }

    /// The directory on a machine of which there is a recording only: paths
    /// of it are as they would be there, and it holds nothing.
    pub fn elsewhere() -> Self {
        Self { path: Self::DEFAULT.into(), elsewhere: true }
    }

    pub(crate) fn is_elsewhere(&self) -> bool {
        self.elsewhere
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

    /// What hypervisors' programs said of themselves.
    pub fn programs(&self) -> PathBuf {
        self.path.join("programs.json")
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
    /// [`Error::StateForeign`] for a folder of another user, and
    /// [`Error::StateOpen`] for one that others may have put something into:
    /// whoever writes there says what root does. [`Error::File`] for a folder
    /// that others may enter and that was made for something else: it is not
    /// taken from them (`--state /tmp`).
    pub fn make(&self) -> Result<(), Error> {
        match fs::metadata(&self.path) {
            Ok(found) => self.vet(&found)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::file(&self.path, error)),
        }
        private_dir(&self.path)
    }

    fn vet(&self, found: &fs::Metadata) -> Result<(), Error> {
        let refused = |error| Error::file(&self.path, error);
        let path = || self.path.clone();
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(Error::StateForeign { path: path(), owner: found.uid() });
        }
        let mode = found.permissions().mode() & 0o777;
        if !is_open(found) {
            return Ok(());
        }
        let empty = fs::read_dir(&self.path).map_err(refused)?.next().is_none();
        // Where all others write, it is theirs, however empty it is now (`/var/tmp`).
        if mode & 0o002 != 0 || !empty && mode & 0o020 != 0 {
            return Err(Error::StateOpen { path: path(), mode });
        }
        if empty || self.database().exists() || self.lock().exists() {
            return Ok(());
        }
        let text = "others may enter it, and it holds what is not passthru's";
        Err(refused(io::Error::other(text)))
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

    #[test]
    fn a_folder_that_others_write_to_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::new(dir.path().join("state"));
        let open = || fs::set_permissions(state.path(), fs::Permissions::from_mode(0o775)).unwrap();
        state.make().unwrap();
        open();
        state.make().unwrap();
        let everybody = fs::Permissions::from_mode(0o1777);
        fs::set_permissions(state.path(), everybody).unwrap();
        assert_eq!(state.make().unwrap_err().code(), "state_open", "however empty it is");
        assert_eq!(fs::metadata(state.path()).unwrap().permissions().mode() & 0o7777, 0o1777);
        fs::write(state.database(), "").unwrap();
        open();
        let error = state.make().unwrap_err();
        assert_eq!(error.code(), "state_open");
        assert!(error.to_string().contains("775") && !error.hint().is_empty(), "{error}");
    }

    #[test]
    fn a_folder_of_another_user_is_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let state = match rustix::process::geteuid().is_root() {
            true => {
                std::os::unix::fs::chown(dir.path(), Some(65534), None).unwrap();
                StateDir::new(dir.path())
            }
            false => StateDir::new("/"),
        };
        let error = state.make().unwrap_err();
        assert_eq!(error.code(), "state_foreign", "{error}");
        assert!(!error.hint().is_empty());
    }
}

//! Writes a [`Tree`] into an empty directory.
//!
//! In: the tree and the directory. Out: folders and files first, links last,
//! so that no write goes through a link. Never: an existing file replaced.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

use super::ReplayError;
use super::layout::{Entry, Tree};

/// Writes all entries below `dir`.
pub(super) fn write(tree: &Tree, dir: &Path) -> Result<(), ReplayError> {
    let mut folders = Folders { dir, made: HashSet::new() };
    let mut links = Vec::new();
    for (path, entry) in tree {
        let place = below(dir, path);
        let failed = |source| ReplayError::Unpack { path: PathBuf::from(path), source };
        match entry {
            Entry::Folder => folders.make(Path::new(path)).map_err(failed)?,
            Entry::File(bytes) => {
                folders.above(path).map_err(failed)?;
                create(&place, bytes).map_err(failed)?;
            }
            Entry::Link(target) => {
                folders.above(path).map_err(failed)?;
                links.push((path, place, OsStr::new(target.as_ref())));
            }
            Entry::Refused(number) => {
                folders.above(path).map_err(failed)?;
                if is_permission(*number) {
                    // A link to itself: ELOOP for everyone, root included,
                    // where a file without permissions stops other users
                    // only. `observe` reads ELOOP as "not permitted".
                    let name = Path::new(path).file_name().unwrap_or_default();
                    links.push((path, place, name));
                } else {
                    // A folder where a file should be: the read fails.
                    folders.make(Path::new(path)).map_err(failed)?;
                }
            }
        }
    }
    for (path, place, target) in links {
        let failed = |source| ReplayError::Unpack { path: PathBuf::from(path), source };
        symlink(target, &place).map_err(failed)?;
    }
    Ok(())
}

/// EPERM or EACCES.
fn is_permission(number: i32) -> bool {
    io::Error::from_raw_os_error(number).kind() == io::ErrorKind::PermissionDenied
}

fn below(dir: &Path, absolute: &str) -> PathBuf {
    dir.join(absolute.trim_start_matches('/'))
}

/// `O_EXCL` refuses whatever is there, links included.
fn create(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(place)?;
    file.write_all(bytes)
}

/// Folders that were made, so that each is made once.
struct Folders<'a> {
    dir: &'a Path,
    made: HashSet<PathBuf>,
}

impl Folders<'_> {
    /// The folder that an entry stands in.
    fn above(&mut self, path: &str) -> io::Result<()> {
        match Path::new(path).parent() {
            Some(folder) => self.make(folder),
            None => Ok(()),
        }
    }

    fn make(&mut self, folder: &Path) -> io::Result<()> {
        if folder.parent().is_none() || self.made.contains(folder) {
            return Ok(());
        }
        if let Some(above) = folder.parent() {
            self.make(above)?;
        }
        let place = self.dir.join(folder.strip_prefix("/").unwrap_or(folder));
        DirBuilder::new().mode(0o755).create(place)?;
        self.made.insert(folder.to_owned());
        Ok(())
    }
}

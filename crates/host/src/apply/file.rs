//! Steps that change files of the configuration.
//!
//! A file is never half written: the new one is made beside it, flushed to
//! the disk and renamed into its place, so that a power cut at any moment
//! leaves the old or the new one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use model::file::Content;
use model::step::Made;

use super::error::failed;
use super::{Applier, ApplyError, Outcome, Stop};

impl Applier {
    pub(super) fn write_file(
        &mut self,
        path: &str,
        from: Option<&Content>,
        to: Option<&Content>,
    ) -> Result<Outcome, Stop> {
        let place = self.place(path)?;
        let found = content(&place)?;
        let same = |content: Option<&Content>| found.as_ref() == content.map(|content| &content.0);
        if same(to) {
            self.disk.remove(&beside(&place, "new"))?;
            return Ok(Outcome::Already);
        }
        if !same(from) {
            return Err(ApplyError::FileMoved { path: place }.into());
        }
        match to {
            Some(to) => self.replace(&place, &to.0)?,
            None => self.disk.remove(&place)?,
        }
        self.disk.flush_folder(&place)?;
        match content(&place)?.as_ref() == to.map(|content| &content.0) {
            true => Ok(Outcome::Done),
            false => Err(ApplyError::FileMoved { path: place }.into()),
        }
    }

    /// Puts bytes in the place of a file, with its owner, mode and label.
    pub(super) fn replace(&mut self, path: &Path, bytes: &[u8]) -> Result<(), ApplyError> {
        if let Some(folder) = path.parent() {
            self.disk.make_folders(folder)?;
        }
        let new = beside(path, "new");
        self.disk.remove(&new)?;
        let made = self.disk.create(&new, bytes, Some(path));
        made.and_then(|()| self.disk.rename(&new, path)).inspect_err(|_| self.disk.discard(&new))
    }

    /// Where a file of the configuration is, behind links of other names for
    /// it, and inside the root.
    pub(super) fn place(&self, path: &str) -> Result<PathBuf, Stop> {
        let path = self.root.at(path);
        let place = match path.canonicalize() {
            Ok(real) => real,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.clone(),
            Err(error) => return Err(failed("look for", &path, &error).into()),
        };
        let above = place.ancestors().skip(1).find(|folder| folder.exists());
        let folder = above.unwrap_or(Path::new("/"));
        let folder = folder.canonicalize().map_err(|error| failed("look for", folder, &error))?;
        let root = self.root.path();
        let root = root.canonicalize().map_err(|error| failed("look for", root, &error))?;
        match folder.starts_with(&root) {
            true => Ok(place),
            false => Err(ApplyError::Outside { path }.into()),
        }
    }
}

/// What is in a file; `None` where there is none.
pub(super) fn content(path: &Path) -> Result<Option<Vec<u8>>, ApplyError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("read", path, &error)),
    }
}

/// A file that is kept beside another.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(Made::beside(&name, what))
}

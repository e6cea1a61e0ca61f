//! Files, folders and links below one root.
//!
//! Paths are relative to the root (`sys/bus/pci/devices`). A fixture that
//! cannot write into its own temporary folder panics: the test is void then.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A root folder.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    root: PathBuf,
}

impl Tree {
    pub(crate) fn new(root: &Path) -> Self {
        let root = root.canonicalize();
        Self { root: root.expect("the root of a fake host is a folder") }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn at(&self, rel: impl AsRef<Path>) -> PathBuf {
        self.root.join(rel)
    }

    /// A path below the root with all links followed, or `None` when it is
    /// not there or leads outside.
    pub(crate) fn real(&self, path: &Path) -> Option<PathBuf> {
        let real = path.canonicalize().ok()?;
        Some(real.strip_prefix(&self.root).ok()?.to_owned())
    }

    /// A path below the root as it was given, for people to read.
    pub(crate) fn given(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).to_string_lossy().into_owned()
    }

    pub(crate) fn exists(&self, rel: impl AsRef<Path>) -> bool {
        self.at(rel).symlink_metadata().is_ok()
    }

    /// Write a file, making its folders.
    pub(crate) fn put(&self, rel: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        let path = self.at(rel);
        self.parent_of(&path);
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Write a file that is missing.
    pub(crate) fn put_new(&self, rel: impl AsRef<Path>, content: impl AsRef<[u8]>) {
        if !self.exists(rel.as_ref()) {
            self.put(rel, content);
        }
    }

    /// Add to the end of a file.
    pub(crate) fn append(&self, rel: impl AsRef<Path>, text: &str) {
        let mut content = self.bytes(rel.as_ref()).unwrap_or_default();
        content.extend(text.as_bytes());
        self.put(rel, content);
    }

    pub(crate) fn dir(&self, rel: impl AsRef<Path>) {
        let path = self.at(rel);
        fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// A file's text without the last line feed; `None` when it is not there.
    pub(crate) fn text(&self, rel: impl AsRef<Path>) -> Option<String> {
        let bytes = fs::read(self.at(rel)).ok()?;
        Some(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }

    pub(crate) fn bytes(&self, rel: impl AsRef<Path>) -> std::io::Result<Vec<u8>> {
        fs::read(self.at(rel))
    }

    /// A link at `at` to `to`, both below the root, by a relative path as in sysfs.
    pub(crate) fn link(&self, at: impl AsRef<Path>, to: impl AsRef<Path>) {
        let at = at.as_ref();
        let up = at.components().count().saturating_sub(1);
        let to = to.as_ref();
        let shared = at.components().zip(to.components()).take_while(|(a, b)| a == b).count();
        // A link to a folder above is printed with that folder's name (kernfs_get_target_path()).
        let shared = shared.min(to.components().count().saturating_sub(1));
        let climb = "../".repeat(up.saturating_sub(shared));
        let rest: PathBuf = to.components().skip(shared).collect();
        self.raw_link(at, Path::new(&format!("{climb}{}", rest.display())));
    }

    /// A link with exactly this target.
    pub(crate) fn raw_link(&self, at: impl AsRef<Path>, target: &Path) {
        let path = self.at(at);
        self.parent_of(&path);
        symlink(target, &path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The last part of a link's target; `None` when there is no link.
    pub(crate) fn link_name(&self, rel: impl AsRef<Path>) -> Option<String> {
        let target = fs::read_link(self.at(rel)).ok()?;
        Some(target.file_name()?.to_string_lossy().into_owned())
    }

    /// Remove a file, link or folder, if it is there.
    pub(crate) fn remove(&self, rel: impl AsRef<Path>) {
        let path = self.at(rel);
        let removed = match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        removed.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// Move a folder out of the tree.
    pub(crate) fn move_to(&self, rel: impl AsRef<Path>, outside: &Path) {
        self.parent_of(outside);
        rename(&self.at(rel), outside);
    }

    /// Move a folder back into the tree.
    pub(crate) fn bring_from(&self, outside: &Path, rel: impl AsRef<Path>) {
        rename(outside, &self.at(rel));
    }

    /// The names in a folder, sorted; none when there is no folder.
    pub(crate) fn names(&self, rel: impl AsRef<Path>) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at(rel)) else { return Vec::new() };
        let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
        let mut names: Vec<String> = entries.flatten().map(name).collect();
        names.sort();
        names
    }

    fn parent_of(&self, path: &Path) {
        let parent = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()));
    }
}

fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
}

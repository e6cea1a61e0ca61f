//! Reads for a recording: a place that is missing, one that is refused and
//! one that holds something are three different results.
//!
//! In: a [`Root`] and a path as that machine names it. Out: bytes, names,
//! link texts. Never: a wait, a wake-up, or more than a limit for each file.

use std::fs;
use std::io::{self, Error};
use std::path::Path;

use model::GroupId;
use model::parse::{attribute, link};
use model::port::Showed;
use rustix::io::Errno;

use crate::observe::InDoubt;
use crate::paths::Root;
use crate::read;

/// Attributes end at a page, ACPI tables and process tables are larger.
const LARGEST: usize = 4 << 20;

/// What stood at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<T> {
    Here(T),
    Missing,
    /// The kernel's error number.
    Refused(i32),
}

impl<T> Found<T> {
    fn from_io(result: io::Result<T>) -> Self {
        match result {
            Ok(value) => Self::Here(value),
            Err(error) => match (error.kind(), error.raw_os_error()) {
                (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, _) => Self::Missing,
                // How a replay shows a refused read.
                (_, Some(ELOOP)) => Self::Refused(EACCES),
                (_, Some(number)) => Self::Refused(number),
                (_, None) => Self::Missing,
            },
        }
    }

    pub(super) fn here(self) -> Option<T> {
        match self {
            Self::Here(value) => Some(value),
            Self::Missing | Self::Refused(_) => None,
        }
    }
}

const EACCES: i32 = Errno::ACCESS.raw_os_error();
const ELOOP: i32 = Errno::LOOP.raw_os_error();

/// A machine that is recorded. Paths are absolute on that machine.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    root: &'a Root,
    in_doubt: &'a InDoubt,
    locked: Option<&'a LockedRead<'a>>,
}

/// Reads an attribute in a way that ends, whoever holds the device's lock.
pub(super) type LockedRead<'a> = dyn Fn(&Path) -> Showed + 'a;

impl<'a> Source<'a> {
    /// Attributes that take a device's lock are read through `locked`; without
    /// it they are left out on the real machine, where that may take for ever.
    pub(super) fn new(
        root: &'a Root,
        in_doubt: &'a InDoubt,
        locked: Option<&'a LockedRead<'a>>,
    ) -> Self {
        Self { root, in_doubt, locked }
    }

    /// Whether the device of this folder is left alone, as a change to it is
    /// stuck in the kernel.
    pub(super) fn spares(self, folder: &str) -> bool {
        let Some(bdf) = link::name(folder).parse().ok() else { return false };
        let group = self.link(&format!("{folder}/iommu_group")).here();
        let group = group.and_then(|target| attribute::number(link::name(&target)).ok());
        self.in_doubt.spares(bdf, group.map(GroupId))
    }

    /// An attribute whose reading takes the device's lock.
    pub(super) fn locked(self, path: &str) -> Found<Vec<u8>> {
        let Some(read) = self.locked else {
            return if self.root.is_real() { Found::Missing } else { self.bytes(path) };
        };
        match read(&self.root.at(path)) {
            Showed::Content(bytes) => Found::Here(bytes),
            Showed::Failed { errno, .. } => Found::from_io(Err(Error::from_raw_os_error(errno))),
            Showed::Stuck(_) => Found::Refused(Errno::AGAIN.raw_os_error()),
        }
    }

    pub(super) fn root(self) -> &'a Root {
        self.root
    }

    /// A path of this root as the recorded machine names it.
    pub(super) fn name(self, path: &Path) -> Option<String> {
        let below = path.strip_prefix(self.root.path()).ok()?;
        Some(format!("/{}", below.to_str()?))
    }

    pub(super) fn bytes(self, path: &str) -> Found<Vec<u8>> {
        Found::from_io(read::bytes(&self.root.at(path), LARGEST))
    }

    /// Text without the white space around it.
    pub(super) fn word(self, path: &str) -> Option<String> {
        let text = String::from_utf8(self.bytes(path).here()?).ok()?;
        Some(text.trim().to_owned())
    }

    /// The text of a link.
    pub(super) fn link(self, path: &str) -> Found<String> {
        let text = fs::read_link(self.root.at(path));
        match Found::from_io(text) {
            Found::Here(target) => match target.into_os_string().into_string() {
                Ok(text) => Found::Here(text),
                Err(_) => Found::Missing,
            },
            Found::Missing => Found::Missing,
            Found::Refused(number) => Found::Refused(number),
        }
    }

    /// The names in a folder, sorted.
    pub(super) fn names(self, path: &str) -> Found<Vec<String>> {
        let list = || {
            let names = fs::read_dir(self.root.at(path))?;
            let names = names.filter_map(Result::ok).map(|entry| entry.file_name());
            let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
            names.sort_unstable();
            Ok(names)
        };
        Found::from_io(list())
    }

    /// A folder itself, not a link to one.
    pub(super) fn is_folder(self, path: &str) -> bool {
        fs::symlink_metadata(self.root.at(path)).is_ok_and(|meta| meta.is_dir())
    }

    pub(super) fn exists(self, path: &str) -> bool {
        fs::symlink_metadata(self.root.at(path)).is_ok()
    }

    /// The absolute path that a folder has when its links are followed; links
    /// that leave the root are not followed.
    pub(super) fn resolve(self, path: &str) -> Option<String> {
        let real = fs::canonicalize(self.root.at(path)).ok()?;
        let root = fs::canonicalize(self.root.path()).ok()?;
        Some(format!("/{}", real.strip_prefix(root).ok()?.to_str()?))
    }
}

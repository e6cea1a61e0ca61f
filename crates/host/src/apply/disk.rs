//! Changes of files, each by one call of the kernel's.
//!
//! In: a path and what becomes of it. Out: whether it did. Everything that a
//! step does to a file goes through here and past a [`FileGate`], so that a
//! test can end the work, or refuse it, between any two calls.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use model::port::{FileChange, FileGate};

use super::ApplyError;
use super::file::failed;

/// Of a file that was not there before, and of one that is a program.
const MODES: [u32; 2] = [0o644, 0o755];

/// The disk, behind its gate.
///
/// A boot loader reads a file system without its journal: after a power cut
/// GRUB sees names and blocks as they stand in their places on the disk, and
/// not what was only logged (`grub-core/fs/ext2.c` replays nothing). So what
/// happened to names is written to its place, too, and until it is, files
/// that have lost theirs are held open: their blocks are given to no other.
#[derive(Debug)]
pub(super) struct Disk {
    gate: Box<dyn FileGate>,
    /// The machine that runs is started from it.
    is_started_from: bool,
    /// Files without a name, or with another one.
    nameless: Vec<File>,
}

impl Disk {
    pub fn new(gate: Box<dyn FileGate>, is_started_from: bool) -> Self {
        Self { gate, is_started_from, nameless: Vec::new() }
    }

    pub fn make_folders(&mut self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        self.gate.pass(FileChange::MakeFolder, path)?;
        fs::create_dir_all(path)
    }

    /// A new file with these bytes, flushed, and with the owner and mode of another.
    pub fn create(&mut self, path: &Path, bytes: &[u8], like: Option<&Metadata>) -> io::Result<()> {
        self.gate.pass(FileChange::Create, path)?;
        let mode = MODES[usize::from(bytes.starts_with(b"#!"))];
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        self.gate.pass(FileChange::Write, path)?;
        file.write_all(bytes)?;
        self.finish(path, &file, like)
    }

    /// A new file with the bytes of another, flushed.
    pub fn copy(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.gate.pass(FileChange::Create, to)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(MODES[0]).open(to)?;
        self.gate.pass(FileChange::Write, to)?;
        io::copy(&mut File::open(from)?, &mut &file)?;
        self.finish(to, &file, fs::metadata(from).ok().as_ref())
    }

    /// Gives a file that is about to be put in place the owner and mode of
    /// another, and makes it last.
    pub fn finish(&mut self, path: &Path, file: &File, like: Option<&Metadata>) -> io::Result<()> {
        self.gate.pass(FileChange::Flush, path)?;
        if let Some(like) = like {
            take_after(file, like)?;
        }
        file.sync_all()
    }

    pub fn link(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.gate.pass(FileChange::Link, to)?;
        fs::hard_link(from, to)
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        self.gate.pass(FileChange::Rename, to)?;
        self.nameless.extend(File::open(to));
        fs::rename(from, to)
    }

    /// Removes a file that may be gone already.
    pub fn remove(&mut self, path: &Path) -> Result<(), ApplyError> {
        if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            return Ok(());
        }
        let removed = self.gate.pass(FileChange::Remove, path).and_then(|()| {
            self.nameless.extend(File::open(path));
            fs::remove_file(path)
        });
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(failed("remove", path, &error))
            }
            _ => Ok(()),
        }
    }

    /// Makes what happened to the names of a folder last, in the log and in
    /// its place: syncfs(2) writes what is dirty of the device as well.
    pub fn flush_folder(&mut self, path: &Path) -> Result<(), ApplyError> {
        let folder = path.parent().unwrap_or(Path::new("/"));
        let passed = self.gate.pass(FileChange::Flush, folder);
        let flushed = passed.and_then(|()| {
            let opened = File::open(folder)?;
            opened.sync_all()?;
            if self.is_started_from {
                rustix::fs::syncfs(&opened)?;
            }
            self.nameless.clear();
            Ok(())
        });
        flushed.map_err(|error| failed("flush", folder, &error))
    }
}

/// The owner and mode of another file. A file system without either (the EFI
/// system partition's) has them alike for all of its files.
fn take_after(file: &File, other: &Metadata) -> io::Result<()> {
    let now = file.metadata()?;
    if (now.uid(), now.gid()) != (other.uid(), other.gid()) {
        fchown(file, Some(other.uid()), Some(other.gid()))?;
    }
    if now.mode() != other.mode() {
        file.set_permissions(fs::Permissions::from_mode(other.mode()))?;
    }
    Ok(())
}

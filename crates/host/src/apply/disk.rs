//! Changes of files, each by one call of the kernel's.
//!
//! In: a path and what becomes of it. Out: whether it did. Everything that a
//! step does to a file goes through here and past a [`FileGate`], so that a
//! test can end the work, or refuse it, between any two calls; only what is
//! left of work that failed is removed ungated.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::Path;

use model::port::{FileChange, FileGate};
use rustix::fs::{XattrFlags, fgetxattr, fsetxattr, getxattr};
use rustix::io::Errno;

use super::ApplyError;
use super::error::failed;

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

    pub fn make_folders(&mut self, path: &Path) -> Result<(), ApplyError> {
        if path.is_dir() {
            return Ok(());
        }
        let passed = self.gate.pass(FileChange::MakeFolder, path);
        let made = passed.and_then(|()| fs::create_dir_all(path));
        made.map_err(|error| failed("make", path, &error))
    }

    /// A new file with these bytes, flushed, and with the traits of another.
    pub fn create(
        &mut self,
        path: &Path,
        bytes: &[u8],
        like: Option<&Path>,
    ) -> Result<(), ApplyError> {
        let mode = MODES[usize::from(bytes.starts_with(b"#!"))];
        let written = self.opened(path, mode).and_then(|mut file| {
            file.write_all(bytes)?;
            self.finish(path, &file, like)
        });
        written.map_err(|error| failed("write", path, &error))
    }

    /// A new file with the bytes of another, flushed.
    pub fn copy(&mut self, from: &Path, to: &Path) -> Result<(), ApplyError> {
        let copied = self.opened(to, MODES[0]).and_then(|file| {
            io::copy(&mut File::open(from)?, &mut &file)?;
            self.finish(to, &file, Some(from))
        });
        copied.map_err(|error| failed("keep a copy of", from, &error))
    }

    /// Gives a file that is about to take the place of another its traits,
    /// and makes it last.
    pub fn take_after(&mut self, path: &Path, other: &Path) -> Result<(), ApplyError> {
        let finished = File::open(path).and_then(|file| self.finish(path, &file, Some(other)));
        finished.map_err(|error| failed("put in place", path, &error))
    }

    /// A new file that is about to be written.
    fn opened(&mut self, path: &Path, mode: u32) -> io::Result<File> {
        self.gate.pass(FileChange::Create, path)?;
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        self.gate.pass(FileChange::Write, path)?;
        Ok(file)
    }

    fn finish(&mut self, path: &Path, file: &File, like: Option<&Path>) -> io::Result<()> {
        self.gate.pass(FileChange::Flush, path)?;
        if let Some(like) = like.filter(|like| like.exists()) {
            take_after(file, like)?;
        }
        file.sync_all()
    }

    /// Whether the file system has links.
    pub fn link(&mut self, from: &Path, to: &Path) -> bool {
        let passed = self.gate.pass(FileChange::Link, to);
        passed.and_then(|()| fs::hard_link(from, to)).is_ok()
    }

    pub fn rename(&mut self, from: &Path, to: &Path) -> Result<(), ApplyError> {
        let renamed = self.gate.pass(FileChange::Rename, to).and_then(|()| {
            self.nameless.extend(File::open(to));
            fs::rename(from, to)
        });
        renamed.map_err(|error| failed("put in place", to, &error))
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

    /// Removes what is left of work that failed: whoever comes next would, too,
    /// so that nobody is told if it cannot be.
    pub fn discard(&self, path: &Path) {
        let _ = fs::remove_file(path);
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

/// What of a file is not in it: its label (SELinux) and its list of who may do
/// what. Others say something about the bytes (IMA, EVM), which are new.
const ATTRIBUTES: &[&str] = &["security.selinux", "system.posix_acl_access"];

/// The longest value of an attribute (xattr(7)).
const LONGEST: usize = 64 << 10;

/// The owner, mode and label of another file. A file system without them (the
/// EFI system partition's) has them alike for all of its files.
fn take_after(file: &File, other: &Path) -> io::Result<()> {
    let (now, wanted) = (file.metadata()?, fs::metadata(other)?);
    if (now.uid(), now.gid()) != (wanted.uid(), wanted.gid()) {
        fchown(file, Some(wanted.uid()), Some(wanted.gid()))?;
    }
    if now.mode() != wanted.mode() {
        file.set_permissions(fs::Permissions::from_mode(wanted.mode()))?;
    }
    for name in ATTRIBUTES {
        let (mut own, mut value) = (vec![0; LONGEST], vec![0; LONGEST]);
        let Ok(length) = getxattr(other, *name, &mut value) else { continue };
        if fgetxattr(file, *name, &mut own)
            .is_ok_and(|own_length| own_length == length && own == value)
        {
            continue;
        }
        match fsetxattr(file, *name, &value[..length], XattrFlags::empty()) {
            // All files of that file system have the same.
            Err(Errno::OPNOTSUPP) | Ok(()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

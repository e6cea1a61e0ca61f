//! Small files, links and folders, with few system calls.
//!
//! In: a folder that stays open, and names in it. Out: the content, or why
//! there is none: a missing file, a refused read and bad content are three
//! different facts. Never: a look before the read (it would cost a call and
//! be true no longer), a resolved path, or a second read to see the end: an
//! attribute of sysfs comes whole in one read (`kernfs_file_read_iter()`).
//! Nor a wait for a file that is none: below another root than `/` anything
//! may stand at a path, a FIFO that nobody writes to or a device that never
//! ends.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use model::Why;
use model::parse::attribute::malformed;
use model::port::errno_text;
use rustix::buffer::spare_capacity;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

/// An attribute has one page at most, and so has the longest configuration space.
const PAGE: usize = 4096;
/// The longest file that is read whole; `pci.ids` has 1.5 MiB.
const LARGEST: usize = 64 << 20;
/// Room for names of a folder; what does not fit comes with the next call.
const NAMES: usize = 32 * 1024;
/// Room for the longest name, and so for some.
const FEW_NAMES: usize = 512;

/// A FIFO opens at once, and a terminal does not become this process's own.
const OPEN: OFlags =
    OFlags::RDONLY.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// Where small files are read to, again and again.
#[derive(Debug)]
pub struct Buffer(Box<[u8; PAGE]>);

impl Default for Buffer {
    fn default() -> Self {
        Self(Box::new([0; PAGE]))
    }
}

/// An open folder.
#[derive(Debug)]
pub struct Folder(OwnedFd);

impl Folder {
    /// Open a folder by its path.
    pub fn open(path: &Path) -> Result<Self, Why> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(path, flags, Mode::empty()).map(Self).map_err(why_of)
    }

    /// Open a folder in this one, or behind a link in it.
    pub fn folder(&self, name: &str) -> Result<Self, Why> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.0, name, flags, Mode::empty()).map(Self).map_err(why_of)
    }

    /// A folder in this one, or behind a link in it, to read files of and
    /// not to list: for that it need not be opened.
    pub fn step(&self, name: &str) -> Result<Self, Why> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::openat(&self.0, name, flags, Mode::empty()).map(Self).map_err(why_of)
    }

    /// The first `most` bytes of a file, a page at most.
    pub fn bytes<'b>(
        &self,
        name: &str,
        most: usize,
        buffer: &'b mut Buffer,
    ) -> Result<&'b [u8], Why> {
        let file = rustix::fs::openat(&self.0, name, OPEN, Mode::empty()).map_err(why_of)?;
        let most = most.min(PAGE);
        match rustix::io::read(&file, &mut buffer.0[..most]) {
            // Only now is it worth a call to see what it is.
            Ok(0) | Err(Errno::AGAIN) if !is_file(&file).map_err(why_of)?.0 => Err(no_file()),
            Ok(len) => Ok(&buffer.0[..len]),
            Err(errno) => Err(why_of(errno)),
        }
    }

    /// The text of a file.
    pub fn text<'b>(&self, name: &str, buffer: &'b mut Buffer) -> Result<&'b str, Why> {
        let bytes = self.bytes(name, PAGE, buffer)?;
        std::str::from_utf8(bytes).map_err(|_| malformed(&String::from_utf8_lossy(bytes)))
    }

    /// The target of a link, as it is written.
    pub fn link<'b>(&self, name: &str, buffer: &'b mut Buffer) -> Result<&'b str, Why> {
        let len = rustix::fs::readlinkat_raw(&self.0, name, &mut buffer.0[..]).map_err(why_of)?;
        let bytes = &buffer.0[..len];
        std::str::from_utf8(bytes).map_err(|_| malformed(&String::from_utf8_lossy(bytes)))
    }

    /// Whether there is such a name, and behind a link such a file.
    pub fn has(&self, name: &str) -> bool {
        rustix::fs::statat(&self.0, name, AtFlags::empty()).is_ok()
    }

    /// All names in it, in the file system's order. Names that are not text
    /// are no names of the kernel's and are left out.
    pub fn names(&self) -> Result<Vec<String>, Why> {
        let mut names = Vec::new();
        self.each_name(NAMES, |name| {
            names.push(name.to_owned());
            true
        })?;
        Ok(names)
    }

    /// Whether there is any name in it.
    pub fn is_filled(&self) -> Result<bool, Why> {
        let mut filled = false;
        self.each_name(FEW_NAMES, |_| {
            filled = true;
            false
        })?;
        Ok(filled)
    }

    /// Hand on the names, with so many bytes of room for them at a time, for
    /// as long as more are wanted.
    fn each_name(&self, room: usize, mut wants_more: impl FnMut(&str) -> bool) -> Result<(), Why> {
        let mut space = vec![MaybeUninit::uninit(); room];
        let mut entries = RawDir::new(&self.0, &mut space);
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(why_of)?;
            if let Ok(name) = entry.file_name().to_str()
                && !matches!(name, "." | "..")
                && !wants_more(name)
            {
                break;
            }
        }
        Ok(())
    }
}

/// All names in a folder.
pub fn names(path: &Path) -> Result<Vec<String>, Why> {
    Folder::open(path)?.names()
}

/// Whether there is any name in a folder.
pub fn is_filled(path: &Path) -> Result<bool, Why> {
    Folder::open(path)?.is_filled()
}

/// The text of a file of any length. Bytes that are no text (a process may
/// name a mount point as it likes) become replacement characters.
pub fn text(path: &Path) -> Result<String, Why> {
    let bytes = bytes(path, LARGEST).map_err(|error| io_why(&error))?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// A file of any length, to be read in order.
pub fn open(path: &Path) -> Result<OwnedFd, Why> {
    let file = rustix::fs::open(path, OPEN, Mode::empty()).map_err(why_of)?;
    if is_file(&file).map_err(why_of)?.0 { Ok(file) } else { Err(no_file()) }
}

/// The first `most` bytes of a file.
pub fn bytes(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = rustix::fs::open(path, OPEN, Mode::empty())?;
    let (is_file, size) = is_file(&file)?;
    if !is_file {
        return Err(io::Error::other(NO_FILE));
    }
    // One byte more, to see the end; the kernel's tables say 0.
    let mut bytes = Vec::with_capacity(size.max(PAGE).min(most) + 1);
    loop {
        if bytes.len() == bytes.capacity() {
            bytes.reserve(bytes.len());
        }
        match rustix::io::read(&file, spare_capacity(&mut bytes)) {
            Ok(0) => return Ok(bytes),
            Ok(_) if bytes.len() >= most => {
                bytes.truncate(most);
                return Ok(bytes);
            }
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

const NO_FILE: &str = "it is no regular file";

fn no_file() -> Why {
    Why::Failed(NO_FILE.to_owned())
}

/// Whether it is a regular file, as those of sysfs and procfs are, and how
/// long it says that it is. A folder is left to the read, which says so.
fn is_file(file: &OwnedFd) -> Result<(bool, usize), Errno> {
    let stat = rustix::fs::fstat(file)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let size = usize::try_from(stat.st_size).unwrap_or(0);
    Ok((matches!(kind, FileType::RegularFile | FileType::Directory), size))
}

fn io_why(error: &std::io::Error) -> Why {
    match Errno::from_io_error(error) {
        Some(errno) => why_of(errno),
        None => Why::Failed(error.to_string()),
    }
}

/// What an error number says about a fact.
pub fn why(errno: i32) -> Why {
    why_of(Errno::from_raw_os_error(errno))
}

fn why_of(errno: Errno) -> Why {
    match errno {
        Errno::NOENT | Errno::NOTDIR => Why::NotProvided,
        // Sysfs has no loops: a replay makes a read that was refused when it
        // was recorded a link to itself, which refuses root as well.
        Errno::ACCESS | Errno::PERM | Errno::LOOP => Why::NotPermitted,
        // The attribute was open when its device, or process, went away.
        Errno::NODEV | Errno::NXIO | Errno::SRCH => Why::Vanished,
        other => Why::Failed(errno_text(other.raw_os_error())),
    }
}

#[cfg(test)]
mod tests;

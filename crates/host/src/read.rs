//! Small files, links and folders, with few system calls.
//!
//! In: a folder that stays open, and names in it. Out: the content, or why
//! there is none: a missing file, a refused read and bad content are three
//! different facts. Never: a look before the read (it would cost a call and
//! be true no longer), a resolved path, or a second read to see the end: an
//! attribute of sysfs comes whole in one read (`kernfs_file_read_iter()`).

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use model::Why;
use model::parse::attribute::malformed;
use model::port::errno_text;
use rustix::fs::{AtFlags, Mode, OFlags, RawDir};
use rustix::io::Errno;

/// An attribute has one page at most, and so has the longest configuration space.
const PAGE: usize = 4096;
/// Room for names of a folder; what does not fit comes with the next call.
const NAMES: usize = 32 * 1024;
/// Room for the longest name, and so for some.
const FEW_NAMES: usize = 512;

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
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&self.0, name, flags, Mode::empty()).map_err(why_of)?;
        let most = most.min(PAGE);
        let len = rustix::io::read(&file, &mut buffer.0[..most]).map_err(why_of)?;
        Ok(&buffer.0[..len])
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
    let bytes = std::fs::read(path).map_err(|error| io_why(&error))?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
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
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn three_different_facts() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("vendor"), "0x10de\n").unwrap();
        fs::write(dir.path().join("garbage"), [0xff, 0xfe]).unwrap();
        fs::create_dir(dir.path().join("power")).unwrap();
        symlink("../../bus/pci/drivers/nvme", dir.path().join("driver")).unwrap();
        let folder = Folder::open(dir.path()).unwrap();
        let mut buffer = Buffer::default();

        assert_eq!(folder.text("vendor", &mut buffer), Ok("0x10de\n"));
        assert_eq!(folder.bytes("vendor", 4, &mut buffer), Ok(&b"0x10"[..]));
        assert_eq!(folder.text("device", &mut buffer), Err(Why::NotProvided));
        assert_eq!(folder.text("vendor/x", &mut buffer), Err(Why::NotProvided));
        assert!(matches!(folder.text("garbage", &mut buffer), Err(Why::Malformed(_))));
        assert_eq!(folder.text("power", &mut buffer), Err(Why::Failed("is a directory".into())));
        assert_eq!(folder.link("driver", &mut buffer), Ok("../../bus/pci/drivers/nvme"));
        assert_eq!(folder.link("physfn", &mut buffer), Err(Why::NotProvided));
        assert!(folder.has("vendor") && !folder.has("driver"));
        symlink("refused", dir.path().join("refused")).unwrap();
        assert_eq!(folder.text("refused", &mut buffer), Err(Why::NotPermitted));
        fs::remove_file(dir.path().join("refused")).unwrap();
        let stepped = folder.step(".").unwrap();
        assert_eq!(stepped.text("vendor", &mut buffer), Ok("0x10de\n"));
        let mut names = folder.names().unwrap();
        names.sort();
        assert_eq!(names, ["driver", "garbage", "power", "vendor"]);
    }

    #[test]
    fn many_names() {
        let dir = tempfile::tempdir().unwrap();
        for index in 0..3000 {
            fs::write(dir.path().join(format!("0000:{index:04x}")), "").unwrap();
        }
        assert_eq!(names(dir.path()).unwrap().len(), 3000);
        assert_eq!(is_filled(dir.path()), Ok(true));
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(is_filled(empty.path()), Ok(false));
        assert_eq!(is_filled(&empty.path().join("none")), Err(Why::NotProvided));
    }

    #[test]
    fn whole_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mountinfo");
        fs::write(&path, "x".repeat(3 * PAGE)).unwrap();
        assert_eq!(text(&path).unwrap().len(), 3 * PAGE);
        assert_eq!(text(&dir.path().join("none")), Err(Why::NotProvided));
        fs::write(&path, b"a\xffb").unwrap();
        assert_eq!(text(&path).unwrap(), "a\u{fffd}b");
    }
}

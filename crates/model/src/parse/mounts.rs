//! Mounted file systems and swap.
//!
//! In: `/proc/PID/mountinfo` (Documentation/filesystems/proc.rst, 3.5) and
//! `/proc/swaps`. Out: what is mounted where, and what is swapped on. A line
//! that makes no sense is an item of its own: the others still count.

use crate::fact::Why;
use crate::parse::attribute::malformed;

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Device number; major 0 where the file system has several devices or none.
    pub number: (u32, u32),
    pub at: String,
    pub fs: String,
    /// A device node, or whatever the file system calls its source.
    pub source: String,
    /// The process in whose mount namespace it is, where that is not the host's;
    /// for whoever read that process's table to say.
    pub within: Option<u32>,
}

/// One swap area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swap {
    pub path: String,
    /// A file inside a file system; a block device otherwise.
    pub is_file: bool,
}

impl Mount {
    /// Whether it tells of a device: of its disks, or of one that carries a share.
    pub fn tells_of_device(&self) -> bool {
        self.is_on_device() || matches!(self.fs.as_str(), "9p" | "virtiofs")
    }

    /// Whether there are block devices below it. Major 0 is that of file
    /// systems without, and of those that manage several themselves.
    pub fn is_on_device(&self) -> bool {
        self.number.0 != 0 || matches!(self.fs.as_str(), "bcachefs" | "btrfs" | "zfs")
    }
}

/// All mounts, in the kernel's order.
pub fn mounts(text: &str) -> impl Iterator<Item = Result<Mount, Why>> {
    text.lines().map(|line| mount(line).ok_or_else(|| malformed(line)))
}

/// `36 35 98:0 /root /at options optional-fields… - fs source super-options`
fn mount(line: &str) -> Option<Mount> {
    let (fields, rest) = line.split_once(" - ")?;
    let mut fields = fields.split(' ').skip(2);
    let (major, minor) = fields.next()?.split_once(':')?;
    let (_root, at) = (fields.next()?, fields.next()?);
    let mut rest = rest.split(' ');
    let (fs, source) = (rest.next()?, rest.next()?);
    Some(Mount {
        number: (major.parse().ok()?, minor.parse().ok()?),
        at: unescape(at),
        fs: fs.to_owned(),
        source: unescape(source),
        within: None,
    })
}

/// All swap areas.
pub fn swaps(text: &str) -> impl Iterator<Item = Result<Swap, Why>> {
    // The first line names the columns.
    text.lines().skip(1).map(|line| {
        let mut words = line.split_whitespace();
        let (Some(path), Some(kind)) = (words.next(), words.next()) else {
            return Err(malformed(line));
        };
        Ok(Swap { path: unescape(path), is_file: kind == "file" })
    })
}

/// Blanks and backslashes are printed as three octal digits (`mangle_path()`
/// in fs/seq_file.c).
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', tail @ ..]) => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounted() {
        let text = "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n\
                    45 27 0:38 /@home /home rw shared:12 - btrfs /dev/sda2 rw,subvol=/@home\n\
                    90 27 8:17 / /mnt/two\\040words\\134 rw shared:1 master:2 - vfat /dev/sdb1 rw\n\
                    91 27 0:44 / /run rw - tmpfs tmpfs rw\n";
        let got: Vec<Mount> = mounts(text).map(Result::unwrap).collect();
        let row = |index: usize| {
            let mount: &Mount = &got[index];
            (mount.number, mount.at.as_str(), mount.fs.as_str(), mount.source.as_str())
        };
        assert_eq!(row(0), ((254, 0), "/", "ext4", "/dev/vda"));
        assert_eq!(row(1), ((0, 38), "/home", "btrfs", "/dev/sda2"));
        assert_eq!(row(2), ((8, 17), "/mnt/two words\\", "vfat", "/dev/sdb1"));
        assert_eq!(row(3), ((0, 44), "/run", "tmpfs", "tmpfs"));
    }

    #[test]
    fn one_bad_line_does_not_hide_the_others() {
        let text = "27 1 254:0 / / rw,relatime\n27 1 254:0 / / rw - ext4 /dev/vda rw\n";
        let got: Vec<_> = mounts(text).map(|mount| mount.is_ok()).collect();
        assert_eq!(got, [false, true]);
    }

    #[test]
    fn swapped() {
        let text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n\
                    /dev/nvme0n1p3                          partition\t8388604\t\t0\t\t-2\n\
                    /swap\\040file                           file\t\t1048572\t\t0\t\t-3\n";
        let got: Vec<Swap> = swaps(text).map(Result::unwrap).collect();
        assert_eq!(got[0], Swap { path: "/dev/nvme0n1p3".into(), is_file: false });
        assert_eq!(got[1], Swap { path: "/swap file".into(), is_file: true });
        assert_eq!(swaps("").count(), 0);
    }

    #[test]
    fn escapes_that_are_none() {
        assert_eq!(unescape(r"\04"), r"\04");
        assert_eq!(unescape(r"\777\"), r"\777\");
        assert_eq!(unescape(r"\303\244"), "ä");
    }
}

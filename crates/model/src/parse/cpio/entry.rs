//! An entry of an archive, as a reader gets it.
//!
//! In: what its header says. Out: questions about it. Never: an absolute name;
//! an initramfs is unpacked into its own root.

/// A file, folder, link or device node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// From the root, without a leading `/` or `./`: `usr/lib/modules`. Bytes
    /// that are no text are replaced.
    pub name: String,
    /// Kind and permissions, as in stat(2).
    pub mode: u32,
    /// Of the content, in bytes.
    pub size: u32,
    /// How many names it has.
    pub links: u32,
    /// What its other names share with it.
    pub inode: Inode,
    pub content: Content,
}

/// Numbers of a file: of the archive, of the device it was on, its own there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inode {
    /// How many archives ended before: hard links do not reach further.
    pub archive: u32,
    pub major: u32,
    pub minor: u32,
    pub number: u32,
}

/// What is in an entry: of a link, its target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    NotAsked,
    Bytes(Vec<u8>),
    /// Longer than whoever asked keeps.
    TooLong,
    /// Another name of the same file brings it: most writers put it with the
    /// last one. That entry comes with its content, asked for or not.
    Elsewhere,
}

/// The bits of a mode that tell the kind (inode(7)).
const KIND: u32 = 0o17_0000;
const FILE: u32 = 0o10_0000;
const LINK: u32 = 0o12_0000;

impl Entry {
    /// A regular file.
    pub fn is_file(&self) -> bool {
        self.mode & KIND == FILE
    }

    /// A symbolic link, whose content is its target.
    pub fn is_symlink(&self) -> bool {
        self.mode & KIND == LINK
    }

    /// A regular file with more names than this one.
    pub fn is_linked(&self) -> bool {
        self.is_file() && self.links > 1
    }
}

/// A name without what does not matter in it: `./a//b/` is `a/b`.
pub fn plain(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    parts.collect::<Vec<_>>().join("/")
}

//! Why an image could not be read, or not to its end.
//!
//! In: what went wrong. Out: words, and a fact's reason. Never: a loss of what
//! was read before.

use std::io;

use model::Why;
use model::boot::initramfs::{Compression, Initramfs};
use model::parse::cpio;

use crate::read;

/// Why there is no [`Initramfs`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read `{image}`: {why}")]
    Unread { image: String, why: Why },
    #[error(transparent)]
    Broken(Box<Broken>),
}

/// An image that cannot be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("`{image}` is broken at byte {offset}")]
pub struct Broken {
    pub image: String,
    /// How far it was read, in bytes: compressed data is read ahead of what
    /// is wrong in it.
    pub offset: u64,
    #[source]
    pub fault: Fault,
    /// What had been read until then.
    pub so_far: Initramfs,
}

/// What is wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("neither an archive nor a known compression begins here but `{0}`")]
    Unknown(String),
    #[error("ends within {0} data")]
    Truncated(Compression),
    #[error("bad {compression} data: {what}")]
    Corrupt { compression: Compression, what: String },
    #[error("byte {at} of the unpacked archives: {error}")]
    Archive { at: u64, error: cpio::Error },
    #[error("byte {at} of the unpacked archives: no archive")]
    Junk { at: u64 },
    #[error("a PE file with bad headers: {0}")]
    Headers(String),
    #[error("a PE file that is no unified kernel image: it has no section `.linux`")]
    NotUnified,
    #[error("the file ends before the section `{0}`")]
    NoSection(&'static str),
    #[error("the file ends before its initramfs does")]
    Short,
    #[error("cannot be read")]
    Read(#[source] io::Error),
}

impl Error {
    /// The reason for a fact that is not known for want of the image.
    pub fn why(&self) -> Why {
        match self {
            Self::Unread { why, .. } => why.clone(),
            Self::Broken(broken) => broken.why(),
        }
    }

    /// What had been read until the image was found to be broken.
    pub fn so_far(&self) -> Option<&Initramfs> {
        match self {
            Self::Unread { .. } => None,
            Self::Broken(broken) => Some(&broken.so_far),
        }
    }
}

impl Broken {
    fn why(&self) -> Why {
        match &self.fault {
            Fault::Read(error) if error.raw_os_error().is_some() => {
                read::why(error.raw_os_error().unwrap_or_default())
            }
            fault => Why::Failed(format!("{self}: {fault}")),
        }
    }
}

impl Fault {
    /// What an unpacker says: it hands on what reading said, or judges.
    pub(super) fn unpacking(compression: Compression, error: io::Error) -> Self {
        match error.kind() {
            _ if error.raw_os_error().is_some() => Self::Read(error),
            io::ErrorKind::UnexpectedEof => Self::Truncated(compression),
            _ => Self::Corrupt { compression, what: error.to_string() },
        }
    }
}

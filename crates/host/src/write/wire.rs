//! What goes over the pipe between a writer and its child.
//!
//! Lengths first, so that a path or value may hold any byte. Numbers are in
//! the machine's byte order: both ends are the same program.
//!
//! ```text
//! request  'w' | 'r'   u32 path length   u32 value length   path   value
//! reply    'd' | 'o' | 'f'   i32 error number   u32 length   content
//! ```

use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The bytes of a reply before its content.
pub(super) const REPLY_HEAD: usize = 9;
/// An attribute shows one page at most (sysfs_kf_seq_show(), fs/sysfs/file.c).
pub(super) const PAGE: usize = 4096;
/// Longer requests are refused by the child: PATH_MAX and one page are less.
const LONGEST: usize = 1 << 16;

/// What the child is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Request {
    Write { path: PathBuf, value: Vec<u8> },
    Read { path: PathBuf },
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Written, or read with this content.
    Done(Vec<u8>),
    /// The attribute could not be opened.
    NotOpened(i32),
    /// It was opened, and the kernel refused the value (or to show it).
    Refused(i32),
}

impl Request {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (kind, path, value) = match self {
            Self::Write { path, value } => (b'w', path, value.as_slice()),
            Self::Read { path } => (b'r', path, [].as_slice()),
        };
        let path = path.as_os_str().as_bytes();
        let mut bytes = vec![kind];
        bytes.extend(length(path));
        bytes.extend(length(value));
        bytes.extend(path);
        bytes.extend(value);
        bytes
    }

    /// The next request; `None` when the other side closed the pipe.
    pub(super) fn from_pipe(pipe: &mut impl Read) -> io::Result<Option<Self>> {
        let mut kind = [0];
        if pipe.read(&mut kind)? == 0 {
            return Ok(None);
        }
        let mut lengths = [0; 8];
        pipe.read_exact(&mut lengths)?;
        let path = body(pipe, &lengths[..4])?;
        let value = body(pipe, &lengths[4..])?;
        let path = Path::new(OsStr::from_bytes(&path)).to_owned();
        match kind[0] {
            b'w' => Ok(Some(Self::Write { path, value })),
            b'r' => Ok(Some(Self::Read { path })),
            other => Err(io::Error::other(format!("no such request: {other}"))),
        }
    }
}

impl Reply {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let (kind, errno, content) = match self {
            Self::Done(content) => (b'd', 0, content.as_slice()),
            Self::NotOpened(errno) => (b'o', *errno, [].as_slice()),
            Self::Refused(errno) => (b'f', *errno, [].as_slice()),
        };
        let mut bytes = vec![kind];
        bytes.extend(errno.to_ne_bytes());
        bytes.extend(length(content));
        bytes.extend(content);
        bytes
    }

    /// The reply, once all of its bytes are there.
    pub(super) fn from_bytes(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some((head, rest)) = bytes.split_at_checked(REPLY_HEAD) else { return Ok(None) };
        let errno = i32::from_ne_bytes(four(&head[1..5]));
        let length = u32::from_ne_bytes(four(&head[5..9])) as usize;
        if length > PAGE {
            return Err(io::Error::other(format!("a reply of {length} bytes")));
        }
        let Some(content) = rest.get(..length) else { return Ok(None) };
        match head[0] {
            b'd' => Ok(Some(Self::Done(content.to_owned()))),
            b'o' => Ok(Some(Self::NotOpened(errno))),
            b'f' => Ok(Some(Self::Refused(errno))),
            other => Err(io::Error::other(format!("no such reply: {other}"))),
        }
    }
}

fn body(pipe: &mut impl Read, length: &[u8]) -> io::Result<Vec<u8>> {
    let length = u32::from_ne_bytes(four(length)) as usize;
    if length > LONGEST {
        return Err(io::Error::other(format!("a request of {length} bytes")));
    }
    let mut bytes = vec![0; length];
    pipe.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn length(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_ne_bytes()
}

fn four(bytes: &[u8]) -> [u8; 4] {
    let mut four = [0; 4];
    four.copy_from_slice(bytes);
    four
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn requests_arrive_as_sent(path in any::<Vec<u8>>(), value: Vec<u8>, write: bool) {
            let path = PathBuf::from(OsStr::from_bytes(&path));
            let sent = if write { Request::Write { path, value } } else { Request::Read { path } };
            let bytes = sent.to_bytes();
            prop_assert_eq!(Request::from_pipe(&mut bytes.as_slice()).unwrap(), Some(sent));
        }

        #[test]
        fn replies_arrive_whole_or_not_yet(content: Vec<u8>, errno: i32, kind in 0..3u8) {
            let sent = match kind {
                0 => Reply::Done(content),
                1 => Reply::NotOpened(errno),
                _ => Reply::Refused(errno),
            };
            let bytes = sent.to_bytes();
            for cut in 0..bytes.len() {
                prop_assert_eq!(Reply::from_bytes(&bytes[..cut]).unwrap(), None);
            }
            prop_assert_eq!(Reply::from_bytes(&bytes).unwrap(), Some(sent));
        }

        #[test]
        fn garbage_is_refused(bytes: Vec<u8>) {
            let _ = Reply::from_bytes(&bytes);
            let _ = Request::from_pipe(&mut bytes.as_slice());
        }
    }
}

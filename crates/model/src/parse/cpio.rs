//! What an initramfs is made of: archives of cpio's "newc" and "crc" formats.
//!
//! In: bytes, in pieces of any size, as they come out of a decompressor. Out:
//! entries, and the content of those that were asked for. Never: a second look
//! at a byte, or more memory than one name and one content of bounded length.
//!
//! The rules are those of the kernel's `init/initramfs.c` and
//! <https://docs.kernel.org/driver-api/early-userspace/buffer-format.html>:
//! archives follow each other with zeros between, each entry begins at a
//! multiple of four, a trailer only ends the reach of hard links.

mod entry;
mod header;

use std::collections::HashSet;

pub use entry::{Content, Entry, Inode};
use header::Header;

/// The longest name that the kernel takes (`PATH_MAX`); it passes over others.
const NAME: usize = 4096;
/// How many hard links wait for the entry that brings their content. No image
/// has as many; beyond it a content stays unknown, and memory bounded.
const AWAITED: usize = 4096;
/// Ends the reach of hard links (cpio(5)).
const TRAILER: &str = "TRAILER!!!";

/// What is wrong with an archive.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("no newc header but `{0}`")]
    Magic(String),
    #[error("an archive of cpio's old format, which the kernel does not read")]
    OldFormat,
    #[error("`{0}` in a header is no hexadecimal number")]
    Number(String),
    #[error("a header is not at a multiple of four")]
    Unaligned,
    #[error("the name `{0}` has no end")]
    EndlessName(String),
    #[error("the content of `{name}` has the sum {got:#x} and not {want:#x}")]
    Sum { name: String, want: u32, got: u32 },
    #[error("ends within {0}")]
    Truncated(String),
}

/// Reads archives piece by piece.
#[derive(Debug)]
pub struct Parser<W> {
    wanted: W,
    longest: u32,
    state: State,
    /// Bytes taken so far.
    position: u64,
    /// A header or a name of which the end has not come yet.
    begun: Vec<u8>,
    /// Trailers so far, and segments that began.
    archive: u32,
    awaited: HashSet<Inode>,
}

#[derive(Debug)]
enum State {
    /// Behind an entry: zeros, another entry, or something else.
    Between,
    Header,
    Name(Header),
    Content(Body),
    /// So many bytes that nobody wants.
    Skip(u64),
}

/// The content of an entry, while it comes.
#[derive(Debug)]
struct Body {
    entry: Entry,
    left: u32,
    /// What came, if it is wanted.
    kept: Option<Vec<u8>>,
    /// The sum that the header says, and that of what came.
    sum: Option<(u32, u32)>,
}

impl<W: FnMut(&Entry) -> bool> Parser<W> {
    /// `wanted` says of which entries to keep the content: those of at most
    /// `longest` bytes are kept.
    pub fn new(longest: u32, wanted: W) -> Self {
        let (state, begun, awaited) = (State::Between, Vec::new(), HashSet::new());
        Self { wanted, longest, state, position: 0, begun, archive: 0, awaited }
    }

    /// What comes next is counted anew: a segment of an image begins. Within
    /// an entry it goes on: some writers compress one archive in several
    /// pieces.
    pub fn begin(&mut self) {
        if self.finish().is_ok() {
            self.position = 0;
            self.end_links();
        }
    }

    fn end_links(&mut self) {
        self.awaited.clear();
        self.archive = self.archive.wrapping_add(1);
    }

    /// How many bytes were taken since it began: where an error is.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The next entry, and `input` without what was taken of it. None when it
    /// is used up, or when what is left of it is no archive: that begins with
    /// neither `0` nor a zero.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Entry>, Error> {
        loop {
            match &mut self.state {
                State::Between => {
                    if !self.begins(input)? {
                        return Ok(None);
                    }
                    self.state = State::Header;
                }
                State::Header => {
                    if !self.collect(input, header::LENGTH) {
                        return Ok(None);
                    }
                    let header = Header::parse(&self.begun)?;
                    self.begun.clear();
                    self.state = match header.name_length as usize {
                        1..=NAME => State::Name(header),
                        _ => State::Skip(header.padded_name() + header.padded_size()),
                    };
                }
                State::Name(header) => {
                    let header = *header;
                    if !self.collect(input, header.padded_name() as usize) {
                        return Ok(None);
                    }
                    if let Some(entry) = self.named(header)? {
                        return Ok(Some(entry));
                    }
                }
                State::Content(body) => {
                    let piece = take(input, body.left as usize, &mut self.position);
                    body.add(piece);
                    if body.left > 0 {
                        return Ok(None);
                    }
                    if let Some(entry) = self.complete()? {
                        return Ok(Some(entry));
                    }
                }
                State::Skip(left) => {
                    let most = usize::try_from(*left).unwrap_or(usize::MAX);
                    *left -= take(input, most, &mut self.position).len() as u64;
                    if *left > 0 {
                        return Ok(None);
                    }
                    self.state = State::Between;
                }
            }
        }
    }

    /// Pass over zeros; whether an entry begins behind them.
    fn begins(&mut self, input: &mut &[u8]) -> Result<bool, Error> {
        let zeros = input.iter().take_while(|byte| **byte == 0).count();
        take(input, zeros, &mut self.position);
        match input.first() {
            Some(b'0') if self.position.is_multiple_of(4) => Ok(true),
            Some(b'0') => Err(Error::Unaligned),
            _ => Ok(false),
        }
    }

    /// Whether the input may end here.
    pub fn finish(&self) -> Result<(), Error> {
        let within = match &self.state {
            State::Between => return Ok(()),
            State::Header => "a header".to_owned(),
            State::Name(_) => "a name".to_owned(),
            State::Content(body) => format!("`{}`", body.entry.name),
            State::Skip(_) => "a content".to_owned(),
        };
        Err(Error::Truncated(within))
    }

    /// Gather so many bytes; false while some have not come.
    fn collect(&mut self, input: &mut &[u8], length: usize) -> bool {
        let missing = length - self.begun.len();
        self.begun.extend_from_slice(take(input, missing, &mut self.position));
        self.begun.len() == length
    }

    /// A name is whole: the entry, if there is no content to wait for.
    fn named(&mut self, header: Header) -> Result<Option<Entry>, Error> {
        let name = &self.begun[..header.name_length as usize];
        let Some(end) = name.iter().position(|byte| *byte == 0) else {
            return Err(Error::EndlessName(String::from_utf8_lossy(name).into_owned()));
        };
        let name = entry::plain(&name[..end]);
        self.begun.clear();
        if name == TRAILER {
            self.end_links();
            self.state = State::Skip(header.padded_size());
            return Ok(None);
        }
        let mut entry = header.entry(name, self.archive);
        let brings = entry.is_linked() && entry.size > 0 && self.awaited.remove(&entry.inode);
        let wanted = (self.wanted)(&entry) || brings;
        let whole = wanted && entry.size <= self.longest;
        entry.content = match entry.size {
            _ if !wanted => Content::NotAsked,
            _ if !whole => Content::TooLong,
            0 if entry.is_linked() => self.later(entry.inode),
            // What is longer replaces it once it came.
            _ => Content::Bytes(Vec::new()),
        };
        let sum = (header.has_sum && entry.is_file()).then_some((header.sum, 0));
        if !whole && sum.is_none() || entry.size == 0 {
            self.state = State::Skip(header.padded_size());
            return Ok(Some(entry));
        }
        let kept = whole.then(Vec::new);
        self.state = State::Content(Body { left: entry.size, entry, kept, sum });
        Ok(None)
    }

    fn later(&mut self, inode: Inode) -> Content {
        if self.awaited.len() < AWAITED {
            self.awaited.insert(inode);
        }
        Content::Elsewhere
    }

    /// A content is whole: its entry.
    fn complete(&mut self) -> Result<Option<Entry>, Error> {
        let State::Content(body) = std::mem::replace(&mut self.state, State::Between) else {
            return Ok(None);
        };
        let Body { mut entry, kept, sum, .. } = body;
        if let Some((want, got)) = sum.filter(|(want, got)| want != got) {
            return Err(Error::Sum { name: entry.name, want, got });
        }
        if let Some(bytes) = kept {
            entry.content = Content::Bytes(bytes);
        }
        self.state = State::Skip(header::padding(u64::from(entry.size)));
        Ok(Some(entry))
    }
}

impl Body {
    fn add(&mut self, piece: &[u8]) {
        // At most as long as the whole, which is a u32.
        self.left -= piece.len() as u32;
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(piece);
        }
        if let Some((_, got)) = &mut self.sum {
            *got = piece.iter().fold(*got, |sum, byte| sum.wrapping_add(u32::from(*byte)));
        }
    }
}

/// At most so many bytes from the front.
fn take<'a>(input: &mut &'a [u8], most: usize, position: &mut u64) -> &'a [u8] {
    let (taken, rest) = input.split_at(most.min(input.len()));
    *input = rest;
    *position += taken.len() as u64;
    taken
}

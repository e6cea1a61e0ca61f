//! A part of a file, read in order.
//!
//! In: an open file at the start of the part. Out: its bytes, through a buffer
//! from which they are taken exactly as far as they are used: what follows a
//! compressed segment begins right behind its last byte. Never: a seek.

use std::io::{self, BufRead, Read};
use std::ops::Range;

/// Bytes per read: a decompressor is at work longer than a system call.
const BUFFER: usize = 256 << 10;

/// Where bytes come from.
#[derive(Debug)]
pub struct Source<R> {
    file: R,
    /// Of the part that was not read yet.
    left: u64,
    buffer: Box<[u8]>,
    /// What of the buffer is filled and not used.
    filled: Range<usize>,
    /// Of the first byte that was not used, in the file.
    offset: u64,
}

impl<R: Read> Source<R> {
    /// A part of a file that stands at the part's start.
    pub fn new(file: R, part: Range<u64>) -> Self {
        let buffer = vec![0; BUFFER].into_boxed_slice();
        let left = part.end - part.start;
        Self { file, left, buffer, filled: 0..0, offset: part.start }
    }

    /// Where in the file the next byte is.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether the file ended before the part did.
    pub fn is_short(&self) -> bool {
        self.left > 0
    }

    /// The next bytes, so many unless the end is nearer; they stay.
    pub fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.filled.len() < count && self.fill()? {}
        let end = self.filled.end.min(self.filled.start + count);
        Ok(&self.buffer[self.filled.start..end])
    }

    /// Exactly so many bytes.
    pub fn exact(&mut self, count: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.resize(count, 0);
        self.read_exact(bytes)
    }

    /// Read more behind what is there; false at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.filled.end == self.buffer.len() {
            self.buffer.copy_within(self.filled.clone(), 0);
            self.filled = 0..self.filled.len();
        }
        let room = &mut self.buffer[self.filled.end..];
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(room.len());
        let count = loop {
            match self.file.read(&mut room[..most]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.filled.end += count;
        self.left -= count as u64;
        Ok(count > 0)
    }
}

impl<R: Read> BufRead for Source<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.filled.is_empty() {
            self.filled = 0..0;
            self.fill()?;
        }
        Ok(&self.buffer[self.filled.clone()])
    }

    fn consume(&mut self, count: usize) {
        let count = count.min(self.filled.len());
        self.filled.start += count;
        self.offset += count as u64;
    }
}

impl<R: Read> Read for Source<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        // A block of lz4's legacy format is long: it need not be copied.
        if self.filled.is_empty() && bytes.len() >= BUFFER {
            let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
            let count = self.file.read(&mut bytes[..most])?;
            self.left -= count as u64;
            self.offset += count as u64;
            return Ok(count);
        }
        let filled = self.fill_buf()?;
        let count = filled.len().min(bytes.len());
        bytes[..count].copy_from_slice(&filled[..count]);
        self.consume(count);
        Ok(count)
    }
}

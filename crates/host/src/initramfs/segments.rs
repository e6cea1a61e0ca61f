//! The segments of an image, one after the other.
//!
//! In: the bytes of an image. Out: its entries and segments, in a collector.
//! Never: more than one piece of unpacked data at a time.
//!
//! An image is archives, compressed or not, with zeros between, as
//! `unpack_to_rootfs()` in the kernel's `init/initramfs.c` reads it. This is
//! laxer in one thing: an archive may go on in the next stream of the same
//! compression, as programs write it that compress pieces side by side.

use std::io::{BufRead, Read};

use model::boot::initramfs::{Collector, Compression, LONGEST, Segment};
use model::parse::cpio::{Entry, Parser};

use super::error::Fault;
use super::source::Source;
use super::unpack;

/// As many first bytes as tell what begins.
const MAGIC: usize = 6;

/// Entries on their way from archives to a collector.
struct Sink<'a, W> {
    parser: Parser<W>,
    collector: &'a mut Collector,
    unpacked: u64,
    entries: u64,
}

/// All segments up to the end, or to where it is broken.
pub fn walk<R: Read>(
    source: &mut Source<R>,
    wanted: &impl Fn(&str) -> bool,
    collector: &mut Collector,
) -> Result<(), Fault> {
    let parser = Parser::new(LONGEST, |entry: &Entry| wanted(&entry.name));
    let mut sink = Sink { parser, collector, unpacked: 0, entries: 0 };
    let mut last = None;
    let walked = sink.segments(source, &mut last);
    if let Some(ended) = last {
        sink.collector.end(ended);
    }
    walked
}

/// What begins here; none at the end.
fn next<R: Read>(
    source: &mut Source<R>,
    last: Option<&Segment>,
) -> Result<Option<Compression>, Fault> {
    let magic = source.peek(MAGIC).map_err(Fault::Read)?;
    let after_zstd = last.is_some_and(|last| last.compression == Compression::Zstd);
    match Compression::of(magic) {
        _ if magic.is_empty() => Ok(None),
        _ if after_zstd && unpack::is_skippable(magic) => Ok(Some(Compression::Zstd)),
        Some(compression) => Ok(Some(compression)),
        None => Err(Fault::Unknown(magic.escape_ascii().to_string())),
    }
}

/// How many zeros stood before what comes next.
fn skip_zeros<R: Read>(source: &mut Source<R>) -> Result<u64, Fault> {
    let start = source.offset();
    loop {
        let bytes = source.fill_buf().map_err(Fault::Read)?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let more = zeros == bytes.len() && zeros > 0;
        source.consume(zeros);
        if !more {
            return Ok(source.offset() - start);
        }
    }
}

impl<W: FnMut(&Entry) -> bool> Sink<'_, W> {
    /// One segment after the other; the last one stays in `last`.
    fn segments<R: Read>(
        &mut self,
        source: &mut Source<R>,
        last: &mut Option<Segment>,
    ) -> Result<(), Fault> {
        loop {
            let zeros = skip_zeros(source)?;
            let Some(compression) = next(source, last.as_ref())? else { return self.finish() };
            let goes_on = |last: &Segment| zeros == 0 && last.compression == compression;
            if !last.as_ref().is_some_and(goes_on) {
                self.finish()?;
                let offset = source.offset();
                let begun = Segment { compression, offset, length: 0, unpacked: 0, entries: 0 };
                if let Some(ended) = last.replace(begun) {
                    self.collector.end(ended);
                }
            }
            if let Some(segment) = last {
                self.segment(source, segment)?;
            }
        }
    }

    /// One stream, added to the segment that it is or goes on with.
    fn segment<R: Read>(
        &mut self,
        source: &mut Source<R>,
        segment: &mut Segment,
    ) -> Result<(), Fault> {
        self.parser.begin();
        (self.unpacked, self.entries) = (0, 0);
        let read = match segment.compression {
            Compression::None => self.plain(source),
            compression => {
                unpack::each_piece(compression, source, &mut |piece| self.push_whole(piece))
            }
        };
        segment.length = source.offset() - segment.offset;
        segment.unpacked += self.unpacked;
        segment.entries += self.entries;
        read
    }

    /// Archives that are not compressed, to where something else begins.
    fn plain<R: Read>(&mut self, source: &mut Source<R>) -> Result<(), Fault> {
        loop {
            let piece = source.fill_buf().map_err(Fault::Read)?;
            let (length, before) = (piece.len(), self.unpacked);
            let pushed = self.push(piece);
            // As far as it was good, even where it is not good to its end.
            source.consume((self.unpacked - before) as usize);
            if pushed? > 0 || length == 0 {
                return Ok(());
            }
        }
    }

    /// A piece of archives, all of which must be archives.
    fn push_whole(&mut self, piece: &[u8]) -> Result<(), Fault> {
        match self.push(piece)? {
            0 => Ok(()),
            _ => Err(Fault::Junk { at: self.parser.position() }),
        }
    }

    /// A piece of archives; how many bytes of it are none.
    fn push(&mut self, mut piece: &[u8]) -> Result<usize, Fault> {
        loop {
            let length = piece.len();
            let next = self.parser.next(&mut piece);
            self.unpacked += (length - piece.len()) as u64;
            match next {
                Ok(Some(entry)) => {
                    self.entries += 1;
                    self.collector.add(entry);
                }
                Ok(None) => return Ok(piece.len()),
                Err(error) => return Err(Fault::Archive { at: self.parser.position(), error }),
            }
        }
    }

    /// Whether archives may end here.
    fn finish(&self) -> Result<(), Fault> {
        let at = self.parser.position();
        self.parser.finish().map_err(|error| Fault::Archive { at, error })
    }
}

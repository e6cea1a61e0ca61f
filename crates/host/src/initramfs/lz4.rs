//! lz4's legacy format: a magic number, and blocks with their length before them.
//!
//! In: a source at the magic number. Out: unpacked blocks. Never: a block that
//! is longer than the format allows.
//!
//! The format is told in lz4's `doc/lz4_Frame_format.md`; where it ends, in the
//! kernel's `lib/decompress_unlz4.c`: at a length of zero, or with the file.

use std::io::{self, Read};
use std::panic::resume_unwind;
use std::thread;

use model::boot::initramfs::Compression;

use super::error::Fault;
use super::source::Source;
use super::unpack::Each;

const MAGIC: u32 = 0x184c_2102;
/// What a block unpacks to at most, and is compressed to at most.
const BLOCK: usize = 8 << 20;
const COMPRESSED: usize = BLOCK + BLOCK / 255 + 16;

/// All blocks of one stream. No block needs another one, so that two are
/// unpacked at a time.
pub fn each_block<R: Read>(source: &mut Source<R>, each: &mut Each) -> Result<(), Fault> {
    let mut number = Vec::new();
    source.exact(4, &mut number).map_err(fault)?;
    if value(&number) != Some(MAGIC) {
        return Err(corrupt("bad magic number".to_owned()));
    }
    let (mut first, mut second) = (Block::default(), Block::default());
    while first.read(source)? {
        let (one, other) = match second.read(source)? {
            false => (first.unpack(), None),
            true => thread::scope(|scope| {
                let other = scope.spawn(|| second.unpack());
                let one = first.unpack();
                // Nothing in it panics; if anything does, it does here.
                let other = other.join().unwrap_or_else(|panic| resume_unwind(panic));
                (one, Some(other))
            }),
        };
        each(one?)?;
        if let Some(other) = other {
            each(other?)?;
        }
    }
    Ok(())
}

/// A block, as it is in the stream and as it unpacks.
#[derive(Default)]
struct Block {
    packed: Vec<u8>,
    unpacked: Vec<u8>,
}

impl Block {
    /// Reads the next one; false where the stream ends.
    fn read<R: Read>(&mut self, source: &mut Source<R>) -> Result<bool, Fault> {
        loop {
            let length = match value(source.peek(4).map_err(Fault::Read)?) {
                // Streams may follow each other, with nothing between.
                Some(MAGIC) => 0,
                Some(length @ 1..) if length as usize <= COMPRESSED => length as usize,
                // Zeros, or whatever comes behind it.
                _ => return Ok(false),
            };
            source.exact(4, &mut self.packed).map_err(fault)?;
            if length > 0 {
                return source.exact(length, &mut self.packed).map_err(fault).map(|()| true);
            }
        }
    }

    fn unpack(&mut self) -> Result<&[u8], Fault> {
        self.unpacked.resize(BLOCK, 0);
        let length = lz4_flex::block::decompress_into(&self.packed, &mut self.unpacked);
        Ok(&self.unpacked[..length.map_err(|error| corrupt(error.to_string()))?])
    }
}

fn fault(error: io::Error) -> Fault {
    Fault::unpacking(Compression::Lz4Legacy, error)
}

fn corrupt(what: String) -> Fault {
    Fault::Corrupt { compression: Compression::Lz4Legacy, what }
}

fn value(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

//! lz4's legacy format: a magic number, and blocks with their length before them.
//!
//! In: a source at the magic number. Out: unpacked blocks. Never: a block that
//! is longer than the format allows.
//!
//! The format is told in lz4's `doc/lz4_Frame_format.md`; where it ends, in the
//! kernel's `lib/decompress_unlz4.c`: at a length of zero, or with the file.

use std::io::Read;

use model::boot::initramfs::Compression;

use super::error::Fault;
use super::source::Source;
use super::unpack::Each;

const MAGIC: u32 = 0x184c_2102;
/// What a block unpacks to at most, and is compressed to at most.
const BLOCK: usize = 8 << 20;
const COMPRESSED: usize = BLOCK + BLOCK / 255 + 16;

/// All blocks of one stream.
pub fn each_block<R: Read>(source: &mut Source<R>, each: &mut Each) -> Result<(), Fault> {
    let fault = |error| Fault::unpacking(Compression::Lz4Legacy, error);
    let corrupt = |what: String| Fault::Corrupt { compression: Compression::Lz4Legacy, what };
    let (mut number, mut packed) = (Vec::new(), Vec::new());
    source.exact(4, &mut number).map_err(fault)?;
    if value(&number) != Some(MAGIC) {
        return Err(corrupt("bad magic number".to_owned()));
    }
    let mut block = vec![0; BLOCK];
    loop {
        let length = match value(source.peek(4).map_err(Fault::Read)?) {
            // Streams may follow each other, with nothing between.
            Some(MAGIC) => 0,
            Some(length @ 1..) if length as usize <= COMPRESSED => length as usize,
            // Zeros, or whatever comes behind it.
            _ => return Ok(()),
        };
        source.exact(4, &mut number).map_err(fault)?;
        if length == 0 {
            continue;
        }
        source.exact(length, &mut packed).map_err(fault)?;
        let unpacked = lz4_flex::block::decompress_into(&packed, &mut block);
        each(&block[..unpacked.map_err(|error| corrupt(error.to_string()))?])?;
    }
}

fn value(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

//! lzop's format: a header, and blocks with lengths and sums before them.
//!
//! In: a source at the magic number. Out: unpacked blocks. Never: a block that
//! is longer than lzop writes, or a sum that is compared: what a bad block
//! unpacks to is judged as an archive.
//!
//! As the kernel's `lib/decompress_unlzo.c` reads it, which passes over sums too.

use std::io::{self, Read};

use model::boot::initramfs::Compression;

use super::error::Fault;
use super::source::Source;
use super::unpack::Each;

const MAGIC: &[u8] = b"\x89LZO\0\r\n\x1a\n";
/// The longest block that lzop writes (`MAX_BLOCK_SIZE` in its `conf.h`).
const BLOCK: usize = 64 << 20;

/// Flags of a header (`F_…` in lzop's `conf.h`).
const ADLER32_UNPACKED: u32 = 0x1;
const ADLER32_PACKED: u32 = 0x2;
const EXTRA_FIELD: u32 = 0x40;
const CRC32_UNPACKED: u32 = 0x100;
const CRC32_PACKED: u32 = 0x200;
const FILTER: u32 = 0x800;

/// The first version that tells what is needed to unpack, and a level.
const TELLS_MORE: u16 = 0x0940;

/// All blocks of one stream.
pub fn each_block<R: Read>(source: &mut Source<R>, each: &mut Each) -> Result<(), Fault> {
    let fault = |error| Fault::unpacking(Compression::Lzo, error);
    let flags = header(source).map_err(fault)?;
    let sums = |of: [u32; 2]| 4 * of.iter().filter(|flag| flags & **flag != 0).count();
    let unpacked_sums = sums([ADLER32_UNPACKED, CRC32_UNPACKED]);
    let packed_sums = sums([ADLER32_PACKED, CRC32_PACKED]);
    let (mut packed, mut block) = (Vec::new(), Vec::new());
    loop {
        let length = number(source).map_err(fault)? as usize;
        if length == 0 {
            return Ok(());
        }
        let packed_length = number(source).map_err(fault)? as usize;
        if length > BLOCK || packed_length > length {
            return Err(fault(bad("a block of impossible length")));
        }
        // A block that would not shrink is stored as it is, without a second sum.
        let is_stored = packed_length == length;
        let sums = unpacked_sums + if is_stored { 0 } else { packed_sums };
        source.exact(sums, &mut packed).map_err(fault)?;
        source.exact(packed_length, &mut packed).map_err(fault)?;
        if is_stored {
            each(&packed)?;
            continue;
        }
        block.resize(length, 0);
        match lzokay::decompress::decompress(&packed, &mut block) {
            Ok(count) if count == length => each(&block)?,
            Ok(_) => return Err(fault(bad("a block is shorter than its header says"))),
            Err(error) => return Err(fault(bad(&error.to_string()))),
        }
    }
}

/// The flags that the header says; the source is then at the first block.
fn header<R: Read>(source: &mut Source<R>) -> io::Result<u32> {
    let mut bytes = Vec::new();
    source.exact(MAGIC.len(), &mut bytes)?;
    if bytes != MAGIC {
        return Err(bad("bad magic number"));
    }
    source.exact(4, &mut bytes)?;
    let version = u16::from_be_bytes([bytes[0], bytes[1]]);
    // The version needed to unpack and the method, then the level.
    source.exact(if version >= TELLS_MORE { 4 } else { 1 }, &mut bytes)?;
    let flags = number(source)?;
    if flags & FILTER != 0 {
        number(source)?;
    }
    // Mode, and time in one or two numbers.
    source.exact(if version >= TELLS_MORE { 12 } else { 8 }, &mut bytes)?;
    source.exact(1, &mut bytes)?;
    let name = usize::from(bytes[0]);
    source.exact(name + 4, &mut bytes)?;
    if flags & EXTRA_FIELD != 0 {
        let length = number(source)?;
        let skipped = io::copy(&mut source.take(u64::from(length) + 4), &mut io::sink())?;
        if skipped != u64::from(length) + 4 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(flags)
}

fn number<R: Read>(source: &mut Source<R>) -> io::Result<u32> {
    let mut bytes = [0; 4];
    source.read_exact(&mut bytes)?;
    Ok(u32::from_be_bytes(bytes))
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

//! One compressed stream, unpacked piece by piece.
//!
//! In: a source that stands at the stream's first byte. Out: pieces of what
//! it holds; then the source stands behind its last byte. Never: a byte that is
//! not the stream's, or memory in proportion to its length.

use std::io::{self, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::Stream;
use lz4_flex::frame::FrameDecoder;
use model::boot::initramfs::Compression;

use super::error::Fault;
use super::source::Source;
use super::{lz4, lzo};

/// Bytes of a piece: zstd's largest block.
const PIECE: usize = 128 << 10;
/// The most memory for xz and lzma, in bytes; `xz -9` asks for 65 MiB.
const MEMORY: u64 = 512 << 20;
/// The largest window of zstd as a power of two, as the kernel has it
/// (`ZSTD_WINDOWLOG_LIMIT_DEFAULT`).
const WINDOW: u32 = 27;
/// Takes a piece of unpacked data.
pub type Each<'a> = dyn FnMut(&[u8]) -> Result<(), Fault> + 'a;

/// All pieces of one stream. What is not compressed is none.
pub fn each_piece<R: Read>(
    compression: Compression,
    source: &mut Source<R>,
    each: &mut Each,
) -> Result<(), Fault> {
    let fault = |error| Fault::unpacking(compression, error);
    let corrupt = |error: liblzma::stream::Error| fault(error.into());
    match compression {
        Compression::None => Ok(()),
        Compression::Gzip => read(compression, GzDecoder::new(source), each),
        Compression::Bzip2 => read(compression, BzDecoder::new(source), each),
        Compression::Lzma => {
            let stream = Stream::new_lzma_decoder(MEMORY).map_err(corrupt)?;
            read(compression, XzDecoder::new_stream(source, stream), each)
        }
        Compression::Xz => {
            let stream = Stream::new_stream_decoder(MEMORY, 0).map_err(corrupt)?;
            read(compression, XzDecoder::new_stream(source, stream), each)
        }
        Compression::Lzo => lzo::each_block(source, each),
        Compression::Lz4Legacy => lz4::each_block(source, each),
        Compression::Lz4Frame => {
            // The decoder takes the end of the file for that of the frame.
            let mut frame = FrameDecoder::new(ToTheEnd { source, reached: false });
            read(compression, &mut frame, each)?;
            if frame.get_ref().reached { Err(Fault::Truncated(compression)) } else { Ok(()) }
        }
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::with_buffer(source).map_err(fault)?.single_frame();
            decoder.window_log_max(WINDOW).map_err(fault)?;
            read(compression, decoder, each)
        }
    }
}

/// Whether a frame begins that zstd passes over (RFC 8878, 3.1.2).
pub fn is_skippable(magic: &[u8]) -> bool {
    matches!(magic, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// A source that remembers whether more was asked for than there is.
struct ToTheEnd<'a, R> {
    source: &'a mut Source<R>,
    reached: bool,
}

impl<R: Read> Read for ToTheEnd<'_, R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(bytes)?;
        self.reached |= count == 0 && !bytes.is_empty();
        Ok(count)
    }
}

fn read(compression: Compression, mut stream: impl Read, each: &mut Each) -> Result<(), Fault> {
    let mut piece = vec![0; PIECE];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(count) => each(&piece[..count])?,
            Err(error) => return Err(Fault::unpacking(compression, error)),
        }
    }
}

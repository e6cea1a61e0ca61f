//! What is inside an initramfs image, or in the initramfs of a unified kernel image.
//!
//! In: an image's path, and which files' texts are wanted. Out: an
//! [`Initramfs`], or where the image is broken and what came before that.
//! Never: anything unpacked to a disk, an image whole in memory, or a decision
//! about what is in it.
//!
//! ```text
//! file ─▶ Source ─▶ segments: which compression ─▶ unpack ─▶ cpio::Parser ─▶ Collector
//!            ├ unified: which part of a PE file
//!            └ bootconfig: what is behind the image
//! ```

mod bootconfig;
mod error;
mod lz4;
mod lzo;
mod segments;
mod source;
mod unified;
mod unpack;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use model::boot::initramfs::{Collector, Initramfs};

pub use error::{Broken, Error, Fault};
use source::Source;

use crate::read;

/// The image at a path. `wanted` says, by name from the root, which files'
/// texts to keep; [`is_configuration`](model::boot::initramfs::is_configuration)
/// is the usual choice.
///
/// # Errors
///
/// The image cannot be read (`Why::NotPermitted`: most are for root alone), or
/// is broken: then the error has what came before.
pub fn read(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<Initramfs, Error> {
    let image = path.display().to_string();
    match read::open(path) {
        Ok(file) => read_from(&image, File::from(file), wanted),
        Err(why) => Err(Error::Unread { image, why }),
    }
}

/// The image in an open file or in memory, which messages call `image`.
///
/// # Errors
///
/// As [`read`].
pub fn read_from(
    image: &str,
    file: impl Read + Seek,
    wanted: impl Fn(&str) -> bool,
) -> Result<Initramfs, Error> {
    let mut collector = Collector::default();
    match walk(file, &wanted, &mut collector) {
        Ok(()) => Ok(collector.finish()),
        Err((offset, fault)) => {
            let (image, so_far) = (image.to_owned(), collector.finish());
            Err(Error::Broken(Box::new(Broken { image, offset, fault, so_far })))
        }
    }
}

/// An image from its beginning to its end, or to the byte where it is broken.
fn walk(
    mut file: impl Read + Seek,
    wanted: &impl Fn(&str) -> bool,
    collector: &mut Collector,
) -> Result<(), (u64, Fault)> {
    let at_start = |error: io::Error| (0, Fault::Read(error));
    let mut head = Vec::new();
    file.by_ref().take(unified::HEADERS).read_to_end(&mut head).map_err(at_start)?;
    let part = match unified::is_pe(&head) {
        true => section(&head, &mut file, collector).map_err(|fault| (0, fault))?,
        false => whole(&mut file, collector).map_err(at_start)?,
    };
    file.seek(SeekFrom::Start(part.start)).map_err(at_start)?;
    let mut source = Source::new(file, part);
    let walked = segments::walk(&mut source, wanted, collector);
    walked.map_err(|fault| (source.offset(), fault))?;
    if source.is_short() {
        return Err((source.offset(), Fault::Short));
    }
    Ok(())
}

/// The initramfs of a unified kernel image; nothing where it has none.
fn section(
    head: &[u8],
    file: &mut (impl Read + Seek),
    collector: &mut Collector,
) -> Result<Range<u64>, Fault> {
    let (unified, initrd) = unified::read(head, file)?;
    collector.unified(unified);
    Ok(initrd.unwrap_or(0..0))
}

/// The whole file, to where a boot configuration begins.
fn whole(file: &mut (impl Read + Seek), collector: &mut Collector) -> io::Result<Range<u64>> {
    let end = match bootconfig::read(file)? {
        Some((end, text)) => {
            collector.bootconfig(text);
            end
        }
        None => file.seek(SeekFrom::End(0))?,
    };
    Ok(0..end)
}

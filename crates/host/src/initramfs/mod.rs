//! What is inside an initramfs image, or in the initramfs of a unified kernel image.
//!
//! In: an image's path, and which files' texts are wanted. Out: an
//! [`Initramfs`], or where the image is broken and what came before that.
//! Never: anything unpacked to a disk, an image whole in memory, or a decision
//! about what is in it.
//!
//! ```text
//! file ─▶ Source ─▶ segments: which compression ─▶ unpack ─▶ cpio::Parser ─▶ Collector
//!            └ unified: which part of a PE file
//! ```

mod error;
mod lz4;
mod lzo;
mod segments;
mod source;
mod unified;
mod unpack;

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
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
    let whole = 0..u64::MAX;
    let mut part = whole.clone();
    if unified::is_pe(&head) {
        let (unified, initrd) = unified::read(&head, &mut file).map_err(|fault| (0, fault))?;
        collector.unified(unified);
        match initrd {
            Some(initrd) => part = initrd,
            None => return Ok(()),
        }
    }
    file.seek(SeekFrom::Start(part.start)).map_err(at_start)?;
    let is_section = part != whole;
    let mut source = Source::new(file, part);
    let walked = segments::walk(&mut source, wanted, collector);
    walked.map_err(|fault| (source.offset(), fault))?;
    if is_section && source.is_short() {
        return Err((source.offset(), Fault::NoSection(".initrd")));
    }
    Ok(())
}

//! The sections of a unified kernel image (UKI): a PE file with a kernel, its
//! initramfs and its command line.
//!
//! In: the file's first bytes, and the file for what they point to. Out: where
//! the initramfs is, and the texts beside it. Never: the kernel itself.
//!
//! Names are those of <https://uapi-group.org/specifications/specs/unified_kernel_image/>.
//! Where an image has several profiles, this is the first, which boots unless
//! another one is chosen.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use model::boot::initramfs::Unified;
use object::LittleEndian;
use object::pe::{
    IMAGE_NT_OPTIONAL_HDR32_MAGIC, ImageDosHeader, ImageNtHeaders32, ImageNtHeaders64,
};
use object::read::pe::{ImageNtHeaders, optional_header_magic};

use super::error::Fault;

/// The headers are within so many bytes: they come first, each section takes
/// 40 of them.
pub const HEADERS: u64 = 64 << 10;
/// The longest text that is read; the kernel takes a command line of 2048
/// bytes, on some processors of 4096.
const TEXT: u64 = 64 << 10;

/// Where a section is in the file.
type Sections = Vec<(String, Range<u64>)>;

/// Whether a file begins as PE files do.
pub fn is_pe(head: &[u8]) -> bool {
    head.starts_with(b"MZ")
}

/// The texts of an image, and where its initramfs is, if it has one.
pub fn read(
    head: &[u8],
    file: &mut (impl Read + Seek),
) -> Result<(Unified, Option<Range<u64>>), Fault> {
    let sections = sections(head).map_err(|error| Fault::Headers(error.to_string()))?;
    let place = |name: &str| {
        sections.iter().find(|(other, _)| other == name).map(|(_, place)| place.clone())
    };
    if place(".linux").is_none() {
        return Err(Fault::NotUnified);
    }
    let mut text = |name| place(name).map(|place| text(name, file, place)).transpose();
    let unified = Unified { cmdline: text(".cmdline")?, uname: text(".uname")? };
    Ok((unified, place(".initrd")))
}

fn sections(head: &[u8]) -> object::read::Result<Sections> {
    match optional_header_magic(head)? {
        IMAGE_NT_OPTIONAL_HDR32_MAGIC => sections_of::<ImageNtHeaders32>(head),
        _ => sections_of::<ImageNtHeaders64>(head),
    }
}

fn sections_of<H: ImageNtHeaders>(head: &[u8]) -> object::read::Result<Sections> {
    let mut offset = ImageDosHeader::parse(head)?.nt_headers_offset().into();
    let (headers, _) = H::parse(head, &mut offset)?;
    let sections = headers.sections(head, offset)?;
    let all = sections.iter().map(|section| {
        let name = String::from_utf8_lossy(section.raw_name()).into_owned();
        let start = u64::from(section.pointer_to_raw_data.get(LittleEndian));
        // What is in the file may be filled up with zeros.
        let raw = section.size_of_raw_data.get(LittleEndian);
        let size = match section.virtual_size.get(LittleEndian) {
            0 => raw,
            size => size.min(raw),
        };
        (name, start..start + u64::from(size))
    });
    Ok(all.collect())
}

fn text(
    name: &'static str,
    file: &mut (impl Read + Seek),
    place: Range<u64>,
) -> Result<String, Fault> {
    let length = place.end - place.start;
    if length > TEXT {
        return Err(Fault::Headers(format!("the section `{name}` has {length} bytes")));
    }
    file.seek(SeekFrom::Start(place.start)).map_err(Fault::Read)?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes).map_err(Fault::Read)?;
    if (bytes.len() as u64) < length {
        return Err(Fault::NoSection(name));
    }
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(text).trim_end().to_owned())
}

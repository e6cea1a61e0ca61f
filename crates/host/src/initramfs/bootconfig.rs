//! A boot configuration that was appended to an image.
//!
//! In: a file, open. Out: where the image ends before it, and its text. Never:
//! a judgement on the text; the sum beside it is compared.
//!
//! At the end of the file stand the text, its length, its sum and a magic
//! word, as `get_boot_config_from_initrd()` in the kernel's `init/main.c` reads
//! them (<https://docs.kernel.org/admin-guide/bootconfig.html>).

use std::io::{self, Read, Seek, SeekFrom};

const MAGIC: &[u8] = b"#BOOTCONFIG\n";
/// Boot loaders fill up an image to a multiple of four: the word may end so
/// many bytes before the file does.
const FILLED: usize = 3;
/// Length and sum.
const NUMBERS: usize = 8;
/// The longest text (`XBC_DATA_MAX`).
const LONGEST: u64 = 32 * 1024;

/// The end of an image that has a boot configuration behind it, and that.
pub fn read(file: &mut (impl Read + Seek)) -> io::Result<Option<(u64, String)>> {
    let length = file.seek(SeekFrom::End(0))?;
    let tail = length.min((NUMBERS + MAGIC.len() + FILLED) as u64);
    let tail = bytes(file, length - tail, tail)?;
    let ends = (0..=FILLED).filter_map(|filled| tail.len().checked_sub(filled));
    let Some(before) = ends.into_iter().find_map(|end| tail[..end].strip_suffix(MAGIC)) else {
        return Ok(None);
    };
    let Some((_, [a, b, c, d, sum @ ..])) = before.split_last_chunk::<NUMBERS>() else {
        return Ok(None);
    };
    let (size, sum) = (u32::from_le_bytes([*a, *b, *c, *d]).into(), u32::from_le_bytes(*sum));
    let numbers = length - (tail.len() - before.len() + NUMBERS) as u64;
    let Some(start) = numbers.checked_sub(size).filter(|_| size <= LONGEST) else {
        return Ok(None);
    };
    let text = bytes(file, start, size)?;
    // As xbc_calc_checksum() adds.
    let got = text.iter().fold(0, |sum: u32, byte| sum.wrapping_add((*byte).into()));
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok((got == sum).then(|| (start, String::from_utf8_lossy(text).into_owned())))
}

fn bytes(file: &mut (impl Read + Seek), start: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

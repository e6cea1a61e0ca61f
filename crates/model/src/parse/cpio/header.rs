//! The header of an entry: a magic number and thirteen numbers of eight
//! hexadecimal digits each, as `parse_header()` in the kernel's
//! `init/initramfs.c` reads them.
//!
//! In: its bytes, whole. Out: the numbers that matter to a reader. Never: owner
//! and time, which nobody asks for.

use super::{Content, Entry, Error, Inode};

/// Of a header, in bytes.
pub const LENGTH: usize = 110;
const MAGIC: usize = 6;
const DIGITS: usize = 8;

/// What a header says.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Whether the sum of the content's bytes is told ("crc" format).
    pub has_sum: bool,
    pub sum: u32,
    /// With the zero at its end.
    pub name_length: u32,
    inode: Inode,
    mode: u32,
    links: u32,
    size: u32,
}

impl Header {
    /// Of [`LENGTH`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let (magic, numbers) = bytes.split_at(MAGIC.min(bytes.len()));
        let has_sum = match magic {
            b"070701" => false,
            b"070702" => true,
            b"070707" => return Err(Error::OldFormat),
            other => return Err(Error::Magic(other.escape_ascii().to_string())),
        };
        let mut fields = [0; 13];
        for (field, digits) in fields.iter_mut().zip(numbers.chunks(DIGITS)) {
            *field = number(digits)?;
        }
        let [number, mode, _, _, links, _, size, major, minor, _, _, name_length, sum] = fields;
        let inode = Inode { archive: 0, major, minor, number };
        Ok(Self { has_sum, sum, name_length, inode, mode, links, size })
    }

    /// Bytes of the name with what fills it up: header and name together end
    /// at a multiple of four.
    pub fn padded_name(&self) -> u64 {
        let name = u64::from(self.name_length);
        name + padding(LENGTH as u64 + name)
    }

    /// Bytes of the content with what fills it up.
    pub fn padded_size(&self) -> u64 {
        let size = u64::from(self.size);
        size + padding(size)
    }

    /// The entry of this header, in the archive of this number.
    pub fn entry(&self, name: String, archive: u32) -> Entry {
        let Self { mode, links, size, .. } = *self;
        let inode = Inode { archive, ..self.inode };
        Entry { name, mode, size, links, inode, content: Content::NotAsked }
    }
}

/// How many bytes fill up so many to a multiple of four.
pub fn padding(length: u64) -> u64 {
    length.next_multiple_of(4) - length
}

/// `from_str_radix` would take a sign.
fn number(digits: &[u8]) -> Result<u32, Error> {
    let value = digits.iter().try_fold(0, |value: u32, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(value << 4 | digit)
    });
    value.ok_or_else(|| Error::Number(digits.escape_ascii().to_string()))
}

//! How a segment of an image is compressed.
//!
//! In: its first bytes. Out: the method. Never: a guess from a file's name.

use std::fmt;

/// What the kernel unpacks, and what user space may have packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Bzip2,
    Lzma,
    Xz,
    Lzo,
    /// The old format of lz4, which the kernel reads.
    Lz4Legacy,
    /// The format that lz4 writes unless told otherwise. The kernel does not
    /// read it.
    Lz4Frame,
    Zstd,
}

/// Name and first bytes of each, in the order of `compressed_formats` in the
/// kernel's `lib/decompress.c`.
const FORMATS: &[(Compression, &str, &[u8])] = &[
    (Compression::None, "none", b"0"),
    (Compression::Gzip, "gzip", &[0x1f, 0x8b]),
    (Compression::Bzip2, "bzip2", b"BZ"),
    (Compression::Lzma, "lzma", &[0x5d, 0x00]),
    (Compression::Xz, "xz", &[0xfd, b'7']),
    (Compression::Lzo, "lzo", &[0x89, b'L']),
    (Compression::Lz4Legacy, "lz4", &[0x02, 0x21]),
    (Compression::Zstd, "zstd", &[0x28, 0xb5]),
    (Compression::Lz4Frame, "lz4 frames", &[0x04, 0x22, 0x4d, 0x18]),
];

impl Compression {
    /// By the first bytes of a segment.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let found = FORMATS.iter().find(|(_, _, magic)| bytes.starts_with(magic));
        found.map(|(compression, _, _)| *compression)
    }

    /// Whether a kernel that is built for it can unpack it.
    pub fn is_for_kernels(self) -> bool {
        self != Self::Lz4Frame
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = FORMATS.iter().find(|(compression, _, _)| compression == self);
        f.write_str(own.map_or("", |(_, name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_known_by_its_first_bytes() {
        for (compression, name, magic) in FORMATS {
            assert_eq!(Compression::of(magic), Some(*compression));
            assert_eq!(compression.to_string(), *name);
            assert_eq!(Compression::of(&magic[1..]), None, "{name}");
        }
    }
}

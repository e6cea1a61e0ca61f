//! The content of the data disks, so that a sector read in a guest can be compared with the host's.
//!
//! Each sector starts with a line that names the disk and the sector and goes on with bytes computed from
//! both; no two sectors of a lab host are alike.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::error::{AtPath, Result};

/// Bytes in a sector.
pub const SECTOR: usize = 512;

/// What sector `number` of disk `id` holds when a lab host starts.
pub fn sector(id: &str, number: u64) -> [u8; SECTOR] {
    let mut bytes = [0; SECTOR];
    let label = format!("passthru lab disk {id} sector {number}\n");
    let seed =
        label.bytes().fold(number, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    let mut state = seed | 1;
    for byte in &mut bytes {
        // Knuth's MMIX generator: cheap, and the same everywhere.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *byte = (state >> 56) as u8;
    }
    bytes[..label.len()].copy_from_slice(label.as_bytes());
    bytes
}

/// Writes a whole disk: `sectors` at its start, zeros after.
pub(crate) fn create(path: &Path, id: &str, mib: u64) -> Result<()> {
    /// Enough to compare, little enough to cost nothing.
    const WRITTEN: u64 = 64;
    let file = File::create(path).at("create", path)?;
    file.set_len(mib << 20).at("size", path)?;
    let mut file = BufWriter::new(file);
    for number in 0..WRITTEN {
        file.write_all(&sector(id, number)).at("write", path)?;
    }
    file.flush().at("write", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sectors_differ_and_name_themselves() {
        let first = sector("data", 0);
        assert!(first.starts_with(b"passthru lab disk data sector 0\n"));
        assert_ne!(first[64..], sector("data", 1)[64..]);
        assert_ne!(first[64..], sector("other", 0)[64..]);
    }
}

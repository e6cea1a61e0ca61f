//! What the IOMMU's files say of its groups and units.
//!
//! In: the text of `reserved_regions`, or of a unit's capability register.
//! Out: ranges, or the width of the addresses that it translates.

use crate::fact::Why;
use crate::parse::attribute::{hex, malformed};
use crate::snapshot::Reserved;

/// `reserved_regions`: `start end kind` per line, the end inclusive
/// (Documentation/ABI/testing/sysfs-kernel-iommu_groups).
pub fn reserved_regions(text: &str) -> Result<Vec<Reserved>, Why> {
    let region = |line: &str| {
        let mut words = line.split_whitespace();
        let (Some(start), Some(end), Some(kind), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(malformed(line));
        };
        Ok(Reserved { start: hex(start)?, end: hex(end)?, kind: kind.to_owned() })
    };
    text.lines().map(region).collect()
}

/// Bits of an address that an Intel unit translates, from `intel-iommu/cap`:
/// MGAW bounded by the deepest page table it walks (VT-d specification,
/// 11.4.2 Capability Register: MGAW 21:16, SAGAW 12:8).
pub fn intel_width(text: &str) -> Result<u8, Why> {
    let register = hex(text)?;
    let guest = (register >> 16 & 0x3f) as u8 + 1;
    let tables = match register >> 8 & 0x1f {
        sagaw if sagaw & 0b1000 != 0 => 57,
        sagaw if sagaw & 0b100 != 0 => 48,
        sagaw if sagaw & 0b10 != 0 => 39,
        _ => return Err(malformed(text)),
    };
    Ok(guest.min(tables))
}

/// Bits of an address that an AMD unit translates, from `amd-iommu/features`
/// (AMD I/O Virtualization specification, Extended Feature Register: HATS
/// 11:10). Newer kernels print a second register behind a colon.
pub fn amd_width(text: &str) -> Result<u8, Why> {
    let register = hex(text.split(':').next().unwrap_or(text))?;
    match register >> 10 & 3 {
        0 => Ok(48),
        1 => Ok(57),
        2 => Ok(64),
        _ => Err(malformed(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions() {
        let text = "0x00000000000a0000 0x00000000000fffff direct-relaxable\n\
                    0x00000000fee00000 0x00000000feefffff msi\n";
        let got = reserved_regions(text).unwrap();
        assert_eq!(
            (got[0].start, got[0].end, got[0].kind.as_str()),
            (0xa0000, 0xfffff, "direct-relaxable")
        );
        assert_eq!(got.len(), 2);
        assert_eq!(reserved_regions(""), Ok(vec![]));
        assert!(reserved_regions("0x0 0x1\n").is_err());
        assert!(reserved_regions("nothing to see\n").is_err());
    }

    #[test]
    fn widths() {
        // Xeon (Ice Lake), a Kaby Lake laptop's graphics unit, QEMU's default.
        assert_eq!(intel_width("8ed008c40780466\n"), Ok(48));
        assert_eq!(intel_width("1c0000c40660462\n"), Ok(39));
        assert_eq!(intel_width("d2008c222f0686\n"), Ok(48));
        assert!(intel_width("0\n").is_err());
        // EPYC (Milan), and the two registers of newer kernels.
        assert_eq!(amd_width("246577efa2254afa\n"), Ok(64));
        assert_eq!(amd_width("25bf732fa2295afe:1d\n"), Ok(64));
        assert_eq!(amd_width("58f77ef22294ade\n"), Ok(64));
        assert!(amd_width("alas\n").is_err());
    }
}

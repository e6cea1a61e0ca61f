//! Capabilities above offset 0x100 (PCI Express Base 6.0, chapter 7.6.3).

use super::bytes::Bytes;
use super::{Acs, Extended, Rebar, SriovCap};

const FIRST: usize = 0x100;
/// The most that fit in 4096 bytes, at eight each; more is a loop.
const MOST: usize = (4096 - FIRST) / 8;

// Capability identifiers, `PCI_EXT_CAP_ID_*`.
const DSN: u16 = 0x03;
const ACS: u16 = 0x0d;
const ATS: u16 = 0x0f;
const SRIOV: u16 = 0x10;
const REBAR: u16 = 0x15;
const PASID: u16 = 0x1b;

/// Walk the list, to the first pointer that makes no sense.
pub(super) fn walk(bytes: Bytes<'_>) -> Extended {
    let mut found = Extended::default();
    let mut at = FIRST;
    for _ in 0..MOST {
        // No capability at all reads as zero, a register that is not there as ones.
        let Some(header) = bytes.u32(at).filter(|header| ![0, u32::MAX].contains(header)) else {
            break;
        };
        take(bytes, at, header as u16, &mut found);
        at = (header >> 20) as usize & !3;
        if at < FIRST {
            break;
        }
    }
    found
}

fn take(bytes: Bytes<'_>, at: usize, id: u16, found: &mut Extended) {
    match id {
        DSN => found.serial = serial(bytes, at),
        ACS => found.acs = acs(bytes, at),
        ATS => found.ats = true,
        PASID => found.pasid = true,
        SRIOV => found.sriov = sriov(bytes, at),
        // Only the first counts, or a loop would add to the list for ever.
        REBAR if found.rebar.is_empty() => found.rebar = rebar(bytes, at),
        _ => {}
    }
}

fn serial(bytes: Bytes<'_>, at: usize) -> Option<u64> {
    let (low, high) = (bytes.u32(at + 4)?, bytes.u32(at + 8)?);
    Some(u64::from(high) << 32 | u64::from(low))
}

fn acs(bytes: Bytes<'_>, at: usize) -> Option<Acs> {
    Some(Acs { capable: bytes.u16(at + 4)?, enabled: bytes.u16(at + 6)? })
}

fn sriov(bytes: Bytes<'_>, at: usize) -> Option<SriovCap> {
    let enabled = bytes.u16(at + 0x08)? & 1 != 0;
    let active = bytes.u16(at + 0x10)?;
    Some(SriovCap {
        total: bytes.u16(at + 0x0e)?,
        active: if enabled { active } else { 0 },
        offset: bytes.u16(at + 0x14)?,
        stride: bytes.u16(at + 0x16)?,
        vf_device: bytes.u16(at + 0x1a)?,
    })
}

/// One entry per resizable register (chapter 7.8.6): 1 MiB to 128 TiB in the
/// capability register, larger ones in the upper half of the control register.
fn rebar(bytes: Bytes<'_>, at: usize) -> Vec<Rebar> {
    // The first control register says how many there are.
    let count = bytes.u32(at + 8).map_or(0, |control| (control >> 5 & 7).min(6));
    let entry = |index: usize| {
        let capability = bytes.u32(at + 4 + 8 * index)?;
        let control = bytes.u32(at + 8 + 8 * index)?;
        let exponent = 20 + (control >> 8 & 0x3f);
        Some(Rebar {
            bar: (control & 7) as u8,
            sizes: u64::from(capability >> 4) | u64::from(control >> 16) << 28,
            current: 1u64.checked_shl(exponent)?,
        })
    };
    (0..count as usize).map_while(entry).collect()
}

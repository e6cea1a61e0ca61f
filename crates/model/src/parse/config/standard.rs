//! Capabilities of the first 256 bytes: a linked list of identifiers.

use super::bytes::Bytes;
use super::{Capabilities, HeaderKind, Link, LinkPair, Msi, Msix, Pcie, PcieKind, Place};
use crate::fact::{Fact, Why};
use crate::function::PowerState;

const CAPABILITY_LIST: usize = 0x34;
const CARDBUS_CAPABILITY_LIST: usize = 0x14;
/// Capabilities start behind the header.
const FIRST: u8 = 0x40;
/// The most that fit, at four bytes each; more is a loop (`PCI_FIND_CAP_TTL`).
const MOST: usize = 48;

// Capability identifiers, `PCI_CAP_ID_*`.
const PM: u8 = 0x01;
const MSI: u8 = 0x05;
const PCIX: u8 = 0x07;
const EXP: u8 = 0x10;
const MSIX: u8 = 0x11;
const AF: u8 = 0x13;

/// Walk the list. Extended capabilities are not looked at here.
pub(super) fn walk(bytes: Bytes<'_>, header: HeaderKind) -> Capabilities {
    let mut found = Capabilities::none();
    for (id, at) in list(bytes, header) {
        match id {
            PM => found.power = power(bytes, at),
            MSI => found.msi = msi(bytes, at),
            MSIX => found.msix = msix(bytes, at),
            EXP => found.pcie = pcie(bytes, at),
            // Bit 1 of AF Capabilities: FLR.
            AF => found.af_flr = bytes.u8(at + 3).is_some_and(|bits| bits & 2 != 0),
            _ => {}
        }
        if matches!(id, EXP | PCIX) {
            found.extended = Fact::Unknown(Why::Truncated);
        }
    }
    found
}

/// Identifiers and offsets, each once and in order; ends at the first
/// pointer that makes no sense.
fn list(bytes: Bytes<'_>, header: HeaderKind) -> Vec<(u8, usize)> {
    let start = match header {
        HeaderKind::CardBus => CARDBUS_CAPABILITY_LIST,
        HeaderKind::Endpoint | HeaderKind::Bridge => CAPABILITY_LIST,
    };
    let mut found: Vec<(u8, usize)> = Vec::new();
    let mut next = bytes.u8(start);
    while let Some(at) = next.map(|pointer| pointer & !3).filter(|at| *at >= FIRST) {
        let at = usize::from(at);
        let seen = found.iter().any(|(_, other)| *other == at);
        let Some(id) = bytes.u8(at).filter(|id| *id != 0xff && !seen && found.len() < MOST) else {
            break;
        };
        found.push((id, at));
        next = bytes.u8(at + 1);
    }
    found
}

fn power(bytes: Bytes<'_>, at: usize) -> Option<PowerState> {
    Some(match bytes.u16(at + 4)? & 3 {
        0 => PowerState::D0,
        1 => PowerState::D1,
        2 => PowerState::D2,
        _ => PowerState::D3Hot,
    })
}

fn msi(bytes: Bytes<'_>, at: usize) -> Option<Msi> {
    let control = bytes.u16(at + 2)?;
    // Multiple Message Capable; 6 and 7 are reserved.
    let exponent = ((control >> 1) & 7).min(5);
    Some(Msi { vectors: 1 << exponent, maskable: control & 0x100 != 0, wide: control & 0x80 != 0 })
}

fn msix(bytes: Bytes<'_>, at: usize) -> Option<Msix> {
    let place = |register: u32| Place { bar: (register & 7) as u8, offset: register & !7 };
    Some(Msix {
        vectors: (bytes.u16(at + 2)? & 0x7ff) + 1,
        table: place(bytes.u32(at + 4)?),
        pba: place(bytes.u32(at + 8)?),
    })
}

fn pcie(bytes: Bytes<'_>, at: usize) -> Option<Pcie> {
    let kind = kind(bytes.u16(at + 2)?);
    let link = match kind {
        PcieKind::RootComplexEndpoint | PcieKind::RootComplexEventCollector => None,
        _ => link(bytes, at),
    };
    // Device Capabilities, bit 28: Function Level Reset.
    Some(Pcie { kind, flr: bytes.u32(at + 4)? & 1 << 28 != 0, link })
}

fn kind(flags: u16) -> PcieKind {
    match (flags >> 4) as u8 & 0xf {
        0x0 => PcieKind::Endpoint,
        0x1 => PcieKind::LegacyEndpoint,
        0x4 => PcieKind::RootPort,
        0x5 => PcieKind::UpstreamPort,
        0x6 => PcieKind::DownstreamPort,
        0x7 => PcieKind::PcieToPciBridge,
        0x8 => PcieKind::PciToPcieBridge,
        0x9 => PcieKind::RootComplexEndpoint,
        0xa => PcieKind::RootComplexEventCollector,
        other => PcieKind::Other(other),
    }
}

/// Link Capabilities and Link Status, in which speed and width sit alike.
fn link(bytes: Bytes<'_>, at: usize) -> Option<LinkPair> {
    let link = |register: u32| Link {
        generation: (register & 0xf) as u8,
        width: (register >> 4 & 0x3f) as u8,
    };
    let max = link(bytes.u32(at + 0xc)?);
    let now = link(bytes.u16(at + 0x12)?.into());
    // Virtual functions have no link of their own: the register reads zero.
    (max.width != 0).then_some(LinkPair { now, max })
}

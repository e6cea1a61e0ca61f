//! The guest's 64-bit window for device memory: how large, and does it fit.
//!
//! Firmware places the large registers of devices above the guest's RAM. The
//! window it does that in is 32 GiB unless it is told otherwise, and it must
//! end below what the processor, and the host's IOMMU, can address: VFIO
//! maps the guest's whole address space, device memory included.
//! In: sizes. Out: a window, or why there is none. Never: text for QEMU.

use crate::device::{Reserve, round_up};

use super::topology::Topology;

const GIB: u64 = 1 << 30;

/// What q35 (`Q35_PCI_HOST_HOLE64_SIZE_DEFAULT`) and OVMF
/// (`PcdPciMmio64Size`) take by themselves.
const DEFAULT: u64 = 32 * GIB;

/// The most that OVMF accepts: 2^24 MiB (`PlatformGetFirstNonAddress()` in
/// `OvmfPkg/Library/PlatformInitLib/MemDetect.c`).
pub(crate) const OVMF_MOST: u64 = 1 << 44;

/// The window below 4 GiB that is left for devices on q35: OVMF and SeaBIOS
/// begin at 0xc0000000 and end at the IOAPIC (0xfec00000).
const LOW: u64 = 0x3ec0_0000;

/// For what is emulated: registers of a few KiB, but the rest may fit exactly.
const EMULATED: u64 = GIB;

/// What firmware keeps free below 4 GiB under any port that can be plugged.
const LEAST_LOW: u64 = 2 << 20;

/// The window that was decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Bytes, whole GiB.
    pub(crate) size: u64,
    /// Firmware must be told, as its own choice is another.
    pub(crate) told: bool,
    /// What each spare port keeps free: less than was wished, if need be.
    pub(crate) spare: Reserve,
}

/// Why there is no window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooLarge {
    /// Bytes of window; the first address behind it; bits that there are.
    Wide { size: u64, end: u64, bits: u8 },
    /// Bytes of device memory that must lie below 4 GiB; what there is.
    Low { size: u64, most: u64 },
}

/// The window for this topology, under a guest of `ram` bytes that can
/// address `bits` bits (`None`: unknown, so nothing is refused).
pub(crate) fn fit(topology: &Topology<'_>, ram: u64, bits: Option<u8>) -> Result<Window, TooLarge> {
    let low = fit_low(topology)?;
    let mut wide = spare_wish(topology).wide;
    loop {
        let need = need_wide(topology, wide);
        let fits = |size: &u64| bits.is_none_or(|bits| end(ram, *size) <= span(bits));
        // The default if it will do: nothing is told that need not be.
        if let Some(size) = [need.max(DEFAULT), need].into_iter().find(fits) {
            let spare = Reserve { wide, low };
            return Ok(Window { size, told: size != DEFAULT, spare });
        }
        if wide == 0 {
            let bits = bits.unwrap_or(64);
            return Err(TooLarge::Wide { size: need, end: end(ram, need), bits });
        }
        wide = if wide > GIB / 64 { wide / 2 } else { 0 };
    }
}

/// What every spare port would keep free, if there was room.
fn spare_wish(topology: &Topology<'_>) -> Reserve {
    let spare = topology.ports.iter().find(|port| port.spare);
    spare.map_or_else(Reserve::default, |port| Reserve::default().max_of(port.needs))
}

/// Each port's window is aligned to its largest register, which rounding up
/// to a power of two covers. Firmware places the largest first, so powers of
/// two leave no gaps.
fn need_wide(topology: &Topology<'_>, spare: u64) -> u64 {
    let each = topology
        .ports
        .iter()
        .map(|port| if port.spare { spare } else { round_up(port.needs.wide) });
    let sum = each.fold(EMULATED, u64::saturating_add);
    sum.checked_next_multiple_of(GIB).unwrap_or(u64::MAX)
}

/// Spare ports share what the devices leave below 4 GiB.
fn fit_low(topology: &Topology<'_>) -> Result<u64, TooLarge> {
    let taken = topology.ports.iter().filter(|port| !port.spare);
    let each = taken.map(|port| round_up(port.needs.low).max(LEAST_LOW));
    let taken = each.fold(0, u64::saturating_add);
    if taken > LOW {
        return Err(TooLarge::Low { size: taken, most: LOW });
    }
    let count = topology.ports.iter().filter(|port| port.spare).count() as u64;
    let mut low = spare_wish(topology).low;
    while low.saturating_mul(count) > LOW - taken {
        low /= 2;
    }
    // A bridge's memory window is made of whole MiB.
    Ok(if low < 1 << 20 { 0 } else { low })
}

/// Whether RAM alone is more than so many bits reach.
pub(crate) fn ram_is_beyond(ram: u64, bits: u8) -> bool {
    ram.saturating_add(4 * GIB) > span(bits)
}

/// Whether so many bits reach the RAM and the window that firmware makes.
pub(crate) fn leaves_room(ram: u64, bits: u8) -> bool {
    end(ram, DEFAULT) <= span(bits)
}

/// The first address behind a window of this size. RAM above the hole below
/// 4 GiB begins at 4 GiB; OVMF aligns the window to the largest power of two
/// in its size (`PlatformGetFirstNonAddress()`).
fn end(ram: u64, size: u64) -> u64 {
    let top = ram.saturating_add(4 * GIB);
    let align = 1u64 << size.max(1).ilog2();
    top.checked_next_multiple_of(align).unwrap_or(u64::MAX).saturating_add(size)
}

/// The first address that so many bits cannot reach.
fn span(bits: u8) -> u64 {
    1u64.checked_shl(bits.into()).unwrap_or(u64::MAX)
}

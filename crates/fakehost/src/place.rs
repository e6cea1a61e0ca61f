//! Where a function's registers lie in the machine's address space.

use crate::spec::{BarKind, BarSpec, FunctionSpec};

/// The start of each range, in the order of the specification.
#[derive(Clone, Debug, Default)]
pub(crate) struct Placed {
    pub bars: Vec<u64>,
    pub rom: u64,
    pub vf_bars: Vec<u64>,
}

/// Hands out address ranges, each on a multiple of its size as PCI wants it.
#[derive(Clone, Debug)]
pub(crate) struct AddressSpace {
    io: u64,
    low: u64,
    high: u64,
}

impl Default for AddressSpace {
    fn default() -> Self {
        Self { io: 0x2000, low: 0x8000_0000, high: 0x38_0000_0000 }
    }
}

impl AddressSpace {
    pub(crate) fn place(&mut self, spec: &FunctionSpec) -> Placed {
        let bars = spec.bars.iter().map(|bar| self.take(bar, 1)).collect();
        let rom = if spec.rom > 0 { aligned(&mut self.low, spec.rom) } else { 0 };
        let sriov = spec.sriov.iter();
        let vf_bars = sriov
            .flat_map(|sriov| sriov.bars.iter().map(|bar| (bar, u64::from(sriov.total))))
            .map(|(bar, total)| self.take(bar, total))
            .collect();
        Placed { bars, rom, vf_bars }
    }

    fn take(&mut self, bar: &BarSpec, count: u64) -> u64 {
        let space = match bar.kind {
            BarKind::Io => &mut self.io,
            BarKind::Memory32 => &mut self.low,
            BarKind::Memory64 { .. } => &mut self.high,
        };
        let start = aligned(space, bar.size);
        *space = start + bar.size * count;
        start
    }
}

fn aligned(space: &mut u64, size: u64) -> u64 {
    let start = space.next_multiple_of(size);
    *space = start + size;
    start
}

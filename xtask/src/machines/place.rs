//! Where the ranges of functions lie.
//!
//! In: functions in bus order. Out: for each the addresses of its registers
//! and, for a bridge, the windows around everything behind it; as text
//! (`resource`, `/proc/iomem`) and as configuration space.

use std::collections::BTreeMap;

use crate::machines::config::Space;
use crate::machines::function::{Bar, BarKind, Function};

/// The next free addresses.
#[derive(Clone, Debug)]
pub struct Places {
    pub io: u64,
    pub memory: u64,
    pub prefetchable: u64,
    /// What the processor adds to a 32-bit bus address (POWER).
    pub offset: u64,
}

impl Default for Places {
    fn default() -> Self {
        Self { io: 0x3000, memory: 0xa000_0000, prefetchable: 0x40_0000_0000, offset: 0 }
    }
}

/// A range: start and last byte.
pub type Range = (u64, u64);

/// What one function got.
#[derive(Clone, Debug, Default)]
pub struct Place {
    bars: Vec<(Bar, u64)>,
    rom: Option<u64>,
    /// Registers of all virtual functions together.
    virtual_bars: Vec<VirtualBar>,
    windows: [Option<Range>; 2],
    offset: u64,
}

/// One register of all virtual functions: its start, the size of each, their number.
#[derive(Clone, Copy, Debug)]
struct VirtualBar {
    index: usize,
    start: u64,
    size: u64,
    total: u64,
}

const MIB: u64 = 1 << 20;

impl Places {
    /// Places all functions, windows last.
    pub fn place(mut self, functions: &[Function]) -> BTreeMap<String, Place> {
        let mut placed: BTreeMap<String, Place> = BTreeMap::new();
        let mut bridge = &None;
        for function in functions {
            // Windows have a granularity of 1 MiB and must not overlap.
            if function.below != *bridge {
                self.memory = self.memory.next_multiple_of(MIB);
                self.prefetchable = self.prefetchable.next_multiple_of(MIB);
                bridge = &function.below;
            }
            let place = match &function.virtual_of {
                Some((physical, number)) => placed[physical].of_virtual(*number),
                None => self.function(function),
            };
            placed.insert(function.address.clone(), place);
        }
        for function in functions.iter().filter(|function| function.buses.is_some()) {
            let windows = windows(&function.address, functions, &placed);
            placed.entry(function.address.clone()).or_default().windows = windows;
        }
        placed
    }

    fn function(&mut self, function: &Function) -> Place {
        let bars = function.bars.iter().map(|bar| {
            let next = match bar.kind {
                BarKind::Io => &mut self.io,
                BarKind::Memory32 => &mut self.memory,
                BarKind::Memory64 => &mut self.memory,
                BarKind::Prefetchable64 => &mut self.prefetchable,
            };
            (*bar, take(next, bar.size, bar.size))
        });
        let bars = bars.collect();
        let rom = (function.rom > 0).then(|| take(&mut self.memory, function.rom, function.rom));
        let virtual_bars = function.sriov.iter().flat_map(|sriov| {
            let total = u64::from(sriov.total);
            sriov.bars.iter().map(move |(index, size)| (*index, *size, total))
        });
        let place = |(index, size, total)| {
            let start = take(&mut self.prefetchable, size, size * total);
            VirtualBar { index, start, size, total }
        };
        let virtual_bars = virtual_bars.map(place).collect();
        Place { bars, rom, virtual_bars, windows: [None; 2], offset: self.offset }
    }
}

fn take(next: &mut u64, align: u64, size: u64) -> u64 {
    let start = next.next_multiple_of(align);
    *next = start + size;
    start
}

/// The windows of a bridge: around everything behind it, at any depth.
fn windows(
    bridge: &str,
    functions: &[Function],
    placed: &BTreeMap<String, Place>,
) -> [Option<Range>; 2] {
    let mut found = [None::<Range>; 2];
    let mut grow = |which: usize, (start, last): Range| {
        let (start, last) = (start & !(MIB - 1), last | (MIB - 1));
        let old = found[which].unwrap_or((start, last));
        found[which] = Some((old.0.min(start), old.1.max(last)));
    };
    for function in functions.iter().filter(|function| function.below.as_deref() == Some(bridge)) {
        placed[&function.address].ranges().for_each(|(which, range)| grow(which, range));
        let inner = windows(&function.address, functions, placed);
        inner
            .iter()
            .enumerate()
            .for_each(|(which, range)| range.iter().for_each(|r| grow(which, *r)));
    }
    found
}

impl Place {
    /// Memory ranges (0) and prefetchable ones (1).
    fn ranges(&self) -> impl Iterator<Item = (usize, Range)> {
        let bars = self.bars.iter().filter_map(|(bar, start)| match bar.kind {
            BarKind::Io => None,
            BarKind::Memory32 | BarKind::Memory64 => Some((0, (*start, start + bar.size - 1))),
            BarKind::Prefetchable64 => Some((1, (*start, start + bar.size - 1))),
        });
        let all = |bar: &VirtualBar| (1, (bar.start, bar.start + bar.size * bar.total - 1));
        bars.chain(self.virtual_bars.iter().map(all))
    }

    /// The part of a virtual function.
    fn of_virtual(&self, number: usize) -> Self {
        let bar = |all: &VirtualBar| {
            let bar = Bar { index: all.index, size: all.size, kind: BarKind::Prefetchable64 };
            (bar, all.start + all.size * number as u64)
        };
        Self { bars: self.virtual_bars.iter().map(bar).collect(), ..Self::default() }
    }

    /// The file `resource`: 13 lines, and 4 windows of a bridge.
    pub fn resource(&self, function: &Function) -> String {
        let mut rows = vec![(0, 0, 0); if function.buses.is_some() { 17 } else { 13 }];
        for (bar, start) in &self.bars {
            rows[bar.index] = (self.seen(bar.kind, *start), bar.size, flags(bar.kind));
        }
        if let Some(start) = self.rom {
            rows[6] = (start + self.offset, function.rom, 0x46200);
        }
        for bar in &self.virtual_bars {
            let flags = flags(BarKind::Prefetchable64);
            rows[7 + bar.index] = (bar.start, bar.size * bar.total, flags);
        }
        for (which, window) in self.windows.iter().enumerate() {
            if let Some((start, last)) = window {
                let (offset, flags) = [(self.offset, 0x200), (0, 0x102201)][which];
                rows[14 + which] = (start + offset, last - start + 1, flags);
            }
        }
        let line = |(start, size, flags): (u64, u64, u64)| {
            let last = if size == 0 { 0 } else { start + size - 1 };
            format!("0x{start:016x} 0x{last:016x} 0x{flags:016x}\n")
        };
        rows.into_iter().map(line).collect()
    }

    /// The processor's address of a range.
    fn seen(&self, kind: BarKind, start: u64) -> u64 {
        let moved = matches!(kind, BarKind::Memory32 | BarKind::Memory64);
        start + if moved { self.offset } else { 0 }
    }

    /// Configuration space to match.
    pub fn space(&self, function: &Function) -> Space {
        let mut registers = [0u32; 6];
        let is_virtual = function.virtual_of.is_some();
        for (bar, start) in self.bars.iter().filter(|_| !is_virtual) {
            registers[bar.index] = *start as u32 | (flags(bar.kind) as u32 & 0xf);
            if matches!(bar.kind, BarKind::Memory64 | BarKind::Prefetchable64) {
                registers[bar.index + 1] = (start >> 32) as u32;
            }
        }
        let starts = self.virtual_bars.iter().map(|bar| (bar.index, bar.start)).collect();
        let bus = u8::from_str_radix(function.bus(), 16).unwrap_or_default();
        Space {
            // Virtual functions read as ones there (PCIe 6.0, 9.3.4.1.1).
            vendor: if is_virtual { 0xffff } else { function.ids.0 },
            device: if is_virtual { 0xffff } else { function.ids.1 },
            class: function.class,
            revision: function.revision,
            subsystem: function.subsystem,
            multifunction: function.multifunction,
            buses: function.buses.map(|(secondary, last)| (bus, secondary, last)),
            registers,
            rom: self.rom.unwrap_or_default() as u32,
            windows: self.windows,
            pin: function.pin,
            line: if function.irq < 256 { function.irq as u8 } else { 0xff },
            caps: function.caps.clone(),
            extended: function.extended.clone(),
            sriov: function.sriov.map(|sriov| (sriov, starts)),
        }
    }
}

/// `include/linux/ioport.h`, with the low bits of the register.
fn flags(kind: BarKind) -> u64 {
    match kind {
        BarKind::Io => 0x40101,
        BarKind::Memory32 => 0x40200,
        BarKind::Memory64 => 0x14_0204,
        BarKind::Prefetchable64 => 0x14_220c,
    }
}

/// The table of physical memory, as root sees it.
pub fn iomem(functions: &[Function], placed: &BTreeMap<String, Place>, ram: &[Range]) -> String {
    let mut rows: Vec<(Range, String)> =
        ram.iter().map(|range| (*range, "System RAM".to_owned())).collect();
    for function in functions {
        let place = &placed[&function.address];
        for (bar, start) in place.bars.iter().filter(|(bar, _)| bar.kind != BarKind::Io) {
            let start = place.seen(bar.kind, *start);
            rows.push(((start, start + bar.size - 1), function.address.clone()));
            if let Some((index, size, name)) = function.framebuffer
                && index == bar.index
            {
                rows.push(((start, start + size - 1), name.to_owned()));
            }
        }
        let offsets = [place.offset, 0];
        for ((start, last), offset) in
            place.windows.iter().zip(offsets).filter_map(|(w, o)| Some(((*w)?, o)))
        {
            let behind = function.buses.map_or(0, |(secondary, _)| secondary);
            let name = format!("PCI Bus {}:{behind:02x}", function.domain());
            rows.push(((start + offset, last + offset), name));
        }
    }
    rows.sort_by_key(|((start, last), _)| (*start, std::cmp::Reverse(*last)));
    let mut open: Vec<u64> = Vec::new();
    let mut text = String::new();
    for ((start, last), name) in rows {
        open.retain(|end| *end >= last);
        text.push_str(&format!("{}{start:08x}-{last:08x} : {name}\n", "  ".repeat(open.len())));
        open.push(last);
    }
    text
}

//! Configuration space of a function, as bytes with a chain of capabilities.
//!
//! In: a [`FunctionSpec`] and where its registers lie. Out: 4096 bytes (PCI
//! Express) or 256 (conventional PCI). Offsets and bits are those of
//! `include/uapi/linux/pci_regs.h`.

use crate::place::Placed;
use crate::spec::{Express, FunctionSpec, MsiSpec, MsixSpec, SriovSpec};

/// The bytes of `config`.
pub(crate) fn bytes(spec: &FunctionSpec, placed: &Placed) -> Vec<u8> {
    let size = if spec.express.is_some() { 4096 } else { 256 };
    let mut space = Space(vec![0; size]);
    header(&mut space, spec);
    registers(&mut space, spec, placed);
    standard(&mut space, spec);
    if let Some(express) = &spec.express {
        extended(&mut space, spec, express, placed);
    }
    space.0
}

/// Where the header says its type, and the bit that says that the device has
/// more functions than this one.
pub(crate) const HEADER_TYPE: usize = 0x0e;
pub(crate) const MULTIFUNCTION: u8 = 0x80;

struct Space(Vec<u8>);

impl Space {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn put16(&mut self, at: usize, value: u16) {
        self.put(at, &value.to_le_bytes());
    }

    fn put32(&mut self, at: usize, value: u32) {
        self.put(at, &value.to_le_bytes());
    }
}

fn header(space: &mut Space, spec: &FunctionSpec) {
    space.put16(0x00, spec.vendor);
    space.put16(0x02, spec.device);
    // Memory and bus mastering on, as a driver leaves it.
    space.put16(0x04, 0x0406);
    // There is a list of capabilities.
    space.put16(0x06, 0x0010);
    space.put32(0x08, spec.class << 8 | u32::from(spec.revision));
    space.put(HEADER_TYPE, &[u8::from(spec.bridge.is_some())]);
    if let Some((first, last)) = spec.bridge {
        space.put(0x18, &[spec.bdf.bus(), first, last]);
    } else {
        space.put16(0x2c, spec.subsystem.0);
        space.put16(0x2e, spec.subsystem.1);
    }
    let pin = u8::from(spec.irq != 0);
    space.put(0x3c, &[spec.irq.to_le_bytes()[0], pin]);
}

fn registers(space: &mut Space, spec: &FunctionSpec, placed: &Placed) {
    for (bar, start) in spec.bars.iter().zip(&placed.bars) {
        put_register(space, 0x10 + 4 * usize::from(bar.index), bar.register_bits(), *start);
        if bar.is_64bit() {
            space.put32(0x14 + 4 * usize::from(bar.index), high(*start));
        }
    }
    if spec.rom > 0 {
        space.put32(0x30, low(placed.rom));
    }
}

fn put_register(space: &mut Space, at: usize, bits: u32, start: u64) {
    space.put32(at, low(start) | bits);
}

fn low(address: u64) -> u32 {
    (address & 0xffff_ffff) as u32
}

fn high(address: u64) -> u32 {
    (address >> 32) as u32
}

/// Capabilities below 0x100, at fixed places, chained in order.
fn standard(space: &mut Space, spec: &FunctionSpec) {
    let mut last = 0x34;
    let mut chain = |space: &mut Space, at: u8, id: u8| {
        space.put(last, &[at]);
        space.put(usize::from(at), &[id, 0]);
        last = usize::from(at) + 1;
    };
    chain(space, 0x40, 0x01);
    // Version 3, PME from D3hot; D0 now, no soft reset when coming back.
    space.put16(0x42, 0x4003);
    space.put16(0x44, 0x0008);
    if let Some(msi) = spec.msi {
        chain(space, 0x50, 0x05);
        space.put16(0x52, msi_control(msi));
    }
    if let Some(express) = &spec.express {
        chain(space, 0x70, 0x10);
        put_express(space, express);
    }
    if let Some(msix) = spec.msix {
        chain(space, 0xb0, 0x11);
        put_msix(space, msix);
    }
}

fn msi_control(msi: MsiSpec) -> u16 {
    let vectors = u16::from(msi.vectors.trailing_zeros() as u8) << 1;
    let maskable = if msi.maskable { 0x100 } else { 0 };
    0x80 | vectors | maskable
}

fn put_express(space: &mut Space, express: &Express) {
    space.put16(0x72, 0x2 | u16::from(express.kind) << 4);
    space.put32(0x74, if express.flr { 1 << 28 } else { 0 });
    let link = |(generation, width): (u8, u8)| u16::from(generation) | u16::from(width) << 4;
    if let Some([now, max]) = express.link {
        space.put32(0x7c, link(max).into());
        space.put16(0x82, link(now));
    }
}

fn put_msix(space: &mut Space, msix: MsixSpec) {
    // The register holds the number of vectors less one.
    space.put16(0xb2, msix.vectors - 1);
    space.put32(0xb4, msix.table.1 | u32::from(msix.table.0));
    space.put32(0xb8, msix.pba.1 | u32::from(msix.pba.0));
}

/// Capabilities from 0x100 on, 0x80 bytes apart. The first must be there for
/// any to be found, so that Advanced Error Reporting always is.
fn extended(space: &mut Space, spec: &FunctionSpec, express: &Express, placed: &Placed) {
    let mut ids: Vec<(u16, u32)> = vec![(0x0001, 2)];
    ids.extend(express.serial.map(|_| (0x0003, 1)));
    ids.extend(express.acs.map(|_| (0x000d, 1)));
    ids.extend(express.ats.then_some((0x000f, 1)));
    ids.extend(spec.sriov.as_ref().map(|_| (0x0010, 1)));
    ids.extend((!express.rebar.is_empty()).then_some((0x0015, 1)));
    ids.extend(express.pasid.then_some((0x001b, 1)));
    for (position, (id, version)) in ids.iter().enumerate() {
        let at = 0x100 + 0x80 * position;
        let next = if position + 1 < ids.len() { at as u32 + 0x80 } else { 0 };
        space.put32(at, u32::from(*id) | version << 16 | next << 20);
        match id {
            0x0003 => space.put(at + 4, &express.serial.unwrap_or_default().to_le_bytes()),
            0x000d => {
                let (capable, enabled) = express.acs.unwrap_or_default();
                space.put16(at + 4, capable);
                space.put16(at + 6, enabled);
            }
            0x0010 => put_sriov(space, at, spec.sriov.as_ref(), placed),
            0x0015 => put_rebar(space, at, spec, express),
            _ => {}
        }
    }
}

fn put_sriov(space: &mut Space, at: usize, sriov: Option<&SriovSpec>, placed: &Placed) {
    let Some(sriov) = sriov else { return };
    space.put16(at + 0x0c, sriov.total);
    space.put16(at + 0x0e, sriov.total);
    space.put16(at + 0x14, sriov.offset);
    space.put16(at + 0x16, sriov.stride);
    space.put16(at + 0x1a, sriov.vf_device);
    for (bar, start) in sriov.bars.iter().zip(&placed.vf_bars) {
        let register = at + 0x24 + 4 * usize::from(bar.index);
        put_register(space, register, bar.register_bits(), *start);
        if bar.is_64bit() {
            space.put32(register + 4, high(*start));
        }
    }
}

fn put_rebar(space: &mut Space, at: usize, spec: &FunctionSpec, express: &Express) {
    for (position, (index, sizes)) in express.rebar.iter().enumerate() {
        let bar = spec.bars.iter().find(|bar| bar.index == *index);
        let size = bar.map_or(0, |bar| bar.size.trailing_zeros().saturating_sub(20));
        let entries = u32::from(express.rebar.len() as u8);
        // The register keeps sizes from bit 4 on.
        space.put32(at + 4 + 8 * position, sizes << 4);
        space.put32(at + 8 + 8 * position, u32::from(*index) | entries << 5 | size << 8);
    }
}

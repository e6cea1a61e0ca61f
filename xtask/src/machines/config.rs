//! Configuration space from a list of capabilities.
//!
//! In: what `lspci -vv` shows. Out: 256 or 4096 bytes with a right chain.
//! Offsets and bits: PCI Express Base Specification 6.0, chapter 7, and
//! `include/uapi/linux/pci_regs.h`.

/// A capability of the first 256 bytes: its id and what follows the pointer.
#[derive(Clone, Debug)]
pub struct Cap {
    id: u8,
    body: Vec<u8>,
}

/// A capability above 0x100: id, version and what follows the header.
#[derive(Clone, Debug)]
pub struct Extended {
    id: u16,
    version: u8,
    body: Vec<u8>,
}

/// Device/port types of the PCI Express capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Endpoint = 0,
    Legacy = 1,
    RootPort = 4,
    Upstream = 5,
    Downstream = 6,
    ToPci = 7,
    Integrated = 9,
}

/// Speed (generation) and width, now and at most.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub now: (u8, u8),
    pub max: (u8, u8),
}

/// A link that runs as fast as it can.
pub fn link(generation: u8, width: u8) -> Link {
    Link { now: (generation, width), max: (generation, width) }
}

fn words(values: &[u32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Power management, in D0.
pub fn pm() -> Cap {
    // Version 3, PME from D0 and D3hot; NoSoftRst.
    Cap { id: 0x01, body: [&0x4803u16.to_le_bytes()[..], &8u16.to_le_bytes(), &[0, 0]].concat() }
}

/// MSI, 64 bit wide; a power of two of vectors.
pub fn msi(vectors: u16, maskable: bool) -> Cap {
    let control = (vectors.trailing_zeros() as u16) << 1 | 1 << 7 | u16::from(maskable) << 8;
    let mut body = control.to_le_bytes().to_vec();
    body.resize(if maskable { 22 } else { 12 }, 0);
    Cap { id: 0x05, body }
}

/// MSI-X with its table and pending bits, each in a BAR at an offset.
pub fn msix(vectors: u16, table: (u8, u32), pba: (u8, u32)) -> Cap {
    let mut body = (vectors - 1).to_le_bytes().to_vec();
    body.extend(words(&[table.1 | u32::from(table.0), pba.1 | u32::from(pba.0)]));
    Cap { id: 0x11, body }
}

/// PCI Express, version 2.
pub fn express(kind: Kind, flr: bool, link: Option<Link>) -> Cap {
    let flags = 2u16 | (kind as u16) << 4;
    // 256 bytes of payload, extended tags, role-based errors.
    let device = 1u32 | 1 << 5 | 1 << 15 | u32::from(flr) << 28;
    let (mut capable, mut status, mut speeds) = (0, 0, 0);
    if let Some(Link { now, max }) = link {
        capable = u32::from(max.0) | u32::from(max.1) << 4;
        status = u32::from(now.0) | u32::from(now.1) << 4;
        speeds = ((1u32 << max.0) - 1) << 1;
    }
    let mut body = flags.to_le_bytes().to_vec();
    body.extend(words(&[device, 0x2810, capable, status << 16, 0, 0, 0, 0, 0x1f, 0, speeds, 0]));
    Cap { id: 0x10, body }
}

/// Subsystem ids of a bridge.
pub fn bridge_subsystem(vendor: u16, device: u16) -> Cap {
    let body = [&[0, 0][..], &vendor.to_le_bytes(), &device.to_le_bytes()].concat();
    Cap { id: 0x0d, body }
}

/// Advanced Error Reporting.
pub fn aer() -> Extended {
    Extended { id: 0x01, version: 2, body: vec![0; 0x44] }
}

/// Access Control Services: the same bits capable and enabled.
pub fn acs(capable: u16, enabled: u16) -> Extended {
    Extended { id: 0x0d, version: 1, body: words(&[u32::from(capable) | u32::from(enabled) << 16]) }
}

/// Source validation, request and completion redirection, upstream forwarding.
pub const ACS_ISOLATES: u16 = 0x1d;

/// Address Translation Services.
pub fn ats() -> Extended {
    Extended { id: 0x0f, version: 1, body: words(&[0x20]) }
}

/// Alternative Routing-ID.
pub fn ari() -> Extended {
    Extended { id: 0x0e, version: 1, body: words(&[0]) }
}

/// Device Serial Number.
pub fn serial(number: u64) -> Extended {
    Extended { id: 0x03, version: 1, body: words(&[number as u32, (number >> 32) as u32]) }
}

/// Resizable BAR: register, sizes (bit n is 2^(20+n) bytes), size now.
pub fn resizable(bar: u8, sizes: u32, now: u64) -> Extended {
    let control = u32::from(bar) | 1 << 5 | (now.trailing_zeros() - 20) << 8;
    Extended { id: 0x15, version: 1, body: words(&[sizes << 4, control]) }
}

/// Single Root I/O Virtualization.
#[derive(Clone, Copy, Debug)]
pub struct SrIov {
    pub total: u16,
    pub active: u16,
    pub offset: u16,
    pub stride: u16,
    pub vf_device: u16,
    /// The registers of one VF: index and size, all 64 bit and prefetchable.
    pub bars: &'static [(usize, u64)],
}

impl SrIov {
    fn capability(&self, starts: &[(usize, u64)]) -> Extended {
        let mut registers = [0u32; 6];
        for (index, start) in starts {
            registers[*index] = *start as u32 | 0xc;
            registers[index + 1] = (start >> 32) as u32;
        }
        let on = u32::from(self.active > 0);
        let both = |low: u16, high: u16| u32::from(low) | u32::from(high) << 16;
        let mut values = vec![0, on | on << 3, both(self.total, self.total)];
        values.extend([u32::from(self.active), both(self.offset, self.stride)]);
        values.extend([u32::from(self.vf_device) << 16, 0x553, 1]);
        values.extend(registers);
        values.push(0);
        Extended { id: 0x10, version: 1, body: words(&values) }
    }
}

/// The header and everything behind it.
#[derive(Clone, Debug, Default)]
pub struct Space {
    pub vendor: u16,
    pub device: u16,
    pub class: u32,
    pub revision: u8,
    pub subsystem: (u16, u16),
    pub multifunction: bool,
    /// Primary, secondary and subordinate bus of a bridge.
    pub buses: Option<(u8, u8, u8)>,
    /// Base address registers as they read.
    pub registers: [u32; 6],
    pub rom: u32,
    /// A bridge's windows: memory, prefetchable memory; start and last byte.
    pub windows: [Option<(u64, u64)>; 2],
    pub pin: u8,
    pub line: u8,
    pub caps: Vec<Cap>,
    pub extended: Vec<Extended>,
    pub sriov: Option<(SrIov, Vec<(usize, u64)>)>,
}

impl Space {
    /// All bytes: 4096 for PCI Express, else 256.
    pub fn bytes(&self) -> Vec<u8> {
        let express = self.caps.iter().any(|cap| cap.id == 0x10);
        let mut bytes = vec![0; if express { 4096 } else { 256 }];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(0x00, &self.vendor.to_le_bytes());
        put(0x02, &self.device.to_le_bytes());
        put(0x04, &0x0406u16.to_le_bytes());
        put(0x06, &(u16::from(!self.caps.is_empty()) << 4).to_le_bytes());
        put(0x08, &(self.class << 8 | u32::from(self.revision)).to_le_bytes());
        put(0x0c, &[0x10]);
        put(0x0e, &[u8::from(self.buses.is_some()) | u8::from(self.multifunction) << 7]);
        put(0x3c, &[self.line, self.pin]);
        match self.buses {
            None => {
                put(0x10, &words(&self.registers));
                put(0x2c, &self.subsystem.0.to_le_bytes());
                put(0x2e, &self.subsystem.1.to_le_bytes());
                put(0x30, &self.rom.to_le_bytes());
            }
            Some(buses) => {
                put(0x10, &words(&self.registers[..2]));
                put(0x18, &[buses.0, buses.1, buses.2]);
                put(0x1c, &[0xf0, 0x00]);
                put_windows(&mut put, &self.windows);
            }
        }
        self.chain(&mut bytes);
        self.extended_chain(&mut bytes);
        bytes
    }

    fn chain(&self, bytes: &mut [u8]) {
        let (mut pointer, mut at) = (0x34, 0x40);
        for cap in &self.caps {
            bytes[pointer] = at as u8;
            bytes[at] = cap.id;
            bytes[at + 2..at + 2 + cap.body.len()].copy_from_slice(&cap.body);
            pointer = at + 1;
            at = (at + 2 + cap.body.len()).next_multiple_of(4);
        }
    }

    fn extended_chain(&self, bytes: &mut [u8]) {
        let sriov = self.sriov.iter().map(|(sriov, starts)| sriov.capability(starts));
        let all: Vec<Extended> = self.extended.iter().cloned().chain(sriov).collect();
        let mut at = 0x100;
        for (index, cap) in all.iter().enumerate() {
            let end = at + 4 + cap.body.len();
            let next = if index + 1 == all.len() { 0 } else { end.next_multiple_of(16) };
            let header = u32::from(cap.id) | u32::from(cap.version) << 16 | (next as u32) << 20;
            bytes[at..at + 4].copy_from_slice(&header.to_le_bytes());
            bytes[at + 4..end].copy_from_slice(&cap.body);
            at = next;
        }
    }
}

/// Memory base and limit, prefetchable base and limit with their upper halves.
/// A window that is not there has a base above its limit.
fn put_windows(put: &mut impl FnMut(usize, &[u8]), windows: &[Option<(u64, u64)>; 2]) {
    let half = |address: u64| ((address >> 16) as u16 & 0xfff0).to_le_bytes();
    let (start, last) = windows[0].unwrap_or((0xfff0_0000, 0xf_ffff));
    put(0x20, &half(start));
    put(0x22, &half(last));
    let (start, last) = windows[1].unwrap_or((0xfff0_0000, 0xf_ffff));
    put(0x24, &(u16::from_le_bytes(half(start)) | 1).to_le_bytes());
    put(0x26, &(u16::from_le_bytes(half(last)) | 1).to_le_bytes());
    put(0x28, &((start >> 32) as u32).to_le_bytes());
    put(0x2c, &((last >> 32) as u32).to_le_bytes());
}

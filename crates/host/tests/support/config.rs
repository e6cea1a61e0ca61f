//! Configuration space, put together by capability.

/// 4096 bytes being built. Capabilities are chained in the order of the calls.
#[derive(Clone, Debug)]
pub struct Space {
    bytes: Vec<u8>,
    last: usize,
    free: usize,
    last_extended: Option<usize>,
    free_extended: usize,
}

impl Space {
    /// An endpoint.
    pub fn new(vendor: u16, device: u16, class: u32) -> Self {
        let mut space = Self {
            bytes: vec![0; 4096],
            last: 0x34 - 1,
            free: 0x40,
            last_extended: None,
            free_extended: 0x100,
        };
        space.put(0x00, &vendor.to_le_bytes());
        space.put(0x02, &device.to_le_bytes());
        space.put(0x04, &[0x06, 0x04, 0x10, 0x00]);
        space.put(0x08, &(class << 8 | 0xa1).to_le_bytes());
        space.put(0x3c, &[0x0b, 0x01]);
        space
    }

    /// A bridge with buses behind it.
    pub fn bridge(vendor: u16, device: u16, buses: (u8, u8, u8)) -> Self {
        let mut space = Self::new(vendor, device, 0x06_0400);
        space.put(0x0e, &[1]);
        space.put(0x18, &[buses.0, buses.1, buses.2]);
        space
    }

    pub fn put(&mut self, at: usize, bytes: &[u8]) -> &mut Self {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// A capability of the first 256 bytes; `body` follows identifier and pointer.
    pub fn capability(&mut self, id: u8, body: &[u8]) -> &mut Self {
        let at = self.free;
        self.put(self.last + 1, &[at as u8]);
        self.put(at, &[id, 0]);
        self.put(at + 2, body);
        self.last = at;
        self.free = (at + 2 + body.len()).next_multiple_of(4);
        self
    }

    /// A capability above offset 0x100; `body` follows the header.
    pub fn extended(&mut self, id: u16, body: &[u8]) -> &mut Self {
        let at = self.free_extended;
        if let Some(last) = self.last_extended {
            let header = u32::from_le_bytes(self.bytes[last..last + 4].try_into().unwrap());
            self.put(last, &(header | (at as u32) << 20).to_le_bytes());
        }
        self.put(at, &(u32::from(id) | 1 << 16).to_le_bytes());
        self.put(at + 4, body);
        self.last_extended = Some(at);
        self.free_extended = (at + 4 + body.len()).next_multiple_of(4);
        self
    }

    /// PCI Express of a device/port type, x16 at 16 GT/s and now x8 at 8.
    pub fn express(&mut self, kind: u8) -> &mut Self {
        let mut body = [0; 0x3a];
        body[0..2].copy_from_slice(&(2 | u16::from(kind) << 4).to_le_bytes());
        body[2..6].copy_from_slice(&(1u32 << 28).to_le_bytes());
        body[0xa..0xe].copy_from_slice(&0x104u32.to_le_bytes());
        body[0x10..0x12].copy_from_slice(&0x83u16.to_le_bytes());
        self.capability(0x10, &body)
    }

    /// MSI-X with its table at the start of BAR 0.
    pub fn msix(&mut self, vectors: u16) -> &mut Self {
        let mut body = [0; 10];
        body[0..2].copy_from_slice(&(vectors - 1).to_le_bytes());
        body[6..10].copy_from_slice(&0x2000u32.to_le_bytes());
        self.capability(0x11, &body)
    }

    pub fn msi(&mut self, exponent: u16) -> &mut Self {
        let mut body = [0; 12];
        body[0..2].copy_from_slice(&(0x80 | exponent << 1).to_le_bytes());
        self.capability(0x05, &body)
    }

    pub fn power(&mut self, state: u8) -> &mut Self {
        self.capability(0x01, &[0x03, 0xc8, state, 0, 0, 0])
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

//! One PCI function of a machine that is described by hand.

use crate::machines::config::{Cap, Extended, SrIov};

/// A base address register.
#[derive(Clone, Copy, Debug)]
pub struct Bar {
    pub index: usize,
    pub size: u64,
    pub kind: BarKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BarKind {
    Io,
    Memory32,
    Memory64,
    Prefetchable64,
}

/// A function, in the order in which the kernel's files are about it.
#[derive(Clone, Debug)]
pub struct Function {
    pub address: String,
    pub ids: (u16, u16),
    pub class: u32,
    pub revision: u8,
    pub subsystem: (u16, u16),
    pub multifunction: bool,
    /// The bridge above it; `None` on a root bus.
    pub below: Option<String>,
    /// Secondary and subordinate bus of a bridge.
    pub buses: Option<(u8, u8)>,
    pub driver: Option<&'static str>,
    pub group: Option<u32>,
    pub numa: i32,
    pub bars: Vec<Bar>,
    pub rom: u64,
    pub pin: u8,
    pub irq: u32,
    pub caps: Vec<Cap>,
    pub extended: Vec<Extended>,
    pub sriov: Option<SrIov>,
    /// The physical function and the number of this virtual one.
    pub virtual_of: Option<(String, usize)>,
    pub resets: &'static str,
    pub boot_vga: Option<bool>,
    pub d3cold: bool,
    pub suspended: bool,
    /// A range that the firmware draws on, inside of a BAR: index, size, name.
    pub framebuffer: Option<(usize, u64, &'static str)>,
}

/// A function with its ids and class; the rest is set by methods.
pub fn function(address: &str, ids: (u16, u16), class: u32) -> Function {
    Function {
        address: address.to_owned(),
        ids,
        class,
        revision: 0,
        subsystem: (0, 0),
        multifunction: false,
        below: None,
        buses: None,
        driver: None,
        group: None,
        numa: -1,
        bars: Vec::new(),
        rom: 0,
        pin: 0,
        irq: 0,
        caps: Vec::new(),
        extended: Vec::new(),
        sriov: None,
        virtual_of: None,
        resets: "",
        boot_vga: None,
        d3cold: true,
        suspended: false,
        framebuffer: None,
    }
}

/// A PCI-to-PCI bridge, served by the kernel's port driver.
pub fn bridge(address: &str, ids: (u16, u16), buses: (u8, u8)) -> Function {
    let bridge = function(address, ids, 0x060400).driver("pcieport");
    Function { buses: Some(buses), ..bridge }
}

impl Function {
    pub fn revision(self, revision: u8) -> Self {
        Self { revision, ..self }
    }

    pub fn subsystem(self, vendor: u16, device: u16) -> Self {
        Self { subsystem: (vendor, device), ..self }
    }

    pub fn multifunction(self) -> Self {
        Self { multifunction: true, ..self }
    }

    pub fn below(self, bridge: &str) -> Self {
        Self { below: Some(bridge.to_owned()), ..self }
    }

    pub fn driver(self, driver: &'static str) -> Self {
        Self { driver: Some(driver), ..self }
    }

    pub fn group(self, group: u32) -> Self {
        Self { group: Some(group), ..self }
    }

    pub fn numa(self, numa: i32) -> Self {
        Self { numa, ..self }
    }

    pub fn io(self, index: usize, size: u64) -> Self {
        self.bar(index, size, BarKind::Io)
    }

    pub fn memory32(self, index: usize, size: u64) -> Self {
        self.bar(index, size, BarKind::Memory32)
    }

    pub fn memory64(self, index: usize, size: u64) -> Self {
        self.bar(index, size, BarKind::Memory64)
    }

    pub fn prefetchable(self, index: usize, size: u64) -> Self {
        self.bar(index, size, BarKind::Prefetchable64)
    }

    fn bar(mut self, index: usize, size: u64, kind: BarKind) -> Self {
        self.bars.push(Bar { index, size, kind });
        self
    }

    pub fn rom(self, rom: u64) -> Self {
        Self { rom, ..self }
    }

    /// Interrupt pin (1 is INTA) and line.
    pub fn interrupt(self, pin: u8, irq: u32) -> Self {
        Self { pin, irq, ..self }
    }

    pub fn caps(self, caps: impl IntoIterator<Item = Cap>) -> Self {
        Self { caps: caps.into_iter().collect(), ..self }
    }

    pub fn extended(self, extended: impl IntoIterator<Item = Extended>) -> Self {
        Self { extended: extended.into_iter().collect(), ..self }
    }

    pub fn sriov(self, sriov: SrIov) -> Self {
        Self { sriov: Some(sriov), ..self }
    }

    pub fn virtual_of(self, physical: &str, number: usize) -> Self {
        Self { virtual_of: Some((physical.to_owned(), number)), ..self }
    }

    /// `reset_method`, in order.
    pub fn resets(self, resets: &'static str) -> Self {
        Self { resets, ..self }
    }

    pub fn boot_vga(self, boot_vga: bool) -> Self {
        Self { boot_vga: Some(boot_vga), ..self }
    }

    pub fn suspended(self) -> Self {
        Self { suspended: true, ..self }
    }

    pub fn framebuffer(self, bar: usize, size: u64, name: &'static str) -> Self {
        Self { framebuffer: Some((bar, size, name)), ..self }
    }

    pub fn domain(&self) -> &str {
        self.address.split(':').next().unwrap_or_default()
    }

    pub fn bus(&self) -> &str {
        self.address.split(':').nth(1).unwrap_or_default()
    }
}

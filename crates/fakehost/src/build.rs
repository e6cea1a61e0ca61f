//! Devices, drivers, modules and units of a pretended machine.

use model::Bdf;

use crate::driver::Driver;
use crate::host::FakeHost;
use crate::mdev::MdevType;
use crate::presets::{self, address};
use crate::spec::{Express, FunctionSpec};

/// Devices. Addresses are the kernel's form (`0000:65:00.0`).
impl FakeHost {
    /// Any function.
    #[must_use]
    pub fn function(mut self, spec: FunctionSpec) -> Self {
        self.last = vec![spec.bdf];
        self.with(|state| state.machine.add_function(spec))
    }

    /// A consumer graphics card on the driver `nvidia`.
    #[must_use]
    pub fn gpu(self, bdf: &str) -> Self {
        self.function(presets::gpu(address(bdf)))
    }

    /// The sound function of the card before it, in its group.
    #[must_use]
    pub fn with_audio(self) -> Self {
        self.with_function(1, presets::gpu_audio)
    }

    /// The USB function of the card before it, in its group.
    #[must_use]
    pub fn with_usb(self) -> Self {
        self.with_function(2, presets::gpu_usb)
    }

    /// The USB-C controller of the card before it, in its group.
    #[must_use]
    pub fn with_ucsi(self) -> Self {
        self.with_function(3, presets::gpu_ucsi)
    }

    /// Another function of the device before it, in its group.
    #[must_use]
    pub fn with_function(mut self, number: u8, spec: impl Fn(Bdf) -> FunctionSpec) -> Self {
        let first = *self.last.first().unwrap_or_else(|| panic!("there is no device before it"));
        let bdf = Bdf::new(first.domain(), first.bus(), first.device(), number);
        let bdf = bdf.unwrap_or_else(|error| panic!("{error}"));
        self.last.push(bdf);
        self.with(|state| {
            let group = state.machine.group_of(first);
            let spec = spec(bdf);
            state.machine.add_function(FunctionSpec { group: spec.group.or(group), ..spec });
        })
    }

    /// A server's accelerator on the driver `nvidia`.
    #[must_use]
    pub fn accelerator(self, bdf: &str) -> Self {
        self.function(presets::accelerator(address(bdf)))
    }

    /// An NVMe drive; the first is `nvme0` with `nvme0n1`, and so on.
    #[must_use]
    pub fn nvme(self, bdf: &str) -> Self {
        let count = self.shared.lock().machine.tree.names("sys/class/nvme").len();
        self.function(presets::nvme(address(bdf), &format!("nvme{count}")))
    }

    /// A network card with one interface.
    #[must_use]
    pub fn nic(self, bdf: &str, interface: &str) -> Self {
        self.function(presets::nic(address(bdf), interface))
    }

    /// A network card that can have so many virtual functions.
    #[must_use]
    pub fn sriov_nic(self, bdf: &str, interface: &str, total: u16) -> Self {
        self.function(presets::sriov_nic(address(bdf), interface, total))
    }

    /// QEMU's `edu`: an accelerator without a driver.
    #[must_use]
    pub fn edu(self, bdf: &str) -> Self {
        self.function(presets::edu(address(bdf)))
    }

    /// A host bridge without a driver.
    #[must_use]
    pub fn host_bridge(self, bdf: &str) -> Self {
        self.function(presets::host_bridge(address(bdf)))
    }

    /// A root port to one bus. What is added on that bus stands below it.
    #[must_use]
    pub fn root_port(self, bdf: &str, bus: u8) -> Self {
        self.function(presets::bridge(address(bdf), Express::ROOT_PORT, (bus, bus)))
    }

    /// A bridge to conventional PCI.
    #[must_use]
    pub fn pci_bridge(self, bdf: &str, bus: u8) -> Self {
        self.function(presets::bridge(address(bdf), Express::TO_PCI_BRIDGE, (bus, bus)))
    }

    /// A switch: its upstream port, the bus inside, and a downstream port to
    /// each of the buses below, in slots from 0 on.
    #[must_use]
    pub fn switch(self, bdf: &str, inside: u8, below: &[u8]) -> Self {
        let up = address(bdf);
        let last = below.iter().copied().max().unwrap_or(inside);
        let upstream = presets::bridge(up, Express::UPSTREAM_PORT, (inside, last));
        below.iter().enumerate().fold(self.function(upstream), |host, (slot, bus)| {
            let down = Bdf::new(up.domain(), inside, slot as u8, 0);
            let down = down.unwrap_or_else(|error| panic!("{error}"));
            host.function(presets::bridge(down, Express::DOWNSTREAM_PORT, (*bus, *bus)))
        })
    }

    /// A VMD controller: what is added in `domain` stands behind it, its root
    /// bus being `bus`, and in its group.
    #[must_use]
    pub fn vmd(self, bdf: &str, domain: u32, bus: u8) -> Self {
        let controller = address(bdf);
        self.function(presets::vmd(controller)).with(|state| {
            let machine = &mut state.machine;
            let folder = format!("{}/pci{domain:04x}:{bus:02x}", machine.folder(controller));
            machine.tree.dir(&folder);
            machine.buses.insert((domain, bus), folder);
            machine.controllers.insert(domain, controller);
        })
    }

    /// Put the device before it, all its functions, into this group.
    #[must_use]
    pub fn group(self, number: u32) -> Self {
        let last = self.last.clone();
        self.with(|state| {
            last.iter().for_each(|bdf| state.machine.join_group(*bdf, Some(number)));
        })
    }

    /// A kind of mediated device that the device before it offers.
    #[must_use]
    pub fn mdev_type(self, kind: &MdevType) -> Self {
        let parent = *self.last.first().unwrap_or_else(|| panic!("there is no device before it"));
        self.with(|state| state.machine.add_mdev_type(parent, kind))
    }

    /// A loaded driver that knows these devices but has none yet.
    #[must_use]
    pub fn driver(self, name: &str, ids: &[(u16, u16)]) -> Self {
        self.with(|state| ids.iter().for_each(|ids| state.machine.know_driver(name, *ids)))
    }

    /// A module that `modprobe` loads, with one driver of the same name.
    #[must_use]
    pub fn loadable(self, name: &str, ids: &[(u16, u16)]) -> Self {
        self.with(|state| {
            let driver = Driver::new(name, ids);
            state.machine.loadable.insert(driver.module.clone(), vec![driver]);
            state.machine.put_modules();
        })
    }

    /// Load `vfio-pci` (or another module) as if at boot.
    #[must_use]
    pub fn loaded(self, module: &str) -> Self {
        self.with(|state| {
            let drivers = state.machine.loadable.get(&module.replace('-', "_")).cloned();
            let drivers = drivers.unwrap_or_else(|| panic!("there is no module {module}"));
            drivers.into_iter().for_each(|driver| state.machine.load(driver));
        })
    }

    /// A module that this kernel does not have.
    #[must_use]
    pub fn without_module(self, module: &str) -> Self {
        self.with(|state| {
            state.machine.loadable.remove(&module.replace('-', "_"));
            state.machine.put_modules();
        })
    }
}

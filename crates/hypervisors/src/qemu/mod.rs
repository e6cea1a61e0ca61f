//! QEMU: q35 guests on x86, pseries guests on POWER.
//!
//! In: a guest. Out: its command line ([`render`]), and control over it
//! while it runs ([`client`], [`hotplug`]) by the QEMU Machine Protocol.
//! Never: a process started.

pub mod client;
pub mod disk;
pub mod firmware;
pub mod hotplug;
mod iommu;
pub mod monitor;
pub mod ports;
pub mod render;
mod socket;
pub mod version;

use std::path::Path;
use std::time::Duration;

use model::plan::Refusal;

use crate::device::{HostDevice, HostFunction};
use crate::machine::{GuestSpec, HostFacts};
use crate::{Backend, Capabilities, ControlError, Guest, Listener, Patience, Rendered, Slots};

pub use client::{Event, Qmp, QmpError};
pub use version::Version;

/// Whoever listens reads what is there.
const AT_ONCE: Duration = Duration::from_millis(1);

/// The backend.
#[derive(Clone, Copy, Debug)]
pub struct Qemu;

impl Backend for Qemu {
    fn name(&self) -> &'static str {
        "qemu"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            runs: true,
            hotplug: true,
            guest_iommu: true,
            iommufd: true,
            memory_placement: true,
            max_functions: render::topology::MAX_PORTS * 8,
        }
    }

    fn render(&self, spec: &GuestSpec, facts: &HostFacts) -> Result<Rendered, Refusal> {
        render::render(spec, facts)
    }

    fn connect(&self, socket: &Path, patience: &Patience) -> Result<Box<dyn Guest>, ControlError> {
        Ok(Box::new(Qmp::connect_with(socket, patience)?))
    }

    fn listen(
        &self,
        socket: &Path,
        patience: &Patience,
    ) -> Result<Box<dyn Listener>, ControlError> {
        Ok(Box::new(Qmp::connect_with(socket, patience)?))
    }
}

impl Listener for Qmp {
    fn let_go(&mut self) -> Result<bool, ControlError> {
        let mut let_go = false;
        while let Some(event) = self.next_event(AT_ONCE)? {
            let_go |= event.name == "DEVICE_DELETED";
        }
        Ok(let_go)
    }
}

impl Guest for Qmp {
    fn state(&mut self) -> Result<String, ControlError> {
        Ok(self.query_status()?)
    }

    fn shut_down(&mut self) -> Result<(), ControlError> {
        Ok(self.system_powerdown()?)
    }

    fn quit(&mut self) -> Result<(), ControlError> {
        Ok(Qmp::quit(self)?)
    }

    fn held(&mut self) -> Result<Vec<String>, ControlError> {
        let devices = self.peripherals()?.into_iter();
        Ok(devices.filter(|device| device.kind == "vfio-pci").map(|device| device.id).collect())
    }

    fn slots(&mut self) -> Result<Slots, ControlError> {
        let held = self.held()?;
        Ok(ports::by_slot(self, &held)?)
    }

    fn may_attach(
        &mut self,
        devices: &[HostDevice],
        held: &[HostFunction],
    ) -> Result<(), ControlError> {
        hotplug::may_attach(self, devices, held)
    }

    fn attach(&mut self, device: &HostDevice) -> Result<(), ControlError> {
        hotplug::attach(self, device).map(|_| ())
    }

    fn detach(&mut self, device: &HostDevice, patience: &Patience) -> Result<(), ControlError> {
        hotplug::detach(self, device, patience)
    }
}

//! What `run` is asked for.
//!
//! Options as a user thinks of them. What a hypervisor is told is made of it
//! in `guest`; nothing is checked here.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use hypervisors::machine::{Accel, Container, Forward, GuestIommu, Kernel, SparePorts};
use model::reason::Code;

use crate::name::Name;

/// An instance that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRequest {
    pub name: Name,
    /// The hypervisor, by its word ([`hypervisors::BACKENDS`]).
    pub on: String,
    /// Addresses, registered names, or `vendor:device`.
    pub devices: Vec<String>,
    /// A disk image or block device. It is never written: the guest gets a
    /// layer of its own over it.
    pub image: Option<PathBuf>,
    pub kernel: Option<Kernel>,
    /// Bytes.
    pub memory: u64,
    pub cpus: u32,
    pub accel: Accel,
    /// UEFI in place of the machine's own firmware.
    pub uefi: bool,
    pub network: NetworkRequest,
    /// The machine's name; by the host's architecture when `None`.
    pub machine: Option<String>,
    pub iommu: GuestIommu,
    pub container: Container,
    pub spare: SparePorts,
    pub hide_kvm: bool,
    pub hugepages: Hugepages,
    /// Refusals that the user named and lets go.
    pub overrides: BTreeSet<Code>,
    /// Whether services that others feel may be stopped.
    pub stop_services: bool,
    /// The hypervisor's program, when it is not the usual one.
    pub program: Option<PathBuf>,
    /// Appended to the hypervisor's command line as they are.
    pub extra: Vec<String>,
}

/// Whether the memory comes from the host's hugepages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hugepages {
    /// When all of it is free in one pool, near the devices.
    Auto,
    Off,
    /// Of the host's usual size.
    On,
    /// Of this size in bytes.
    Size(u64),
}

/// The network of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkRequest {
    None,
    /// Outgoing connections, and these ports of the host's loopback.
    User {
        forwards: Vec<Forward>,
    },
    /// A tap interface that is there already.
    Tap {
        interface: String,
    },
}

impl RunRequest {
    /// An instance with nothing but a name and 1 GiB of memory.
    pub fn new(name: Name) -> Self {
        Self {
            name,
            on: hypervisors::BACKENDS[0].name().to_owned(),
            devices: Vec::new(),
            image: None,
            kernel: None,
            memory: 1 << 30,
            cpus: 1,
            accel: Accel::Auto,
            uefi: false,
            network: NetworkRequest::User { forwards: Vec::new() },
            machine: None,
            iommu: GuestIommu::Auto,
            container: Container::Vfio,
            spare: SparePorts::default(),
            hide_kvm: false,
            hugepages: Hugepages::Auto,
            overrides: BTreeSet::new(),
            stop_services: false,
            program: None,
            extra: Vec::new(),
        }
    }
}

/// How long a guest has at each stage of being stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// To shut down after the power button was pressed.
    pub guest: Duration,
    /// For the hypervisor to end after SIGTERM, before SIGKILL: long, for a
    /// device whose initialisation is cut off may stay unusable.
    pub hypervisor: Duration,
}

impl Default for Grace {
    fn default() -> Self {
        Self { guest: Duration::from_secs(60), hypervisor: Duration::from_secs(60) }
    }
}

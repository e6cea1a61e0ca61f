//! The guest that is wanted, and the host that it is wanted on: two values.
//!
//! Hypervisors differ in how they are told; this is what they are told.
//! Filled by the engine from what the user asked for and what was observed.
//! Nothing here is checked: a backend refuses what it cannot do.

mod kind;

use std::path::PathBuf;

use crate::device::{HostDevice, Reserve};
use crate::qemu::Version;

pub use kind::{Machine, MachineKind};

/// A guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestSpec {
    pub name: String,
    /// In the usual form, 8-4-4-4-12 hexadecimal digits.
    pub uuid: String,
    pub machine: Machine,
    pub accel: Accel,
    pub cpus: u32,
    /// Hide from the guest that it runs on KVM (drivers of old consumer GPUs).
    pub hide_kvm: bool,
    pub memory: Memory,
    pub firmware: Firmware,
    /// Boot this kernel in place of what is on the disks.
    pub kernel: Option<Kernel>,
    /// The first is booted from, unless there is a kernel.
    pub disks: Vec<Disk>,
    pub network: Network,
    pub devices: Vec<HostDevice>,
    pub iommu: GuestIommu,
    pub container: Container,
    pub spare: SparePorts,
    pub console: Option<Console>,
    /// Control sockets. Each serves one client at a time, so whoever stays
    /// connected (a supervisor) needs one of its own.
    pub monitors: Vec<PathBuf>,
    /// Confine the hypervisor's process by seccomp, if it can be.
    pub sandbox: bool,
    /// Appended as they are.
    pub extra: Vec<String>,
}

/// What the machine and the hypervisor's program can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// The program, as it is started.
    pub program: String,
    /// `None` when it could not be asked: a plan for another machine, or for
    /// one where it is not installed yet.
    pub version: Option<Version>,
    /// It was built with seccomp, and can confine itself.
    pub sandbox: bool,
    /// KVM can be used.
    pub kvm: bool,
    /// The kernel offers iommufd; `None` when that shows at the start only.
    pub iommufd: Option<bool>,
    /// Address bits that the IOMMU translates, `None` when unknown.
    pub iommu_bits: Option<u8>,
    /// Physical address bits of the processor (`model::parse::machine::address_bits`),
    /// `None` when unknown.
    pub cpu_bits: Option<u8>,
}

/// What executes the guest's instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accel {
    Kvm,
    /// QEMU's translator: slow, needs nothing.
    Tcg,
    /// KVM where it can be used.
    Auto,
}

/// The guest's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    pub bytes: u64,
    /// Take it from the host's hugepages of this size in bytes.
    pub hugepages: Option<u64>,
    pub numa: Option<Numa>,
}

/// Where the guest's memory lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numa {
    pub node: u32,
    /// Fail rather than take memory of another node.
    pub strict: bool,
}

/// What runs before the operating system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// What the machine brings: SeaBIOS on q35, SLOF on pseries.
    Default,
    /// UEFI.
    Ovmf {
        /// The program, shared by all guests and read-only.
        code: PathBuf,
        /// Variables as they are shipped.
        template: PathBuf,
        /// This guest's own variables, copied from the template once.
        nvram: PathBuf,
    },
}

/// A kernel that is booted without a boot loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    pub kernel: PathBuf,
    pub initrd: Option<PathBuf>,
    /// Its command line; `None`: what makes it speak on the console.
    pub append: Option<String>,
}

/// A disk image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    pub path: PathBuf,
    pub format: DiskFormat,
    pub read_only: bool,
}

/// The format of an image. Never guessed by the hypervisor: a guest that
/// writes a qcow2 header into its raw disk could name any host file in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskFormat {
    Raw,
    Qcow2,
    /// A block device of the host.
    Block,
}

/// The guest's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Network {
    None,
    /// Outgoing connections by a user-mode stack; incoming ones only by
    /// forwarded ports.
    User {
        mac: String,
        forwards: Vec<Forward>,
    },
    /// A tap interface that is there already, plugged in by whoever made it.
    Tap {
        mac: String,
        interface: String,
    },
}

/// A TCP port of the host's loopback that leads to one of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forward {
    pub host: u16,
    pub guest: u16,
}

/// A virtual IOMMU for the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestIommu {
    /// When a device needs it.
    Auto,
    On,
    Off,
}

/// How the hypervisor reaches the host's IOMMU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// `/dev/vfio/vfio`.
    Vfio,
    /// `/dev/iommu`.
    Iommufd,
}

/// Empty ports for devices that come while the guest runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SparePorts {
    pub count: u32,
    /// Room kept below each. Made smaller, with a note, when the guest's
    /// address space has no place for it.
    pub reserve: Reserve,
}

/// The guest's serial console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// One client at a time.
    pub socket: PathBuf,
    /// All that the guest says, client or not.
    pub log: PathBuf,
}

impl GuestSpec {
    /// A guest with nothing but memory and processors, everything else as
    /// it is best for most.
    pub fn new(name: &str, uuid: &str, machine: Machine, memory: u64) -> Self {
        Self {
            name: name.to_owned(),
            uuid: uuid.to_owned(),
            machine,
            accel: Accel::Auto,
            cpus: 1,
            hide_kvm: false,
            memory: Memory { bytes: memory, hugepages: None, numa: None },
            firmware: Firmware::Default,
            kernel: None,
            disks: Vec::new(),
            network: Network::None,
            devices: Vec::new(),
            iommu: GuestIommu::Auto,
            container: Container::Vfio,
            spare: SparePorts::default(),
            console: None,
            monitors: Vec::new(),
            sandbox: true,
            extra: Vec::new(),
        }
    }

    /// Whether the guest gets a virtual IOMMU. On POWER every guest has one
    /// by the machine's own definition (PAPR, TCE tables).
    pub fn has_iommu(&self) -> bool {
        let mut functions = self.devices.iter().flat_map(|device| &device.functions);
        match (self.machine.kind(), self.iommu) {
            (MachineKind::Pseries, _) | (_, GuestIommu::Off) => false,
            (_, GuestIommu::On) => true,
            (_, GuestIommu::Auto) => functions.any(|function| function.needs_remapping),
        }
    }
}

impl Default for SparePorts {
    /// Four, each with room for an NVMe drive or a small GPU.
    fn default() -> Self {
        Self { count: 4, reserve: Reserve { wide: 1 << 30, low: 32 << 20 } }
    }
}

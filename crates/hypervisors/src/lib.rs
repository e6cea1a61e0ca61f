//! Hypervisors: one folder each, with the same three files in it.
//!
//! In: a [`GuestSpec`] (what guest is wanted) and [`HostFacts`] (what the
//! machine and the hypervisor's program can do). Out: a [`Rendered`] start (a
//! command line, nothing run yet) and, once it runs, a [`Guest`] to talk to.
//! Never: a file of the machine read or written, a process started. That is
//! the engine's, with values from here. The only thing opened is the guest's
//! own control socket.
//!
//! | file | what it is |
//! |---|---|
//! | `mod.rs` | what the backend can do |
//! | `render` | pure: guest → argv, XML, JSON |
//! | `client.rs` | the socket |
//!
//! A backend's abilities are data ([`Capabilities`]): what it cannot do is
//! refused while planning, with a reason; no method fails with "unsupported".

pub mod device;
pub mod machine;
pub mod memory;
pub mod patience;

pub mod null;
pub mod qemu;

use std::fmt;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::plan::Refusal;
use model::reason::Reason;

pub use device::{HostDevice, HostFunction, Reserve};
pub use machine::{GuestSpec, HostFacts};
pub use patience::Patience;
pub use qemu::Version;

/// A hypervisor.
pub trait Backend: fmt::Debug + Sync {
    /// The word that users type.
    fn name(&self) -> &'static str;
    /// What it can do; planners read this before they ask for anything.
    fn capabilities(&self) -> Capabilities;
    /// The start of a guest, or every reason against it. A pure function.
    fn render(&self, spec: &GuestSpec, facts: &HostFacts) -> Result<Rendered, Refusal>;
    /// A running guest, by its control socket. Waits no longer than
    /// `patience` has here, and as long for every answer later.
    fn connect(&self, socket: &Path, patience: &Patience) -> Result<Box<dyn Guest>, ControlError>;
    /// The ear at a running guest, by a control socket of its own.
    fn listen(&self, socket: &Path, patience: &Patience)
    -> Result<Box<dyn Listener>, ControlError>;
}

/// What a backend can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// It runs a guest; the null backend only shows what it would do.
    pub runs: bool,
    /// Devices come and go while the guest runs.
    pub hotplug: bool,
    /// A virtual IOMMU with interrupt remapping for the guest.
    pub guest_iommu: bool,
    /// `/dev/iommu` in place of the VFIO container.
    pub iommufd: bool,
    /// Hugepages and NUMA-bound memory.
    pub memory_placement: bool,
    /// The most functions that one guest may hold.
    pub max_functions: usize,
}

/// A start, ready to be carried out: nothing of it has been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub start: Start,
    /// Files to be made before the start.
    pub copies: Vec<FileCopy>,
    /// What the user should know although nothing is refused.
    pub notes: Vec<Reason>,
}

/// How a guest comes to life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// A process that is the guest: it lives as long as the guest does.
    Process { program: String, args: Vec<String> },
    /// Nothing is started; this is what would be.
    Print(String),
}

/// A private copy of a file, made unless it is there already: the guest's
/// own variables must survive its next start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCopy {
    pub from: PathBuf,
    pub to: PathBuf,
}

/// Names of functions, by the slots of a guest; in each, in order of function
/// number.
pub type Slots = Vec<Vec<String>>;

/// A running guest.
pub trait Guest: fmt::Debug {
    /// What it is doing, in the hypervisor's word (`running`, `paused`, …).
    fn state(&mut self) -> Result<String, ControlError>;
    /// Ask its operating system to shut down (the ACPI power button). Done
    /// when the request is made, not when the guest has followed it.
    fn shut_down(&mut self) -> Result<(), ControlError>;
    /// End the hypervisor's process in good order, without asking the guest.
    fn quit(&mut self) -> Result<(), ControlError>;
    /// The host's functions that it has, by [`HostFunction::id`].
    fn held(&mut self) -> Result<Vec<String>, ControlError>;
    /// The same by the slots of the guest that they are in: what shares one
    /// leaves it together.
    fn slots(&mut self) -> Result<Slots, ControlError>;
    /// Whether it, holding these functions, has room for all of these devices,
    /// as far as that can be told before they are there. Changes nothing.
    fn may_attach(
        &mut self,
        devices: &[HostDevice],
        held: &[HostFunction],
    ) -> Result<(), ControlError>;
    /// Give it a device. All of it or nothing.
    fn attach(&mut self, device: &HostDevice) -> Result<(), ControlError>;
    /// Take a device back, and wait until the guest has let go of it.
    fn detach(&mut self, device: &HostDevice, patience: &Patience) -> Result<(), ControlError>;
}

/// Hears what a running guest says by itself. Its descriptor can be read when
/// there is something to hear.
pub trait Listener: fmt::Debug + AsFd {
    /// Whether the guest let go of a device since the last call.
    fn let_go(&mut self) -> Result<bool, ControlError>;
}

/// Why a running guest did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error(transparent)]
    Socket(#[from] qemu::client::QmpError),
    /// Nothing was changed.
    #[error("{0}")]
    Refused(Reason),
    /// The guest answered that it will not let go.
    #[error("the guest refused to give back {device}: {text}")]
    GuestRefused { device: String, text: String },
    /// The guest has not answered: it may still let go later.
    #[error(
        "the guest has not let go of {device} within {} s: its operating system does not answer, or a driver there holds on",
        waited.as_secs()
    )]
    NotLetGo { device: String, waited: Duration },
    /// A failure half way that could not be undone.
    #[error("{device} is attached in part, and taking it out again failed: {text}")]
    InPart {
        device: String,
        text: String,
        #[source]
        source: Box<ControlError>,
    },
}

impl ControlError {
    /// Somebody lost patience; what was asked for may come about still.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Socket(qemu::QmpError::Interrupted))
    }
}

/// Every backend. The first is the one that is used when none is named.
pub const BACKENDS: &[&dyn Backend] = &[&qemu::Qemu, &null::Null];

/// The backend of this name.
pub fn backend(name: &str) -> Option<&'static dyn Backend> {
    BACKENDS.iter().copied().find(|backend| backend.name() == name)
}

//! Why not: reasons with a stable code, a sentence and a hint.
//!
//! The same value serves a verdict (`passthru list`), a refused plan and an
//! error reply. Codes are part of the interface: they are never renamed, and
//! `docs/reasons.md` is generated from [`Code::ALL`].

use std::fmt;

use crate::bdf::Bdf;

/// One reason, bound to the function it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    pub code: Code,
    /// The function that the reason is found at, which may be another one
    /// than the one that was asked for. `None`: the machine.
    pub at: Option<Bdf>,
    /// One sentence, lower case, no full stop, naming what is meant.
    pub text: String,
    /// What to do about it; empty when nothing can be done.
    pub hint: String,
    weight: Weight,
}

/// How much a reason weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Worth knowing; the device works.
    Note,
    /// Works under a condition that the planner takes care of or the user must.
    Condition,
    /// Too little is known: a change is refused unless it is overridden by
    /// name; a listing, which anybody may ask for, says that it is not known.
    Unsure,
    /// Cannot be passed through unless it is overridden by name.
    Override,
    /// Cannot be passed through.
    Blocks,
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])* $name:ident = $text:literal, $weight:ident;)*) => {
        /// The stable name of a reason.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code { $($(#[doc = $doc])* $name,)* }

        impl Code {
            /// Every code, in the order of the reference page.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The text that scripts may rely on.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How much it weighs.
            pub fn weight(self) -> Weight {
                match self { $(Self::$name => Weight::$weight,)* }
            }

            /// Whether a refusal for it can be let go by name.
            pub fn can_be_overridden(self) -> bool {
                matches!(self.weight(), Weight::Unsure | Weight::Override)
            }

            /// One paragraph for the reference page.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc, "\n"),*),)* }
            }
        }
    };
}

codes! {
    /// The kernel made no IOMMU groups: the IOMMU is absent, off in the firmware, or off in the kernel.
    NoIommu = "no_iommu", Blocks;
    /// The function is in no IOMMU group although the machine has some.
    NoGroup = "no_group", Blocks;
    /// A bridge forwards traffic for others; it is not passed through itself.
    Bridge = "bridge", Blocks;
    /// The chipset's own function (ISA or LPC bridge): firmware, clock and serial ports are behind it.
    Chipset = "chipset", Blocks;
    /// A member of the same IOMMU group is one that the host needs.
    GroupSharedCritical = "group_shared_critical", Blocks;
    /// The device answers every read with ones: it fell off the bus and needs a power cycle.
    Wedged = "wedged", Blocks;
    /// The function was listed by the kernel and gone when it was read.
    Vanished = "vanished", Blocks;
    /// An endpoint behind Intel VMD: it shares the requester id of the VMD controller, which must be passed instead.
    BehindVmd = "behind_vmd", Blocks;
    /// The firmware keeps a memory range in this group (RMRR): the kernel refuses to assign its devices.
    ReservedRegion = "reserved_region", Blocks;
    /// A physical function with active virtual functions.
    ActiveVfs = "active_vfs", Blocks;
    /// A quirk that is known by the device's ids makes it unusable in a guest.
    QuirkBlocks = "quirk_blocks", Blocks;

    /// The host boots or swaps from it, or has file systems of its own on it.
    RootDisk = "root_disk", Override;
    /// A file system, swap or volume of the host that is not needed to run: unmount it first.
    DiskInUse = "disk_in_use", Override;
    /// The only network interface through which the host reaches others.
    OnlyNetwork = "only_network", Override;
    /// The screen that the firmware draws on lies in its memory.
    BootFramebuffer = "boot_framebuffer", Override;
    /// The host's text console is drawn on it, or it is the first screen of the host and lit.
    Console = "console", Override;
    /// A bus or hot reset of this device would also hit functions outside of the plan.
    ResetHitsOthers = "reset_hits_others", Override;

    /// What the host does with it could not be read: file systems, routes or the console.
    UsesUnknown = "uses_unknown", Unsure;
    /// A driver of the host has it and who holds it open could not be read: taking the driver away may wait for a holder for ever.
    HoldersUnknown = "holders_unknown", Unsure;

    /// No way to reset the function is known: the next guest finds it as the last one left it.
    NoReset = "no_reset", Condition;
    /// A display of the host is lit through it.
    DisplayInUse = "display_in_use", Condition;
    /// The other members of its IOMMU group must go with it.
    GroupCompany = "group_company", Condition;
    /// Conventional PCI behind a bridge: all devices there share one requester id.
    ConventionalPci = "conventional_pci", Condition;
    /// The MSI-X table shares a 4 KiB page with other registers: KVM copes, ESXi does not.
    MsixSharedPage = "msix_shared_page", Condition;
    /// Needs many MSI vectors, and so interrupt remapping in the guest (an emulated IOMMU).
    NeedsGuestRemapping = "needs_guest_remapping", Condition;
    /// A memory range larger than a guest's default 64-bit window.
    LargeBar = "large_bar", Condition;
    /// A range larger than what the host's IOMMU can address.
    BarBeyondIommu = "bar_beyond_iommu", Blocks;
    /// A network interface of the host goes down with it.
    InterfaceInUse = "interface_in_use", Condition;
    /// A process of the host holds it open.
    HeldByProcess = "held_by_process", Condition;
    /// A quirk that is known by the device's ids and has a remedy.
    QuirkCondition = "quirk_condition", Condition;
    /// Other devices are reached through it alone, and vanish from the host while a guest has it.
    TakesBehind = "takes_behind", Note;
    /// A physical function that could serve several guests by virtual functions.
    HasVirtualFunctions = "has_virtual_functions", Note;
    /// The host driver that a function is to go back to is no longer there.
    DriverMissing = "driver_missing", Note;
    /// The host has the function, and did before anything was done.
    WithHost = "with_host", Note;
    /// A driver of the host has the function while it is reset.
    DriverBound = "driver_bound", Note;
    /// A fact that the verdict would need could not be read.
    Unknown = "unknown_facts", Note;

    /// A fact that a plan must not guess could not be read.
    Unreadable = "unreadable", Blocks;
    /// A service that others feel would have to be stopped.
    ServiceMustStop = "service_must_stop", Blocks;
    /// A guest holds the device, or a member of its group.
    Assigned = "assigned", Blocks;
    /// An earlier write to the device has not ended: it is in doubt until the kernel lets go.
    InDoubt = "in_doubt", Blocks;
    /// Another device sits at the address of a registered one.
    IdentityMismatch = "identity_mismatch", Blocks;
    /// The kernel has no vfio-pci.
    NoVfioPci = "no_vfio_pci", Blocks;
    /// The kernel has not the driver that was asked for in place of vfio-pci.
    NoGuestDriver = "no_guest_driver", Blocks;
    /// No such device on this machine.
    NotFound = "not_found", Blocks;
    /// The host has not enough free memory to pin the guest's.
    NotEnoughMemory = "not_enough_memory", Blocks;
    /// KVM cannot be used on this host: guests are emulated, slowly.
    NoKvm = "no_kvm", Note;
    /// The guest's memory does not all fit on the NUMA node of its devices.
    MemoryFar = "memory_far", Note;
    /// The hypervisor's program cannot confine itself: it was built without seccomp.
    NoSandbox = "no_sandbox", Note;
    /// Devices of one guest cannot reach each other's memory directly.
    NoPeerToPeer = "no_peer_to_peer", Note;
    /// The chosen hypervisor cannot do what was asked for.
    Unsupported = "unsupported", Blocks;
}

impl Reason {
    /// A reason about one function.
    pub fn at(code: Code, bdf: Bdf, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(code, Some(bdf), text.into(), hint.into())
    }

    /// A reason about the machine.
    pub fn machine(code: Code, text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(code, None, text.into(), hint.into())
    }

    fn new(code: Code, at: Option<Bdf>, text: String, hint: String) -> Self {
        Self { code, at, text, hint, weight: code.weight() }
    }

    /// The same where nothing lets it go: what a verdict only mentions may
    /// stand in the way of what is to be done now.
    #[must_use]
    pub fn blocking(self) -> Self {
        Self { weight: Weight::Blocks, ..self }
    }

    /// How much it weighs: what its code does, unless it is
    /// [`blocking`](Self::blocking).
    pub fn weight(&self) -> Weight {
        self.weight
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(bdf) => write!(f, "{bdf}: {} [{}]", self.text, self.code),
            None => write!(f, "{} [{}]", self.text, self.code),
        }
    }
}

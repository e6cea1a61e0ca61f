//! The kinds of machine that a lab host can be: a word in a topology comes in, what QEMU must be told differently for it
//! goes out. Nothing is started here.

use serde::Deserialize;

/// A kind of machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// A PC with systemd, as it is built by `image/`.
    #[default]
    X86,
    /// POWER9 without a hypervisor below (PowerNV), as it is built by `power9/image/`.
    Power9,
}

/// What differs in QEMU's arguments.
#[derive(Debug)]
pub(crate) struct Words {
    /// The program.
    pub qemu: &'static str,
    /// No device but those that are asked for.
    pub bare: &'static [&'static str],
    /// The kernel's serial console.
    pub console: &'static str,
    /// Where the agent's port and the shared directory are plugged in.
    pub agent_slot: &'static str,
    pub share_slot: &'static str,
}

const X86: Words = Words {
    qemu: "qemu-system-x86_64",
    bare: &["-nodefaults"],
    console: "ttyS0",
    agent_slot: "bus=pcie.0,addr=0x3",
    share_slot: "bus=pcie.0,addr=0x4",
};

/// Its six host bridges are defaults, too (hw/ppc/pnv.c), so the other ones are refused one by one. Each bridge is a PCI
/// domain with one slot.
const POWER9: Words = Words {
    qemu: "qemu-system-ppc64",
    bare: &["-nic", "none", "-monitor", "none", "-parallel", "none"],
    console: "hvc0",
    agent_slot: "bus=pcie.3,addr=0x0",
    share_slot: "bus=pcie.4,addr=0x0",
};

impl Platform {
    pub(crate) fn words(self) -> &'static Words {
        match self {
            Self::X86 => &X86,
            Self::Power9 => &POWER9,
        }
    }
}

//! Which machine is emulated: its name in, its kind out, or why it is not used.

use model::reason::{Code, Reason};

/// The machine that is emulated, by the hypervisor's name for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    kind: MachineKind,
    name: String,
}

/// The kinds of machine that devices can be handed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineKind {
    /// x86 with PCI Express.
    Q35,
    /// POWER.
    Pseries,
}

impl Machine {
    /// The machine of this name: `q35`, `pc-q35-10.0`, `pseries`, … The
    /// i440FX is refused: its bus is conventional PCI, so an Express device
    /// loses its extended configuration space, and there is no slot to plug
    /// a second one into.
    pub fn named(name: &str) -> Result<Self, Reason> {
        let kind = if name == "q35" || name.starts_with("pc-q35-") {
            MachineKind::Q35
        } else if name == "pseries" || name.starts_with("pseries-") {
            MachineKind::Pseries
        } else if name == "pc" || name.starts_with("pc-i440fx") {
            let text = format!(
                "machine `{name}` has a conventional PCI bus: PCI Express devices lose their extended configuration space on it, and GPU drivers fail"
            );
            return Err(Reason::machine(Code::Unsupported, text, "use the machine q35"));
        } else {
            let text = format!("machine `{name}` is not one that devices are handed to");
            let hint = "use q35 on x86 and pseries on POWER, plain or with a version (pc-q35-9.2)";
            return Err(Reason::machine(Code::Unsupported, text, hint));
        };
        Ok(Self { kind, name: name.to_owned() })
    }

    /// The machine for hosts of this architecture, as in `uname -m`.
    pub fn for_arch(arch: &str) -> Result<Self, Reason> {
        match arch {
            "x86_64" => Self::named("q35"),
            "ppc64" | "ppc64le" => Self::named("pseries"),
            other => {
                let text = format!("no guests of architecture {other} yet");
                Err(Reason::machine(Code::Unsupported, text, ""))
            }
        }
    }

    pub fn kind(&self) -> MachineKind {
        self.kind
    }

    pub fn name(&self) -> &str {
        &self.name
    }
}

impl MachineKind {
    /// The QEMU program that emulates it.
    pub fn program(self) -> &'static str {
        match self {
            Self::Q35 => "qemu-system-x86_64",
            Self::Pseries => "qemu-system-ppc64",
        }
    }
}

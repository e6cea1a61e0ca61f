//! A guest's command line: pure, from values to words.
//!
//! In: a [`GuestSpec`] and [`HostFacts`]. Out: the program, its arguments in
//! the order in which QEMU needs them, files to copy, and notes; or every
//! reason against it. Never: I/O.
//!
//! The order matters in one place: the virtual IOMMU stands before all
//! devices, for QEMU asks it for an address space when a device is made.

mod arg;
mod check;
mod cpu;
mod io;
mod pseries;
mod q35;
pub mod topology;
mod window;

use model::plan::Refusal;
use model::reason::{Code, Reason};

use crate::machine::{Accel, GuestSpec, HostFacts, MachineKind};
use crate::qemu::version;
use crate::{Rendered, Start};

use arg::Arg;

/// Arguments under construction.
#[derive(Debug, Default)]
struct Argv {
    words: Vec<String>,
    notes: Vec<Reason>,
}

/// The start of a guest, or every reason against it.
pub fn render(spec: &GuestSpec, facts: &HostFacts) -> Result<Rendered, Refusal> {
    let mut reasons = check::check(spec, facts);
    let rendered = match spec.machine.kind() {
        MachineKind::Q35 => q35::render(spec, facts),
        MachineKind::Pseries => pseries::render(spec, facts),
    };
    let argv = match rendered {
        Ok(argv) if reasons.is_empty() => argv,
        Ok(_) => return Err(Refusal { reasons }),
        Err(more) => {
            reasons.extend(more);
            return Err(Refusal { reasons });
        }
    };
    let mut notes = argv.notes;
    notes.extend(general_notes(spec, facts));
    let start = Start::Process { program: facts.program.clone(), args: argv.words };
    Ok(Rendered { start, copies: io::copies(spec), notes })
}

impl Argv {
    fn push(&mut self, arg: Arg) {
        arg.push_to(&mut self.words);
    }

    fn extend(&mut self, args: impl IntoIterator<Item = Arg>) {
        args.into_iter().for_each(|arg| self.push(arg));
    }

    /// A word that takes no value.
    fn switch(&mut self, word: &str) {
        self.words.push(word.to_owned());
    }

    /// A value that QEMU takes as it is, commas included.
    fn plain(&mut self, flag: &str, value: &str) {
        self.words.extend([flag.to_owned(), value.to_owned()]);
    }

    /// What every guest begins with, whatever its machine.
    fn head(&mut self, spec: &GuestSpec, facts: &HostFacts) {
        self.push(Arg::new("-name", "").with("guest", &spec.name).with("debug-threads", "on"));
        self.plain("-uuid", &spec.uuid);
        self.switch("-no-user-config");
        self.switch("-nodefaults");
        self.plain("-msg", "timestamp=on");
        self.plain("-display", "none");
        if spec.sandbox && facts.sandbox {
            self.push(sandbox());
        }
    }

    /// What every guest ends with.
    fn tail(&mut self, spec: &GuestSpec) {
        self.extend(io::console(spec));
        self.extend(io::monitors(spec));
        self.words.extend(spec.extra.iter().cloned());
    }
}

/// All that seccomp can take away, as libvirt does it for guests with VFIO
/// devices. No helper program is ever run (taps come plugged in), so `spawn`
/// goes too; threads are not processes here. `resourcecontrol` is about
/// scheduling, memory binding (`mbind`) goes on.
fn sandbox() -> Arg {
    Arg::new("-sandbox", "on")
        .with("obsolete", "deny")
        .with("elevateprivileges", "deny")
        .with("spawn", "deny")
        .with("resourcecontrol", "deny")
}

/// Whether KVM runs the guest.
fn uses_kvm(spec: &GuestSpec, facts: &HostFacts) -> bool {
    match spec.accel {
        Accel::Kvm => true,
        Accel::Tcg => false,
        Accel::Auto => facts.kvm,
    }
}

/// What it takes that KVM can be used for this machine.
fn for_kvm(spec: &GuestSpec) -> &'static str {
    match spec.machine.kind() {
        MachineKind::Q35 => "enable virtualization in the firmware and load kvm_intel or kvm_amd",
        MachineKind::Pseries => "KVM for it is on POWER hosts only; load kvm_hv there",
    }
}

/// What is only known of the program when it was asked.
fn version_notes(spec: &GuestSpec, facts: &HostFacts) -> Option<Reason> {
    let functions = spec.devices.iter().flat_map(|device| &device.functions);
    let largest = functions.flat_map(|function| &function.bars).map(|bar| bar.size).max();
    match facts.version {
        Some(version) => version.note(largest.unwrap_or(0)),
        None => {
            let text = format!(
                "the version of {} is not known: the guest is shown as one of {} or newer gets it",
                facts.program,
                version::LEAST
            );
            let hint = "install it where the guest is to run";
            Some(Reason::machine(Code::Unknown, text, hint))
        }
    }
}

fn general_notes(spec: &GuestSpec, facts: &HostFacts) -> Vec<Reason> {
    let mut notes = Vec::new();
    if spec.accel == Accel::Auto && !facts.kvm {
        let text = "KVM cannot be used: the guest is emulated, at a small fraction of the speed";
        notes.push(Reason::machine(Code::NoKvm, text, for_kvm(spec)));
    }
    if spec.sandbox && !facts.sandbox {
        let text =
            format!("{} was built without seccomp: its process is not confined", facts.program);
        let hint = "the QEMU of a distribution has it (libseccomp when it is built)";
        notes.push(Reason::machine(Code::NoSandbox, text, hint));
    }
    notes.extend(version_notes(spec, facts));
    if spec.container == crate::machine::Container::Iommufd && spec.devices.len() > 1 {
        let text = "through iommufd, devices of one guest cannot reach each other's memory (no peer-to-peer DMA yet)";
        notes.push(Reason::machine(
            Code::NoPeerToPeer,
            text,
            "use the VFIO container, the default",
        ));
    }
    notes
}

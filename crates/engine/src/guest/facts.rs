//! What the machine, and the hypervisor's program, can do for a guest.
//!
//! In: the machine that is looked at, a guest. Out: [`HostFacts`]. The program
//! is this machine's: for another one it is asked only if it was named.

use std::env::consts::ARCH;
use std::fs::{self, OpenOptions};
use std::thread::{self, JoinHandle};

use host::paths::Root;
use host::run::CommandRunner;
use hypervisors::machine::Machine;
use hypervisors::qemu::{Version, version};
use hypervisors::{GuestSpec, HostFacts};
use model::parse::machine::address_bits;
use model::port::{RunError, Runner};

use super::{Observed, failed, run_well};
use crate::error::Error;
use crate::request::RunRequest;

pub(super) fn facts(
    at: Observed<'_>,
    request: &RunRequest,
    spec: &GuestSpec,
    asking: Option<Asking>,
) -> Result<HostFacts, Error> {
    let program = match &request.program {
        Some(program) => program.display().to_string(),
        None => spec.machine.kind().program().to_owned(),
    };
    let known = about(at, request, &program, asking)?;
    let iommu = at.snapshot.machine.iommu.known();
    Ok(HostFacts {
        program,
        version: known.map(|(version, _)| version),
        sandbox: known.is_none_or(|(_, sandbox)| sandbox),
        kvm: kvm(at, spec),
        iommu_bits: iommu.and_then(|iommu| iommu.address_width.known().copied()),
        cpu_bits: fs::read_to_string(at.root.cpuinfo())
            .ok()
            .and_then(|text| address_bits(&text).ok()),
    })
}

/// The program's version and whether it can confine itself; `None` when there
/// is none to ask, which is no reason not to show a plan.
fn about(
    at: Observed<'_>,
    request: &RunRequest,
    program: &str,
    asking: Option<Asking>,
) -> Result<Option<(Version, bool)>, Error> {
    if request.program.is_none() && !at.root.is_real() {
        return Ok(None);
    }
    let answer = match asking.filter(|asking| asking.program == program) {
        Some(asking) => asking.answer(),
        None => ask(program),
    };
    if request.program.is_some() {
        return answer.map(Some);
    }
    match answer {
        Err(Error::Run(RunError::Start { .. })) => Ok(None),
        known => known.map(Some),
    }
}

/// The program that a guest will most likely run on, asked while the machine
/// is looked at: each takes as long as the other.
#[derive(Debug)]
pub(crate) struct Asking {
    program: String,
    answer: JoinHandle<Result<(Version, bool), Error>>,
}

impl Asking {
    /// `None` where nobody is to be asked.
    pub fn begin(root: &Root, request: &RunRequest) -> Option<Self> {
        let program = match (&request.program, &request.machine) {
            (Some(program), _) => program.display().to_string(),
            (None, _) if !root.is_real() => return None,
            (None, Some(name)) => Machine::named(name).ok()?.kind().program().to_owned(),
            (None, None) => Machine::for_arch(ARCH).ok()?.kind().program().to_owned(),
        };
        let asked = program.clone();
        Some(Self { program, answer: thread::spawn(move || ask(&asked)) })
    }

    fn answer(self) -> Result<(Version, bool), Error> {
        // Asked once more should the thread have been lost.
        self.answer.join().unwrap_or_else(|_| ask(&self.program))
    }
}

/// A program's version, and whether it can confine itself.
pub(crate) fn ask(program: &str) -> Result<(Version, bool), Error> {
    let cmd = version::ask(program);
    let output = CommandRunner.run(&cmd)?;
    let (output, sandbox) = match output.status {
        Some(0) => (output, true),
        _ if version::lacks_sandbox(&output.stderr) => {
            (run_well(&version::ask_unconfined(program))?, false)
        }
        _ => return Err(failed(&cmd, &output)),
    };
    let version = Version::parse(&output.stdout);
    let version = version.ok_or_else(|| Error::NotQemu { program: program.to_owned() })?;
    Ok((version, sandbox))
}

/// Whether KVM runs guests of this kind there: those of the machine's own
/// architecture. Here, this process must also be able to use it.
fn kvm(at: Observed<'_>, spec: &GuestSpec) -> bool {
    let machine = &at.snapshot.machine;
    let own =
        |arch: &String| Machine::for_arch(arch).is_ok_and(|own| own.kind() == spec.machine.kind());
    let usable = match at.root.is_real() {
        true => OpenOptions::new().read(true).write(true).open(at.root.kvm()).is_ok(),
        false => machine.kvm.known() == Some(&true),
    };
    usable && machine.arch.known().is_none_or(own)
}

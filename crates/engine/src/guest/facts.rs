//! What the machine, and the hypervisor's program, can do for a guest.
//!
//! In: the machine that is looked at, a guest. Out: [`HostFacts`]. The program
//! is this machine's: for another one it is asked only if it was named.

use host::guests::{address_bits, can_use_kvm};
use host::observe::kernel_module;
use hypervisors::machine::{Container, Machine};
use hypervisors::{GuestSpec, HostFacts};
use model::snapshot::ModuleState;

use super::Observed;
use super::program::{About, Asking, ask};
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
        version: known.map(|about| about.version),
        sandbox: known.is_none_or(|about| about.sandbox),
        kvm: kvm(at, spec),
        // The lists of modules are long: they are read for who needs it.
        iommufd: (spec.container == Container::Iommufd).then(|| iommufd(at)).flatten(),
        iommu_bits: iommu.and_then(|iommu| iommu.address_width.known().copied()),
        cpu_bits: address_bits(at.root).known().copied(),
    })
}

/// The program's version and whether it can confine itself; `None` for another
/// machine's program, which is nobody's to ask here.
fn about(
    at: Observed<'_>,
    request: &RunRequest,
    program: &str,
    asking: Option<Asking>,
) -> Result<Option<About>, Error> {
    if request.program.is_none() && !at.root.is_real() {
        return Ok(None);
    }
    let answer = match asking.filter(|asking| asking.is_about(program)) {
        Some(asking) => asking.answer(),
        None => ask(program),
    };
    answer.map(Some)
}

/// Whether the kernel has iommufd: `None` where it may. Distributions bring it
/// to older kernels, and newer ones may lack VFIO's character devices
/// (`CONFIG_VFIO_DEVICE_CDEV`, Linux 6.6), which only a bound device shows.
fn iommufd(at: Observed<'_>) -> Option<bool> {
    kernel_module(at.root, "iommufd").is(&ModuleState::Missing).then_some(false)
}

/// Whether KVM runs guests of this kind there: those of the machine's own
/// architecture. Here, this process must also be able to use it.
fn kvm(at: Observed<'_>, spec: &GuestSpec) -> bool {
    let machine = &at.snapshot.machine;
    let own =
        |arch: &String| Machine::for_arch(arch).is_ok_and(|own| own.kind() == spec.machine.kind());
    let usable = match at.root.is_real() {
        true => can_use_kvm(at.root),
        false => machine.kvm.known() == Some(&true),
    };
    usable && machine.arch.known().is_none_or(own)
}

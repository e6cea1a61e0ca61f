//! The kernel: KVM, VFIO, and what else of it decides.

use super::{Check, Finding, Found, Remedy, Run, Severity, Status, Subject, known};
use crate::fact::Fact;
use crate::setup::Access;
use crate::snapshot::ModuleState;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "kvm",
        about: "Guests can run by KVM: /dev/kvm is there, and this user may use it.",
        severity: Severity::Required,
        run: Run::Host(kvm),
    },
    Check {
        name: "kvm_nested",
        about: "Whether guests can run guests of their own (told only).",
        severity: Severity::Advised,
        run: Run::Host(nested),
    },
    Check {
        name: "vfio",
        about: "The kernel has VFIO: vfio-pci and the driver for this machine's IOMMU.",
        severity: Severity::Required,
        run: Run::Host(vfio),
    },
    Check {
        name: "irqbypass",
        about: "Interrupts of devices can go to a guest without a detour through the host.",
        severity: Severity::Advised,
        run: Run::Host(irqbypass),
    },
    Check {
        name: "iommufd",
        about: "Whether the kernel has iommufd, the successor of VFIO's containers (told only).",
        severity: Severity::Advised,
        run: Run::Host(iommufd),
    },
    Check {
        name: "idle_d3",
        about: "Idle devices are not put to sleep by vfio-pci where that is known to lose them.",
        severity: Severity::Advised,
        run: Run::Host(idle_d3),
    },
    Check {
        name: "smt",
        about: "Simultaneous multithreading is off where guests need it off (POWER).",
        severity: Severity::Required,
        run: Run::Host(smt),
    },
    Check {
        name: "lockdown",
        about: "The kernel is not locked down in a way that passthrough feels.",
        severity: Severity::Advised,
        run: Run::Host(lockdown),
    },
];

fn kvm(subject: &Subject<'_>) -> Found {
    match known(&subject.setup.kvm, "whether KVM can be used")? {
        Access::Usable => Ok(Finding::pass("KVM can be used")),
        Access::Refused => Ok(Finding::fail(
            "this user may not use /dev/kvm, which is there",
            "add the user to the group `kvm`, or run as root",
        )),
        Access::Missing => Ok(kvm_is_missing(subject)),
    }
}

/// Why there is no `/dev/kvm`: the processor, the firmware, or the module.
fn kvm_is_missing(subject: &Subject<'_>) -> Finding {
    let text = "there is no /dev/kvm";
    let processor = subject.setup.processor.known();
    let able = processor.and_then(|processor| processor.virtualization);
    let virtual_machine = processor.is_some_and(|processor| processor.hypervisor);
    if able == Some(false) && virtual_machine {
        return Finding::fail(
            format!("{text}: this is itself a virtual machine, without nested virtualization"),
            "switch nested virtualization on in its hypervisor, and give it the host's processor model",
        );
    }
    if able == Some(false) {
        let by_hand = "enable \"SVM Mode\" or \"Intel Virtualization Technology (VT-x)\" in the firmware's setup";
        return Finding::fail(
            format!(
                "{text}: the processor does not offer virtualization, or the firmware has it off"
            ),
            by_hand,
        )
        .remedy(Remedy::ByHand(by_hand.to_owned()));
    }
    let modules: &[&str] =
        if subject.is_power() { &["kvm_hv"] } else { &["kvm_intel", "kvm_amd", "kvm"] };
    let loadable = |name: &&&str| subject.setup.modules.state(name).is(&ModuleState::Loadable);
    match modules.iter().find(loadable) {
        Some(_) => {
            let module = by_processor(subject);
            Finding::fail(
                format!("{text}: the module {module} is not loaded"),
                format!("modprobe {module}"),
            )
            .remedy(Remedy::Load(module.to_owned()))
        }
        None => Finding::fail(
            format!("{text}: the kernel was built without KVM, or its modules are not installed"),
            "install the distribution's usual kernel",
        ),
    }
}

fn by_processor(subject: &Subject<'_>) -> &'static str {
    use crate::setup::Maker;
    match subject.setup.processor.known().map(|processor| processor.maker) {
        _ if subject.is_power() => "kvm_hv",
        Some(Maker::Intel) => "kvm_intel",
        Some(Maker::Amd) => "kvm_amd",
        _ => "kvm",
    }
}

fn nested(subject: &Subject<'_>) -> Found {
    let modules = &subject.setup.modules;
    let on = ["kvm_intel", "kvm_amd", "kvm_hv"]
        .into_iter()
        .find_map(|module| modules.is_on(module, "nested").known().copied());
    Ok(match on {
        Some(true) => Finding::pass("guests can run guests of their own"),
        Some(false) => Finding::pass("guests cannot run guests of their own (parameter nested)"),
        None => Finding {
            status: Status::Unknown,
            ..Finding::pass(
                "whether guests can run guests of their own is not known: KVM is not loaded",
            )
        },
    })
}

/// The modules that VFIO needs on this machine.
fn vfio(subject: &Subject<'_>) -> Found {
    let iommu = if subject.is_power() { "vfio_iommu_spapr_tce" } else { "vfio_iommu_type1" };
    let mut texts = Vec::new();
    for module in ["vfio", "vfio_pci", iommu] {
        let state = known(&subject.setup.modules.state(module), module)?.to_owned();
        if state == ModuleState::Missing {
            return Ok(Finding::fail(
                format!("the kernel has no {module}"),
                "install the distribution's package with the rest of the kernel's modules (`linux-modules-extra-…`, `kernel-modules-…`), or another kernel",
            ));
        }
        texts.push(format!("{} {}", module.replace('_', "-"), word(state)));
    }
    Ok(Finding::pass(texts.join(", ")))
}

fn word(state: ModuleState) -> &'static str {
    match state {
        ModuleState::BuiltIn => "is built in",
        ModuleState::Loaded => "is loaded",
        ModuleState::Loadable => "can be loaded",
        ModuleState::Missing => "is missing",
    }
}

fn irqbypass(subject: &Subject<'_>) -> Found {
    match known(&subject.setup.modules.state("irqbypass"), "irqbypass")? {
        ModuleState::Missing => Ok(Finding::warn(
            "the kernel has no irqbypass: every interrupt of a device wakes a process of the host on its way to the guest",
            "use a kernel with CONFIG_IRQ_BYPASS_MANAGER",
        )),
        state => Ok(Finding::pass(format!("irqbypass {}", word(*state)))),
    }
}

fn iommufd(subject: &Subject<'_>) -> Found {
    match known(&subject.setup.modules.state("iommufd"), "iommufd")? {
        ModuleState::Missing => {
            Ok(Finding::pass("the kernel has no iommufd; VFIO's containers do the same work"))
        }
        state => Ok(Finding::pass(format!("iommufd {}", word(*state)))),
    }
}

/// On POWER, a GPU that fell asleep under vfio-pci is not woken for its guest;
/// elsewhere it is a matter of single devices.
fn idle_d3(subject: &Subject<'_>) -> Found {
    let modules = &subject.setup.modules;
    let words = ["disable_idle_d3=1", "disable_idle_d3=Y"];
    let by_argument = |word: &&str| subject.cmdline().has(&format!("vfio-pci.{word}"));
    let settings = subject.setup.modprobe.known();
    let mut options = settings.iter().flat_map(|settings| settings.options("vfio_pci"));
    let by_option =
        options.any(|(line, _)| line.split_whitespace().any(|one| words.contains(&one)));
    let asked = by_option || words.iter().any(by_argument);
    let set = modules.is_on("vfio_pci", "disable_idle_d3").known().copied().unwrap_or(asked);
    Ok(match (set, subject.is_power()) {
        (true, _) => Finding::pass("vfio-pci leaves idle devices awake"),
        (false, true) => Finding::warn(
            "vfio-pci puts idle devices to sleep (D3), from which GPUs of POWER machines do not come back",
            "add vfio-pci.disable_idle_d3=1 to the boot arguments",
        )
        .argument("vfio-pci.disable_idle_d3=1"),
        (false, false) => {
            Finding::pass("vfio-pci puts idle devices to sleep; passthru keeps those awake that it binds")
        }
    })
}

/// KVM on POWER runs a guest's threads on a whole core: those of the host must be off
/// (Documentation/arch/powerpc/cpu_families, `kvm-hv`); since POWER9 guests may run
/// with it, but a GPU's guest is isolated only without (the POWER guide).
fn smt(subject: &Subject<'_>) -> Found {
    let smt = match (&subject.setup.smt, subject.is_power()) {
        (Fact::Unknown(why), false) => {
            return Ok(Finding::pass(format!(
                "guests do not mind simultaneous multithreading here (whether it is on is not known: {why})"
            )));
        }
        (smt, _) => known(smt, "simultaneous multithreading")?,
    };
    if !smt.active {
        return Ok(Finding::pass(format!("simultaneous multithreading is off ({})", smt.control)));
    }
    match subject.is_power() {
        true => Ok(Finding::fail(
            "simultaneous multithreading is on: KVM on POWER needs it off on the host",
            "ppc64_cpu --smt=off",
        )
        .remedy(Remedy::SmtOff)),
        false => {
            Ok(Finding::pass("simultaneous multithreading is on, which guests do not mind here"))
        }
    }
}

/// Lockdown refuses what userland could use against the kernel; VFIO is not
/// among it (kernel_lockdown(7)), modules without a signature are.
fn lockdown(subject: &Subject<'_>) -> Found {
    let firmware = &subject.setup.firmware;
    let secure = match firmware.secure_boot.known() {
        Some(Some(true)) => "Secure Boot is on, ",
        Some(Some(false)) => "Secure Boot is off, ",
        _ => "",
    };
    match known(&firmware.lockdown, "the kernel's lockdown")? {
        Some(mode) if mode != "none" => Ok(Finding::warn(
            format!(
                "{secure}the kernel is locked down ({mode}): modules without a signature (vendor-reset, vendors' drivers) are refused, and so is reading a device's ROM from its memory"
            ),
            "sign such modules with a key of your own (mokutil), or switch Secure Boot off",
        )),
        _ => Ok(Finding::pass(format!("{secure}the kernel is not locked down"))),
    }
}

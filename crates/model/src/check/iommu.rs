//! The IOMMU: offered by the firmware, used by the kernel, and how.

use super::{Check, Finding, Found, Remedy, Run, Severity, Subject, known};
use crate::boot::cmdline::Change;
use crate::fact::Fact;
use crate::setup::Maker;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "iommu_firmware",
        about: "The firmware describes an IOMMU (a DMAR, IVRS or IORT table, or the device tree).",
        severity: Severity::Required,
        run: Run::Host(firmware),
    },
    Check {
        name: "iommu_kernel",
        about: "The kernel uses the IOMMU: it made groups, without which nothing can be passed through.",
        severity: Severity::Required,
        run: Run::Host(kernel),
    },
    Check {
        name: "interrupt_remapping",
        about: "Interrupts of devices are remapped, so that a guest cannot forge those of another.",
        severity: Severity::Required,
        run: Run::Host(remapping),
    },
    Check {
        name: "unsafe_interrupts",
        about: "VFIO does not give devices to guests whose interrupts nobody isolates (allow_unsafe_interrupts).",
        severity: Severity::Advised,
        run: Run::Host(unsafe_interrupts),
    },
    Check {
        name: "iommu_passthrough",
        about: "Devices of the host itself are spared translation (iommu=pt).",
        severity: Severity::Advised,
        run: Run::Host(identity),
    },
    Check {
        name: "acs_override",
        about: "Groups are what the hardware isolates, not what pcie_acs_override= pretends.",
        severity: Severity::Advised,
        run: Run::Host(acs_override),
    },
];

/// What the firmware's setting is called, by who made the processor.
fn setting(maker: Maker) -> &'static str {
    match maker {
        Maker::Intel => {
            "\"Intel VT-d\" (also \"VT-d\", \"Intel(R) VT for Directed I/O\", \"Intel Virtualization Technology for Directed I/O\"; under \"Chipset\" or \"System Agent\")"
        }
        Maker::Amd => {
            "\"IOMMU\" (also \"AMD-Vi\", \"AMD I/O Virtualization\"; under \"AMD CBS\", \"NBIO\", beside \"SVM Mode\"): set it to Enabled, not Auto"
        }
        Maker::Other => "\"IOMMU\" or \"SMMU\" (also \"VT-d\", \"AMD-Vi\", \"I/O virtualization\")",
    }
}

fn maker(subject: &Subject<'_>) -> Maker {
    subject.setup.processor.known().map_or(Maker::Other, |processor| processor.maker)
}

fn firmware(subject: &Subject<'_>) -> Found {
    let iommu = known(&subject.snapshot.machine.iommu, "the IOMMU")?;
    let table = match iommu.on {
        // The kernel would not use one that is not there.
        true => {
            iommu.firmware.known().cloned().flatten().unwrap_or_else(|| "its own way".to_owned())
        }
        false => match known(&iommu.firmware, "what the firmware says of an IOMMU")? {
            Some(table) => table.clone(),
            None => {
                let by_hand = format!("enable {} in the firmware's setup", setting(maker(subject)));
                let text = "the firmware does not offer an IOMMU: its tables name none";
                let hint = format!("{by_hand}; in a virtual machine, give it an emulated IOMMU");
                return Ok(Finding::fail(text, hint).remedy(Remedy::ByHand(by_hand)));
            }
        },
    };
    Ok(Finding::pass(format!("the firmware offers an IOMMU ({table})")))
}

fn kernel(subject: &Subject<'_>) -> Found {
    let iommu = known(&subject.snapshot.machine.iommu, "the IOMMU")?;
    if iommu.on {
        let groups = subject.snapshot.groups.len();
        return Ok(Finding::pass(format!("the kernel uses the IOMMU: {groups} groups")));
    }
    match known(&iommu.firmware, "what the firmware says of an IOMMU")? {
        Some(_) => Ok(kernel_is_off(subject)),
        None => Ok(Finding::fail(
            "the kernel made no IOMMU groups, and the firmware offers no IOMMU to make them with",
            "see iommu_firmware",
        )),
    }
}

/// The firmware offers it: what keeps the kernel from using it.
/// (Documentation/admin-guide/kernel-parameters.txt: `iommu=`, `intel_iommu=`, `amd_iommu=`.)
fn kernel_is_off(subject: &Subject<'_>) -> Finding {
    let text = "the firmware offers an IOMMU, the kernel has it off";
    let cmdline = subject.cmdline();
    let off: Vec<&str> = ["iommu=off", "amd_iommu=off", "intel_iommu=off"]
        .into_iter()
        .filter(|word| cmdline.has(word))
        .collect();
    let intel = match maker(subject) {
        Maker::Intel => true,
        Maker::Amd => false,
        Maker::Other => subject.is_x86(),
    } || dmar(subject);
    let mut finding = match (off.is_empty(), intel) {
        (false, _) => Finding::fail(
            format!("{text}: it was started with {}", off.join(" ")),
            format!("remove {} from the boot arguments", off.join(" ")),
        ),
        (true, true) => Finding::fail(text, "add intel_iommu=on to the boot arguments"),
        // On by default (CONFIG_AMD_IOMMU): nothing to add.
        (true, false) => Finding::fail(
            format!("{text}, and no boot argument says so"),
            "look for `AMD-Vi`, `arm-smmu` or `iommu` in the kernel's log; the kernel may be built without a driver for it",
        ),
    };
    for word in &off {
        finding = finding.remedy(Remedy::Argument(Change::Remove((*word).to_owned())));
    }
    match intel {
        true => finding.argument(&switched_on(subject, "intel_iommu", "on")),
        false => finding,
    }
}

/// An argument that is a list, with this in it, and what else it says now
/// (`intel_iommu=on,igfx_off`, `iommu=force,pt`).
fn switched_on(subject: &Subject<'_>, name: &str, value: &str) -> String {
    let cmdline = subject.cmdline();
    let others = cmdline.list(name).filter(|word| ![value, "on", "off", "nopt"].contains(word));
    let others: Vec<&str> = others.collect();
    match others.is_empty() {
        true => format!("{name}={value}"),
        false => format!("{name}={value},{}", others.join(",")),
    }
}

fn dmar(subject: &Subject<'_>) -> bool {
    let iommu = subject.snapshot.machine.iommu.known();
    let table = iommu.and_then(|iommu| iommu.firmware.known()?.as_deref());
    table == Some("DMAR")
}

fn remapping(subject: &Subject<'_>) -> Found {
    match known(&subject.setup.remapping, "whether interrupts are remapped")? {
        None => {
            Ok(Finding::pass("interrupts of devices are isolated by this machine's controller"))
        }
        Some(true) => Ok(Finding::pass("interrupts of devices are remapped")),
        Some(false) if allows_unsafe(subject).is(&true) => Ok(Finding::warn(
            "interrupts of devices are not remapped; allow_unsafe_interrupts lets guests have devices all the same",
            "look for a firmware setting \"Interrupt Remapping\" or \"x2APIC\"; see unsafe_interrupts",
        )),
        Some(false) if !subject.snapshot.machine.iommu.known().is_some_and(|iommu| iommu.on) => {
            Ok(Finding::fail(
                "interrupts of devices are not remapped while the IOMMU is off",
                "see iommu_kernel",
            ))
        }
        Some(false) => Ok(remapping_is_off(subject)),
    }
}

/// What VFIO is told, or will be when it is loaded.
fn allows_unsafe(subject: &Subject<'_>) -> Fact<bool> {
    let setup = subject.setup;
    match setup.modules.is_on(TYPE1, UNSAFE) {
        Fact::Unknown(_) => {}
        known => return known,
    }
    let is_on = |value: &str| matches!(value, "" | "1" | "y" | "Y" | "on");
    let argument = subject.cmdline().value(&format!("{TYPE1}.{UNSAFE}")).map(is_on);
    let settings = setup.modprobe.as_ref();
    settings.map(|settings| {
        let words = settings.options(TYPE1).flat_map(|(line, _)| line.split_whitespace());
        let values = words.filter_map(|word| match word.split_once('=') {
            Some((name, value)) => (name == UNSAFE).then_some(value),
            None => (word == UNSAFE).then_some(""),
        });
        // The kernel's own arguments come behind those of modprobe's files.
        argument.or_else(|| values.map(is_on).last()).unwrap_or(false)
    })
}

const TYPE1: &str = "vfio_iommu_type1";
const UNSAFE: &str = "allow_unsafe_interrupts";

/// VFIO asks for isolated interrupts unless it is told not to
/// (`vfio_iommu_type1_attach_group()` in drivers/vfio/vfio_iommu_type1.c).
fn unsafe_interrupts(subject: &Subject<'_>) -> Found {
    if subject.is_power() {
        return Ok(Finding::pass("VFIO has no such setting on POWER"));
    }
    if !*known(&allows_unsafe(subject), "whether allow_unsafe_interrupts is on")? {
        return Ok(Finding::pass("allow_unsafe_interrupts is off"));
    }
    Ok(match subject.setup.remapping.known() {
        Some(Some(false)) => Finding::warn(
            "allow_unsafe_interrupts is on, and interrupts are not remapped: a guest with a device can raise any interrupt of the host, and so crash it or break out",
            "give devices to guests only that are trusted as the host is",
        ),
        _ => Finding::warn(
            "allow_unsafe_interrupts is on for nothing: where interrupts are isolated it changes nothing, and where they are not it hides that",
            "remove allow_unsafe_interrupts=1 from the options of vfio_iommu_type1 and from the boot arguments",
        ),
    })
}

fn remapping_is_off(subject: &Subject<'_>) -> Finding {
    let cmdline = subject.cmdline();
    let text = "interrupts of devices are not remapped: VFIO refuses to give any to a guest";
    let by_hand = "enable \"Interrupt Remapping\" and \"x2APIC\" in the firmware's setup, or update the firmware";
    let mut finding = Finding::fail(text, by_hand);
    let off: Vec<&str> = ["intremap=off", "nointremap", "noapic", "intremap=nosid"]
        .into_iter()
        .filter(|word| cmdline.has(word))
        .collect();
    if off.is_empty() {
        return finding.remedy(Remedy::ByHand(by_hand.to_owned()));
    }
    finding.text = format!("{text}; the kernel was started with {}", off.join(" "));
    finding.hint = format!("remove {} from the boot arguments", off.join(" "));
    for word in off {
        finding = finding.remedy(Remedy::Argument(Change::Remove(word.to_owned())));
    }
    finding
}

fn identity(subject: &Subject<'_>) -> Found {
    let pass = "devices of the host are not translated";
    if subject.is_power() {
        return Ok(Finding::pass("devices of the host use a window of their own on POWER"));
    }
    let cmdline = subject.cmdline();
    let is_pt = cmdline.list("iommu").any(|value| value == "pt");
    if is_pt || cmdline.has("iommu.passthrough=1") {
        return Ok(Finding::pass(format!("{pass} (iommu=pt)")));
    }
    let domains = || subject.snapshot.groups.values().map(|group| &group.domain);
    let translated = domains().any(|domain| domain.known().is_some_and(|kind| kind != "identity"));
    if !translated && domains().next().is_some() {
        for domain in domains() {
            known(domain, "how devices of the host are translated")?;
        }
        return Ok(Finding::pass(pass));
    }
    let cmdline = known(&subject.setup.cmdline, "what the kernel was started with")?;
    let by_number = cmdline.contains("iommu.passthrough=") || !subject.is_x86();
    let word = match by_number {
        true => "iommu.passthrough=1".to_owned(),
        false => switched_on(subject, "iommu", "pt"),
    };
    let text = "devices of the host go through the IOMMU's translation, which costs fast network cards and drives some of their speed";
    Ok(Finding::warn(text, format!("add {word} to the boot arguments")).argument(&word))
}

fn acs_override(subject: &Subject<'_>) -> Found {
    known(&subject.setup.cmdline, "what the kernel was started with")?;
    let value = subject.cmdline().value("pcie_acs_override");
    Ok(match value {
        None => Finding::pass("groups are not overridden"),
        Some(value) => Finding::warn(
            format!(
                "pcie_acs_override={value} splits groups that the hardware does not isolate: devices in them can reach each other's memory past the IOMMU"
            ),
            "use it only where all guests trust each other, and never for what the host needs",
        ),
    })
}

//! What single devices need of the host.

use super::programs::text as version_text;
use super::{Check, Finding, Found, Remedy, Run, Severity, Subject, known, size};
use crate::fact::Fact;
use crate::function::{BarKind, Function, is_vfio_driver};
use crate::reason::Weight;
use crate::setup::Version;
use crate::snapshot::ModuleState;
use crate::verdict::{self, Kind};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "verdict",
        about: "The device can be passed through, by what it is and where it is.",
        severity: Severity::Required,
        run: Run::Device(verdict),
    },
    Check {
        name: "host_driver",
        about: "No driver of the host takes the device at boot.",
        severity: Severity::Advised,
        run: Run::Device(host_driver),
    },
    Check {
        name: "addresses",
        about: "The firmware gave every memory range of the device an address (\"Above 4G decoding\").",
        severity: Severity::Required,
        run: Run::Device(addresses),
    },
    Check {
        name: "resizable_bar",
        about: "The guest sees which memory ranges can be resized (\"Resizable BAR\"), and their sizes.",
        severity: Severity::Advised,
        run: Run::Device(resizable),
    },
];

fn verdict(subject: &Subject<'_>, function: &Function) -> Found {
    let verdict = verdict::verdict(subject.snapshot, function.bdf);
    let worst: Vec<String> = verdict
        .reasons
        .iter()
        .filter(|reason| reason.weight() >= Weight::Unsure)
        .map(ToString::to_string)
        .collect();
    let hint = format!("passthru show {} says what to do", function.bdf);
    Ok(match verdict.kind {
        Kind::Assignable | Kind::InCompany(_) if worst.is_empty() => {
            Finding::pass("can be passed through")
        }
        Kind::Assignable | Kind::InCompany(_) => Finding::warn(worst.join("; "), hint),
        Kind::Not => Finding::fail(worst.join("; "), hint),
    })
}

/// The modules that the kernel's table names for it, and what has it now.
fn host_driver(subject: &Subject<'_>, function: &Function) -> Found {
    let driver = known(&function.driver, "its driver")?;
    if driver.as_deref().is_some_and(is_vfio_driver) {
        return Ok(Finding::pass("vfio-pci has it"));
    }
    let none = Fact::Known(Vec::new());
    let claims = subject.setup.modules.claims.get(&function.bdf).unwrap_or(&none);
    let Some(driver) = driver else {
        return Ok(match claims.known().map(Vec::as_slice) {
            Some([]) | None => Finding::pass("no driver of the host has it"),
            Some(modules) => Finding::pass(format!(
                "no driver of the host has it, though the kernel knows {}",
                modules.join(", ")
            )),
        });
    };
    let built_in = subject.setup.modules.state(driver).is(&ModuleState::BuiltIn);
    let text = match built_in {
        true => format!("{driver} has it, built into the kernel"),
        false => format!("{driver} has it from boot on"),
    };
    let hint = "`passthru bind` takes it from its driver while the host runs; a driver that does not let go (nouveau, nvidia, amdgpu) is better kept from it at boot";
    Ok(Finding::warn(text, hint).remedy(Remedy::Keep { module: driver.clone() }))
}

/// A range that nobody found room for reads as address 0 (`resource` in sysfs).
fn addresses(_: &Subject<'_>, function: &Function) -> Found {
    let bars = known(&function.bars, "which memory ranges it has")?;
    let memory = || bars.iter().filter(|bar| matches!(bar.kind, BarKind::Memory { .. }));
    if let Some(bar) = memory().find(|bar| bar.start == 0) {
        let by_hand = "enable \"Above 4G Decoding\" (also \"Memory Mapped I/O above 4GB\", \"PCI 64-bit Resource Handling\", \"64-bit BAR\", \"Large BAR\", \"Support 64-Bit Addressing\") in the firmware's setup; where there is \"MMIO High Size\", make it larger";
        return Ok(Finding::fail(
            format!(
                "memory range {} of {} MiB has no address: the firmware found no room for it",
                bar.index,
                bar.size >> 20
            ),
            format!("{by_hand}; or try the boot argument pci=realloc"),
        )
        .remedy(Remedy::ByHand(by_hand.to_owned())));
    }
    let high = memory().any(|bar| bar.start >= 1 << 32);
    Ok(Finding::pass(match (memory().next().is_some(), high) {
        (false, _) => "it has no memory ranges",
        (true, true) => "all memory ranges have addresses, some above 4 GiB",
        (true, false) => "all memory ranges have addresses below 4 GiB",
    }))
}

/// Shows guests the sizes of ranges that can be resized (QEMU, "vfio/pci: Static
/// Resizable BAR capability", which some drivers need; issue 703).
const SHOWN: Version = (8, 1, 0);

fn resizable(subject: &Subject<'_>, function: &Function) -> Found {
    let extended = function.extended();
    let extended = known(&extended, "whether a memory range of it can be resized")?;
    if extended.rebar.is_empty() {
        return Ok(Finding::pass("no memory range can be resized"));
    }
    // Bit n of the sizes stands for 2^n MiB.
    let largest = |sizes: u64| 1u64.checked_shl(20 + sizes.max(1).ilog2()).unwrap_or(u64::MAX);
    let told = extended.rebar.iter().map(|range| {
        let (now, most) = (size(range.current), size(largest(range.sizes)));
        format!("range {} has {now} of at most {most}", range.bar)
    });
    let told = told.collect::<Vec<_>>().join(", ");
    Ok(match subject.setup.programs.qemu.known() {
        Some(Some(version)) if *version < SHOWN => Finding::warn(
            format!(
                "{told}, which QEMU {} hides from the guest: some drivers fail for it",
                version_text(*version)
            ),
            "use QEMU 8.1 or newer; or switch \"Resizable BAR\" (also \"Re-Size BAR Support\", \"Smart Access Memory\") off in the firmware's setup",
        ),
        _ => Finding::pass(told),
    })
}

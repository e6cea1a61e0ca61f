//! What a guest needs that devices are given to: for passthru run inside of one.

use super::programs::release;
use super::{Check, Finding, Found, Run, Severity, Subject, known};

pub(super) const CHECKS: &[Check] = &[Check {
    name: "hyperv_guest",
    about: "A guest of Hyper-V has the four fixes of its PCI controller that devices with many MSI vectors need.",
    severity: Severity::Advised,
    run: Run::Host(hyperv),
}];

/// The first mainline kernel with all four fixes (pci-hyperv: 08e61e861a0e,
/// 455880dfe292, b4b77778ecc5, a2bad844a67b, all of them before 5.19).
const FIXED: (u32, u32) = (5, 19);

fn hyperv(subject: &Subject<'_>) -> Found {
    let none = "this is no guest of Hyper-V";
    let Some(product) = subject.setup.product.known() else { return Ok(Finding::pass(none)) };
    if !(product.contains("Microsoft") && product.contains("Virtual Machine")) {
        return Ok(Finding::pass(none));
    }
    let kernel = known(&subject.snapshot.machine.kernel, "the kernel's version")?;
    match release(kernel) {
        Some(version) if version >= FIXED => Ok(Finding::pass(format!(
            "Linux {kernel} has the fixes of Hyper-V's PCI controller for many MSI vectors"
        ))),
        _ => Ok(Finding::warn(
            format!(
                "Linux {kernel} is older than 5.19, where Hyper-V's PCI controller was mended for devices with many MSI vectors (AIC100 needs 32)"
            ),
            "ask whether your distribution took over the commits 08e61e861a0e, 455880dfe292, b4b77778ecc5 and a2bad844a67b, or use a newer kernel",
        )),
    }
}

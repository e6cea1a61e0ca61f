//! Screens: what draws on the host's, and would hold a device for it.

use super::{Check, Finding, Found, Run, Severity, Subject, known};
use crate::function::Function;
use crate::ids::VendorId;
use crate::usage::Use;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "screen_services",
        about: "No display server, remote desktop or vendor's service (persistence, monitoring) would hold the device.",
        severity: Severity::Advised,
        run: Run::Device(services),
    },
    Check {
        name: "xorg",
        about: "No X11 configuration makes the display server take the device.",
        severity: Severity::Advised,
        run: Run::Device(xorg),
    },
    Check {
        name: "framebuffer",
        about: "The firmware's framebuffer (efifb, simpledrm) and the console are on another device.",
        severity: Severity::Advised,
        run: Run::Device(framebuffer),
    },
];

fn is_display(function: &Function) -> bool {
    function.class.known().is_some_and(|class| class.is_display())
}

/// Drivers through which NVIDIA's services reach what is no graphics card (`nvidia-gpu`
/// is the kernel's own, for a card's USB port).
const MAKERS_DRIVERS: &[&str] = &["nvidia", "nvidia-nvswitch"];

/// Any graphics card may be opened by what draws on screens, one without a
/// screen of its own (3D controller) included; accelerators and switches between
/// cards only by their maker's services.
fn services(subject: &Subject<'_>, function: &Function) -> Found {
    let (display, nvidia) = (is_display(function), is_nvidia(function));
    let accelerates = function.class.known().is_some_and(|class| class.is_accelerator());
    let by_maker = function.driver_name().is_some_and(|name| MAKERS_DRIVERS.contains(&name));
    if !display && !(nvidia && (accelerates || by_maker)) {
        return Ok(Finding::pass("not a device that such services hold"));
    }
    let active = known(&subject.setup.screens.services, "which services are active")?;
    let felt: Vec<&str> = active
        .iter()
        .map(String::as_str)
        .filter(|unit| if is_nvidias(unit) { nvidia } else { display })
        .collect();
    Ok(match felt.is_empty() {
        true => Finding::pass("no service that would hold it is active"),
        false => Finding::warn(
            format!("{} would hold it", felt.join(", ")),
            "`passthru bind --stop-services` stops those that do hold it; for good: `systemctl disable` them, or start them after the guest",
        ),
    })
}

fn is_nvidia(function: &Function) -> bool {
    function.vendor.is(&VendorId(0x10de))
}

/// A service that is about NVIDIA's cards only.
fn is_nvidias(unit: &str) -> bool {
    unit.starts_with("nvidia") || unit.contains("dcgm")
}

fn xorg(subject: &Subject<'_>, function: &Function) -> Found {
    if !is_display(function) || !is_nvidia(function) {
        return Ok(Finding::pass("not a device that X11 is configured for by its maker"));
    }
    let files = known(&subject.setup.screens.xorg, "how X11 is configured")?;
    Ok(match files.is_empty() {
        true => Finding::pass("no X11 configuration names NVIDIA's driver"),
        false => Finding::warn(
            format!("{} make the display server take NVIDIA's cards", files.join(", ")),
            "set them aside",
        ),
    })
}

fn framebuffer(_: &Subject<'_>, function: &Function) -> Found {
    let drawn = function
        .uses
        .iter()
        .find(|used| matches!(used, Use::BootFramebuffer { .. } | Use::Console { .. }));
    Ok(match (drawn, function.boot_vga) {
        (Some(used), _) => Finding::warn(
            format!("{used}: the host's first screen is on it"),
            "make another card the first in the firmware's setup (\"Primary Display\", \"IGFX first\"); else the host goes dark when a guest has it",
        ),
        (None, Some(true)) => Finding::warn(
            "the firmware initialised it as the first screen: its ROM is a changed copy, guests may need one from a file",
            "make another card the first in the firmware's setup (\"Primary Display\", \"IGFX first\")",
        ),
        (None, _) => Finding::pass("the host's first screen is on another device, or on none"),
    })
}

//! Screens: what draws on the host's, and would hold a device for it.

use super::programs::release;
use super::{Check, Finding, Found, Remedy, Run, Severity, Subject, known};
use crate::boot::cmdline::Change;
use crate::function::{Function, is_vfio_driver};
use crate::ids::VendorId;
use crate::setup::services::Purpose;
use crate::usage::Use;

/// The driver whose configuration makes the X server take cards of the host.
pub const NVIDIA: &str = "nvidia";

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

impl Purpose {
    /// Whether it would take this device.
    fn is_about(self, function: &Function) -> bool {
        match self {
            Self::Nvidia => is_nvidia(function) && is_served(function),
            Self::Desktop | Self::Remote => is_display(function),
        }
    }
}

/// A service whose devices all go is kept from starting; one that has others
/// stays, as it does not see a card that vfio-pci has from boot on.
fn services(subject: &Subject<'_>, function: &Function) -> Found {
    if !is_display(function) && !Purpose::Nvidia.is_about(function) {
        return Ok(Finding::pass("not a device that such services hold"));
    }
    if function.driver_name().is_some_and(is_vfio_driver) {
        return Ok(Finding::pass("vfio-pci has it: no service of the host can take it"));
    }
    let active = known(&subject.setup.screens.services, "which services are active")?;
    let (mut idle, mut held, mut stay) = (Vec::new(), Vec::new(), Vec::new());
    for unit in active {
        let purpose = Purpose::of(unit);
        if !purpose.is_about(function) {
            continue;
        }
        if holds(function, unit) {
            held.push(format!("{unit} holds it now"));
        }
        match (purpose, subject.stays(|other| purpose.is_about(other))) {
            (Purpose::Remote, _) => stay.push(format!("{unit} stays as the way to the host")),
            (_, Some(other)) => stay.push(format!("{unit} stays for {other}")),
            (_, None) => idle.push(unit.clone()),
        }
    }
    let would = format!("{} would hold it, and has no other device", idle.join(", "));
    let would = (!idle.is_empty()).then_some(would);
    let is_fine = would.is_none() && held.is_empty();
    let told: Vec<String> = would.into_iter().chain(held).chain(stay).collect();
    if is_fine {
        return Ok(Finding::pass(match told.is_empty() {
            true => "no service that draws on screens is active".to_owned(),
            false => told.join("; "),
        }));
    }
    let hint = "`passthru bind --stop-services` stops what holds it now; a service that starts when vfio-pci has the device does without it";
    let finding = Finding::warn(told.join("; "), hint);
    Ok(idle.into_iter().fold(finding, |finding, unit| finding.remedy(Remedy::Stop { unit })))
}

/// Whether a service has a device open now, by itself or by the desktops that it opened.
fn holds(function: &Function, unit: &str) -> bool {
    let is_desktop = Purpose::of(unit) == Purpose::Desktop;
    let mut holders = function.holders.known().into_iter().flatten();
    holders.any(|one| one.unit.as_deref() == Some(unit) || (is_desktop && one.desktop))
}

/// Whether NVIDIA's services have to do with one of its devices.
fn is_served(function: &Function) -> bool {
    let accelerates = function.class.known().is_some_and(|class| class.is_accelerator());
    let by_maker = function.driver_name().is_some_and(|name| MAKERS_DRIVERS.contains(&name));
    is_display(function) || accelerates || by_maker || is_switch(function)
}

/// NVSwitch, between cards ("other bridge"): those of guests need the host's
/// Fabric Manager where it stays with the host.
fn is_switch(function: &Function) -> bool {
    function.class.known().is_some_and(|class| class.sub() == 0x0680)
}

fn is_nvidia(function: &Function) -> bool {
    function.vendor.is(&VendorId(0x10de))
}

fn xorg(subject: &Subject<'_>, function: &Function) -> Found {
    if !is_display(function) || !is_nvidia(function) {
        return Ok(Finding::pass("not a device that X11 is configured for by its maker"));
    }
    let files = known(&subject.setup.screens.xorg, "how X11 is configured")?;
    if files.is_empty() {
        return Ok(Finding::pass("no X11 configuration names NVIDIA's driver"));
    }
    let listed = files.join(", ");
    let stays = subject.stays(|other| is_display(other) && is_nvidia(other));
    Ok(match stays {
        Some(other) => {
            let by_hand = format!("say by BusID in {listed} that only {other} is the host's");
            Finding::warn(
                format!("{listed} make the display server take NVIDIA's cards"),
                format!("{by_hand} (xorg.conf(5))"),
            )
            .remedy(Remedy::ByHand(by_hand))
        }
        None => {
            let finding = Finding::warn(
                format!("{listed} make the display server take NVIDIA's cards"),
                "set them aside: without such a card the display server does not start with them",
            );
            let aside = |path: &String| Remedy::SetAside { path: path.clone() };
            files.iter().map(aside).fold(finding, Finding::remedy)
        }
    })
}

/// From here on vfio-pci takes a VGA device from the firmware's framebuffer by
/// itself (linux d17378062079, vfio/pci: remove console drivers).
const REMOVED_BY_VFIO: (u32, u32) = (6, 0);

fn framebuffer(subject: &Subject<'_>, function: &Function) -> Found {
    let first =
        "make another card the first in the firmware's setup (\"Primary Display\", \"IGFX first\")";
    let drawn = function
        .uses
        .iter()
        .find(|used| matches!(used, Use::BootFramebuffer { .. } | Use::Console { .. }));
    Ok(match (drawn, function.boot_vga) {
        (Some(used), _) => {
            let finding = Finding::warn(
                format!("{used}: the host's first screen is on it"),
                format!("{first}; else the host goes dark when a guest has it"),
            );
            match used {
                Use::BootFramebuffer { region } => without(subject, function, region, finding),
                _ => finding,
            }
        }
        (None, Some(true)) => Finding::warn(
            "the firmware initialised it as the first screen: its ROM is a changed copy, guests may need one from a file",
            first,
        ),
        (None, _) => Finding::pass("the host's first screen is on another device, or on none"),
    })
}

/// What keeps the firmware's framebuffer off a device, where something does
/// and has to: without it the device's memory cannot be had. That the host
/// goes dark is for a person to choose.
fn without(subject: &Subject<'_>, function: &Function, region: &str, finding: Finding) -> Finding {
    let kernel = subject.snapshot.machine.kernel.known().and_then(|kernel| release(kernel));
    let is_vga = function.class.known().is_some_and(|class| class.sub() == 0x0300);
    let recent = kernel.is_none_or(|version| version >= REMOVED_BY_VFIO);
    let by_hand = |what: String| Remedy::ByHand(format!("{}: {what}", function.bdf));
    if recent && is_vga && kernel.is_some() {
        return finding;
    }
    let argument = match region {
        // drivers/video/fbdev/efifb.c, vesafb.c: `video=efifb:off`.
        "efifb" | "vesafb" => Change::Add(format!("video={region}:off")),
        // Claimed by the kernel itself for simplefb or simpledrm, which
        // know no such option (drivers/firmware/sysfb.c).
        _ => Change::Include {
            name: "initcall_blacklist".to_owned(),
            values: vec!["sysfb_init".to_owned()],
        },
    };
    if recent {
        let what = format!(
            "if a guest cannot use its memory (`can't reserve` in the kernel's log), try the boot argument {argument}, which helps on some kernels only"
        );
        return finding.remedy(by_hand(what));
    }
    match subject.stays(is_display) {
        Some(_) => finding.remedy(Remedy::Argument(argument)),
        None => finding.remedy(by_hand(format!(
            "the boot argument {argument} takes the host's only screen from it: set it if the host can be reached otherwise"
        ))),
    }
}

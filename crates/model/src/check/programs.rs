//! Programs that run guests: QEMU, libvirt, their firmware and confinement.

use super::{Check, Finding, Found, Run, Severity, Subject, known};
use crate::setup::{Guest, Version};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "qemu",
        about: "QEMU is installed, and new enough.",
        severity: Severity::Advised,
        run: Run::Host(qemu),
    },
    Check {
        name: "large_bars",
        about: "Large memory ranges of devices are mapped quickly when a guest starts.",
        severity: Severity::Advised,
        run: Run::Host(large_bars),
    },
    Check {
        name: "root_ports",
        about: "Running guests of passthru have a root port free for one more device.",
        severity: Severity::Advised,
        run: Run::Host(root_ports),
    },
    Check {
        name: "uefi",
        about: "UEFI firmware for guests is installed and described for QEMU (OVMF, AAVMF).",
        severity: Severity::Advised,
        run: Run::Host(uefi),
    },
    Check {
        name: "libvirt",
        about: "Whether libvirt is installed (told only).",
        severity: Severity::Advised,
        run: Run::Host(libvirt),
    },
    Check {
        name: "confinement",
        about: "Which security module confines libvirt's guests, and what it has to allow (told only).",
        severity: Severity::Advised,
        run: Run::Host(confinement),
    },
];

/// The oldest that passthru runs (it is the first that tells of a refused unplug).
const LEAST: Version = (6, 2, 0);
/// From here on QEMU maps ranges aligned to their size (`vfio_region_mmap()`).
const ALIGNED: Version = (9, 2, 0);
/// Maps such ranges by whole page tables (linux 0fd06844de5d, vfio/type1).
const QUICK_KERNEL: (u32, u32) = (6, 15);
/// From this size on, mapping page by page is felt.
const LARGE: u64 = 1 << 30;

pub(super) fn text(version: Version) -> String {
    let (major, minor, micro) = version;
    format!("{major}.{minor}.{micro}")
}

fn qemu(subject: &Subject<'_>) -> Found {
    match known(&subject.setup.programs.qemu, "the version of QEMU")? {
        None => Ok(Finding::warn(
            "QEMU for guests of this machine's kind is not installed",
            match subject.is_power() {
                true => {
                    "install qemu-system-ppc (Debian, Ubuntu), qemu-kvm (Red Hat), or what your hypervisor needs"
                }
                false => {
                    "install qemu-system-x86 (Debian, Ubuntu), qemu-kvm (Red Hat), qemu-desktop (Arch), or what your hypervisor needs"
                }
            },
        )),
        Some(version) if *version < LEAST => Ok(Finding::warn(
            format!(
                "QEMU {} is too old for `passthru run`, which needs {}",
                text(*version),
                text(LEAST)
            ),
            "install a newer QEMU (backports have one)",
        )),
        Some(version) => Ok(Finding::pass(format!("QEMU {}", text(*version)))),
    }
}

/// A large range is mapped for DMA when the guest starts: page by page, 32 GiB
/// take about a second.
fn large_bars(subject: &Subject<'_>) -> Found {
    let functions = subject.functions();
    let bars = functions.filter_map(|function| function.bars.known()).flatten();
    let largest = bars.map(|bar| bar.size).max().unwrap_or(0);
    if largest < LARGE {
        return Ok(Finding::pass(match subject.devices.is_empty() {
            true => "no device was named",
            false => "no memory range is so large that it matters",
        }));
    }
    let mut slow = Vec::new();
    if let Some(Some(version)) = subject.setup.programs.qemu.known()
        && *version < ALIGNED
    {
        slow.push(format!("QEMU {} (from {} on it aligns them)", text(*version), text(ALIGNED)));
    }
    let kernel = known(&subject.snapshot.machine.kernel, "the kernel's version")?;
    if release(kernel).is_some_and(|version| version < QUICK_KERNEL) {
        let (major, minor) = QUICK_KERNEL;
        slow.push(format!("Linux {kernel} (from {major}.{minor} on it maps them at once)"));
    }
    let size = largest >> 30;
    Ok(match slow.is_empty() {
        true => Finding::pass(format!("ranges of {size} GiB are mapped at once")),
        false => Finding::warn(
            format!(
                "a range of {size} GiB is mapped page by page at every start of a guest, about {} ms: {}",
                size * 1000 / 32,
                slow.join(", ")
            ),
            "it works; a newer QEMU and kernel spare that time",
        ),
    })
}

/// A device that is attached needs a port that is there since the start (QEMU
/// plugs no ports into `pcie.0` of a running guest).
fn root_ports(subject: &Subject<'_>) -> Found {
    let guests = known(&subject.setup.guests, "which guests run")?;
    let ports = |guest: &Guest| Some((guest.name.clone(), guest.ports?));
    let ports: Vec<(String, (usize, usize))> = guests.iter().filter_map(ports).collect();
    if ports.is_empty() {
        return Ok(Finding::pass(match guests.is_empty() {
            true => "no guest of passthru runs",
            false => "no guest of passthru that runs has root ports",
        }));
    }
    let told =
        ports.iter().map(|(name, (spare, free))| format!("{name} has {free} of {spare} free"));
    let text = format!("root ports: {}", told.collect::<Vec<_>>().join(", "));
    Ok(match ports.iter().all(|(_, (_, free))| *free > 0) {
        true => Finding::pass(text),
        false => Finding::warn(
            text,
            "a guest without a free one gets no further device while it runs: detach one, or start it anew with the device",
        ),
    })
}

/// `6.12.43+deb13-amd64` → (6, 12).
pub(super) fn release(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn uefi(subject: &Subject<'_>) -> Found {
    match known(&subject.setup.programs.uefi, "which UEFI firmware is installed")? {
        0 if subject.is_power() => Ok(Finding::pass("guests on POWER use no UEFI")),
        0 => Ok(Finding::warn(
            "no UEFI firmware for guests is described for QEMU",
            "install ovmf (Debian, Ubuntu) or edk2-ovmf (Red Hat, Arch): GPUs hardly work without UEFI in the guest",
        )),
        count => Ok(Finding::pass(format!("{count} UEFI firmwares for guests are installed"))),
    }
}

fn libvirt(subject: &Subject<'_>) -> Found {
    Ok(Finding::pass(match known(&subject.setup.programs.libvirt, "the version of libvirt")? {
        Some(version) => format!("libvirt {}", text(*version)),
        None => "libvirt is not installed; passthru does not need it".to_owned(),
    }))
}

fn confinement(subject: &Subject<'_>) -> Found {
    let modules = known(&subject.setup.security, "which security modules are active")?;
    let has = |name: &str| modules.iter().any(|module| module == name);
    let libvirt = subject.setup.programs.libvirt.known().is_some_and(Option::is_some);
    Ok(Finding::pass(match (has("apparmor"), has("selinux")) {
        _ if !libvirt => "no libvirt whose guests would be confined".to_owned(),
        (true, _) => "AppArmor confines libvirt's guests; ROM files and sockets outside of its folders need a rule in /etc/apparmor.d/local/abstractions/libvirt-qemu (`passthru prepare --rom-folder`)".to_owned(),
        (_, true) => "SELinux confines libvirt's guests; ROM files need the type virt_content_t or svirt_image_t".to_owned(),
        _ => "libvirt's guests are not confined".to_owned(),
    }))
}

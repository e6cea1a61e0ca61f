//! A host that boots by systemd-boot from its own disk: what is changed on the EFI system partition takes effect.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;

use support::boot;
use support::{Host, Scenario};

const SCENARIOS: &[Scenario] = &[
    ("the_iommu_is_off", boot::the_iommu_is_off),
    ("prepared_and_taken_back", prepared_and_taken_back),
];

const LONG: &[Scenario] = &[
    ("prepared_for_one_start", prepared_for_one_start),
    ("an_entry_for_once_then_another_default", an_entry_for_once_then_another_default),
];

fn main() -> ExitCode {
    support::main_and_long("sdboot", SCENARIOS, LONG)
}

fn an_entry_for_once_then_another_default(host: &Host) {
    let list = host.sh("bootctl list --no-pager");
    assert!(list.contains("debian-") && list.contains("(default)"), "{list}");
    // What sorts first is the default: the usual entry.
    host.sh("cd /boot/efi/loader/entries
         sed -e 's/intel_iommu=off.*/intel_iommu=on quiet trial/' -e 's/^sort-key.*/sort-key zz/' \\
             debian-*.conf >trial.conf
         bootctl set-oneshot trial.conf");
    boot::power_fails_during(host, "update-initramfs -u");
    boot::is_the_trial(host);
    boot::has_groups(host);
    host.sh("rm /boot/efi/loader/entries/trial.conf");

    // By hand, as `kernel-install add` looks through all modules again: a minute in emulation.
    let set = |from: &str, to: &str| {
        host.sh(&format!(
            "sed -i s/intel_iommu={from}/intel_iommu={to}/ /etc/kernel/cmdline /boot/efi/loader/entries/debian-*.conf"
        ))
    };
    set("off", "on");
    host.reboot().unwrap();
    boot::is_the_usual(host);
    boot::has_groups(host);
    set("on", "off");
}

/// An entry of its own, which the firmware's variable chooses for one start.
fn prepared_for_one_start(host: &Host) {
    let entries = || host.sh("cd /boot/efi/loader/entries; sha256sum *");
    let before = entries();
    host.ok("prepare --once --yes");
    host.reboot().unwrap();
    boot::has_groups(host);
    let list = host.sh("bootctl list --no-pager");
    assert!(list.contains("passthru testing"), "{list}");
    host.crash().unwrap();
    boot::the_iommu_is_off(host);
    host.ok("prepare --undo --yes");
    assert_eq!(entries(), before);
    host.sh("modprobe vfio-pci");
}

/// The arguments and the image are on the partition that the firmware reads.
fn prepared_and_taken_back(host: &Host) {
    const SOURCES: &str = "cd /boot/efi; find loader debian -type f ! -name random-seed | sort | xargs sha256sum; \
                           cd /etc; find kernel modprobe.d -type f | sort | xargs sha256sum";
    boot::prepared_and_taken_back(host, SOURCES);
}

//! A host whose initramfs dracut makes. How it boots by GRUB is `boot_grub`'s.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;

use support::boot;
use support::{Host, Scenario};

const SCENARIOS: &[Scenario] = &[
    ("the_iommu_is_off", boot::the_iommu_is_off),
    ("prepared_and_taken_back", prepared_and_taken_back),
];

const LONG: &[Scenario] = &[("an_initramfs_made_anew", an_initramfs_made_anew)];

fn main() -> ExitCode {
    support::main_and_long("dracut", SCENARIOS, LONG)
}

fn an_initramfs_made_anew(host: &Host) {
    // An image for any host has no copy of what modprobe is told.
    boot::grub_trial(host, "dracut --quiet --force --install /etc/modprobe.d/trial.conf OUT");
    boot::power_fails_during(host, "dracut --quiet --force");
    boot::end_grub_trial(host);
    boot::slowly(host, "update-grub");
    host.sh("modprobe nvme; modprobe vfio-pci");
    host.until("test -b /dev/nvme0n1");
}

fn prepared_and_taken_back(host: &Host) {
    const SOURCES: &str = "cd /etc; find default dracut.conf.d modprobe.d -type f | sort | xargs sha256sum; \
                           sha256sum /boot/grub/grub.cfg /boot/initrd.img-*; ls -A /boot /boot/grub";
    boot::prepared_and_taken_back(host, SOURCES);
}

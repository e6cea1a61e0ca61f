//! A host whose initramfs dracut makes. How it boots by GRUB is `boot_grub`'s.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;

use support::boot;
use support::{Host, Scenario};

const SCENARIOS: &[Scenario] = &[
    ("the_iommu_is_off", boot::the_iommu_is_off),
    ("an_initramfs_made_anew", an_initramfs_made_anew),
];

fn main() -> ExitCode {
    support::main_of_long("dracut", SCENARIOS)
}

fn an_initramfs_made_anew(host: &Host) {
    boot::grub_trial(host, "dracut --quiet --force OUT");
    boot::power_fails_during(host, "dracut --quiet --force");
    boot::end_grub_trial(host);
    boot::slowly(host, "update-grub");
    host.sh("modprobe nvme; modprobe vfio-pci");
    host.until("test -b /dev/nvme0n1");
}

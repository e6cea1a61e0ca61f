//! A host that boots by GRUB from its own disk, with an initramfs by initramfs-tools: what is changed there takes effect.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;

use support::boot::{self, slowly};
use support::{Host, Scenario};

const SCENARIOS: &[Scenario] = &[
    ("the_iommu_is_off", boot::the_iommu_is_off),
    ("the_menu_is_what_update_grub_makes", the_menu_is_what_update_grub_makes),
    ("an_entry_for_once_then_another_default", an_entry_for_once_then_another_default),
];

fn main() -> ExitCode {
    support::main("grub", SCENARIOS)
}

/// The first menu was made without the disk (image/disk/grub/grub-probe).
fn the_menu_is_what_update_grub_makes(host: &Host) {
    host.sh("cp /boot/grub/grub.cfg /root/first.cfg");
    slowly(host, "update-grub");
    host.sh("diff /root/first.cfg /boot/grub/grub.cfg >&2; rm /root/first.cfg");
}

fn an_entry_for_once_then_another_default(host: &Host) {
    boot::grub_trial(host, "mkinitramfs -o OUT");
    boot::power_fails_during(host, "update-initramfs -u");
    boot::end_grub_trial(host);

    host.sh("sed -i s/intel_iommu=off/intel_iommu=on/ /etc/default/grub");
    slowly(host, "update-grub");
    host.reboot().unwrap();
    boot::is_the_usual(host);
    boot::has_groups(host);

    host.sh("sed -i s/intel_iommu=on/intel_iommu=off/ /etc/default/grub");
    slowly(host, "update-grub");
}

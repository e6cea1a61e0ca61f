//! A host that boots by GRUB from its own disk, with an initramfs by initramfs-tools: what is changed there takes effect.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;

use support::boot::{self, slowly};
use support::{Host, NVME, Scenario};

const SCENARIOS: &[Scenario] = &[
    ("the_iommu_is_off", boot::the_iommu_is_off),
    ("the_menu_is_what_update_grub_makes", the_menu_is_what_update_grub_makes),
    ("prepared_and_taken_back", prepared_and_taken_back),
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

/// The whole way: nothing can be passed; the power fails in the middle of a preparation, and the host boots what it
/// booted before; it is prepared, and started anew; all is ready, and the device with vfio-pci from boot on; all is
/// taken back, and the host is as it was.
fn prepared_and_taken_back(host: &Host) {
    let sources = "cd /etc; find default grub.d initramfs-tools modprobe.d modules-load.d -type f | sort \
                   | xargs sha256sum; ls -A /boot /boot/grub";
    let before = host.sh(sources);
    let menu = host.sh("sha256sum /boot/grub/grub.cfg /boot/initrd.img-*");

    let check = host.passthru(&format!("check {NVME}"));
    assert_eq!(check.status, support::REFUSED, "{check:?}");
    assert!(
        check.stdout.contains("the firmware offers an IOMMU, the kernel has it off"),
        "{check:?}"
    );
    let shown = host.ok(&format!("prepare {NVME} --dry-run"));
    assert!(
        shown.contains("+GRUB_CMDLINE_LINUX_DEFAULT=\"quiet intel_iommu=on iommu=pt\""),
        "{shown}"
    );
    let asked = host.passthru(&format!("prepare {NVME}"));
    assert_eq!(asked.status, support::REFUSED, "nobody agreed: {asked:?}");
    assert_eq!(host.sh(sources), before, "nothing was done");

    boot::power_fails_during(host, &format!("passthru prepare {NVME} --yes"));
    boot::the_iommu_is_off(host);
    host.ok("recover");
    assert_eq!(host.sh(sources), before, "what was cut off is taken back");
    assert_eq!(host.sh("sha256sum /boot/grub/grub.cfg /boot/initrd.img-*"), menu);

    boot::slowly(host, &format!("passthru prepare {NVME} --yes"));
    let again = host.ok(&format!("prepare {NVME} --dry-run"));
    assert!(again.contains("reboot"), "{again}");
    host.reboot().unwrap();
    boot::has_groups(host);
    assert_eq!(host.driver(NVME), "vfio-pci");
    host.ok(&format!("check {NVME}"));

    boot::slowly(host, "passthru prepare --undo --yes");
    assert_eq!(host.sh(sources), before);
    assert_eq!(host.sh("sha256sum /boot/grub/grub.cfg /boot/initrd.img-*"), menu);
    host.reboot().unwrap();
    boot::the_iommu_is_off(host);
    host.sh("modprobe vfio-pci");
}

//! A host that boots by GRUB from its own disk, with an initramfs by initramfs-tools: what is changed there takes effect.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;

use support::boot::{self, slowly};
use support::story::Story;
use support::{Host, IGB, NVME, Scenario};

/// What it tells is done here.
const PAGE: &str = "docs/guide/prepare.md";

/// Of the same kind as [`IGB`].
const TWIN: &str = "0000:05:00.0";

const SCENARIOS: &[Scenario] = &[
    ("the_iommu_is_off", boot::the_iommu_is_off),
    ("the_menu_is_what_update_grub_makes", the_menu_is_what_update_grub_makes),
    ("once_and_of_two_of_a_kind_one_goes", once_and_of_two_of_a_kind_one_goes),
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

/// An entry with other arguments, for one start: the next one is as before, whoever ends this one. Of two cards of a
/// kind, whose driver is in the initramfs, one is with vfio-pci before its driver comes, by a rule that knows its place.
fn once_and_of_two_of_a_kind_one_goes(host: &Host) {
    const SOURCES: &str = "sha256sum /boot/grub/grub.cfg; cd /etc; find default initramfs-tools systemd/system udev \
                           -type f | sort | xargs sha256sum";
    let before = host.sh(SOURCES);
    let shown = host.ok("prepare --once --dry-run");
    assert!(shown.contains("+menuentry 'Debian GNU/Linux - passthru testing'"), "{shown}");
    assert_eq!(host.sh(SOURCES), before);
    host.ok("prepare --once --yes");
    // Changed one's mind.
    host.ok("prepare --undo --yes");
    assert_eq!((host.sh(SOURCES), host.sh("grub-editenv list")), (before.clone(), String::new()));
    let mut story = Story::new(host, "twins#");
    story.done("passthru prepare --once --yes");
    host.reboot().unwrap();
    boot::has_groups(host);
    one_of_two_goes(host, &mut story);

    host.crash().unwrap();
    boot::the_iommu_is_off(host);
    assert_eq!(host.driver(TWIN), "igb");
    story.done("passthru prepare --undo --yes");
    assert_eq!(host.sh(SOURCES), before);
    story.compare(PAGE);
    host.sh("modprobe vfio-pci");
}

fn one_of_two_goes(host: &Host, story: &mut Story<'_>) {
    const RULE: &str = "etc/udev/rules.d/10-passthru.rules";
    let in_image = || host.sh(&format!("lsinitramfs /boot/initrd.img-* | grep -c {RULE} || true"));
    let refused = host.passthru(&format!("bind {TWIN} --persist"));
    assert_eq!(refused.status, support::REFUSED, "nobody agreed: {refused:?}");
    assert_eq!(host.driver(TWIN), "igb");
    story.done("passthru bind 05:00.0 --persist --yes");
    assert_eq!((host.driver(TWIN), in_image()), ("vfio-pci".into(), "1".into()));
    host.sh("grub-reboot passthru-testing");
    host.reboot().unwrap();
    assert_eq!((host.driver(TWIN), host.driver(IGB)), ("vfio-pci".into(), "igb".into()));
    story.done("passthru list | grep -i ethernet");
    let had = format!("dmesg | grep -c 'igb {TWIN}' || true");
    assert_eq!(host.sh(&had), "0", "its driver never had it");
    host.until("systemctl is-active -q passthru-bindings.service");

    // A driver that is built in has it before any rule is read.
    let device = format!("/sys/bus/pci/devices/{TWIN}");
    host.sh(&format!(
        "echo {TWIN} >{device}/driver/unbind; echo >{device}/driver_override; echo {TWIN} >/sys/bus/pci/drivers_probe"
    ));
    assert_eq!(host.driver(TWIN), "igb");
    host.sh("systemctl restart passthru-bindings.service");
    assert_eq!(host.driver(TWIN), "vfio-pci");

    story.done("passthru release 05:00.0 --forget --yes");
    assert_eq!((host.driver(TWIN), in_image()), ("igb".into(), "0".into()));
}

/// The whole way: nothing can be passed; the power fails in the middle of a preparation, and the host boots what it
/// booted before; it is prepared, and started anew; all is ready, and the device with vfio-pci from boot on; all is
/// taken back, and the host is as it was.
fn prepared_and_taken_back(host: &Host) {
    let sources = "cd /etc; find default grub.d initramfs-tools modprobe.d modules-load.d -type f | sort \
                   | xargs sha256sum; ls -A /boot /boot/grub";
    let before = host.sh(sources);
    let menu = host.sh("sha256sum /boot/grub/grub.cfg /boot/initrd.img-*");

    let mut story = Story::new(host, "pc#");
    let check = story.typed("passthru check 03:00.0");
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

    story.done("passthru prepare 03:00.0 --yes");
    let again = host.ok(&format!("prepare {NVME} --dry-run"));
    assert!(again.contains("reboot"), "{again}");
    // The way out, if the new image should not start.
    host.sh("grub-reboot passthru-old-image");
    host.reboot().unwrap();
    boot::the_iommu_is_off(host);
    assert!(boot::arguments(host).contains("vmlinuz"), "{}", boot::arguments(host));
    host.reboot().unwrap();
    boot::has_groups(host);
    assert_eq!(host.driver(NVME), "vfio-pci");
    story.done("passthru check 03:00.0");

    story.done("passthru prepare --undo --yes");
    assert_eq!(host.sh(sources), before);
    assert_eq!(host.sh("sha256sum /boot/grub/grub.cfg /boot/initrd.img-*"), menu);
    host.reboot().unwrap();
    boot::the_iommu_is_off(host);
    host.sh("modprobe vfio-pci");
    story.compare(PAGE);
}

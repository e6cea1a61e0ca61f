//! Lab hosts that boot from their own disk: what they are tried with, whichever the boot loader is.

use super::{EDU, Host, IGB, NVME};

/// The kernel's arguments.
#[track_caller]
pub fn arguments(host: &Host) -> String {
    host.sh("cat /proc/cmdline")
}

/// Where every scenario begins: the kernel's and the initramfs' place is the disk, and the IOMMU is turned off there.
pub fn the_iommu_is_off(host: &Host) {
    // One that is lent may have been left with other arguments.
    if arguments(host).contains("intel_iommu=on") {
        host.reboot().unwrap();
    }
    let arguments = arguments(host);
    assert!(arguments.contains("intel_iommu=off") && !arguments.contains("=on"), "{arguments}");
    assert_eq!(host.sh("ls /sys/kernel/iommu_groups | wc -l"), "0");
    assert_eq!(host.sh("ls -d /sys/firmware/acpi/tables/DMAR"), "/sys/firmware/acpi/tables/DMAR");
    let drivers = [EDU, IGB, NVME].map(|address| host.driver(address));
    assert_eq!(drivers, ["-", "igb", "nvme"]);
}

/// The IOMMU works: each of the three is in a group of its own.
#[track_caller]
pub fn has_groups(host: &Host) {
    for address in [EDU, IGB, NVME] {
        assert!(host.group(address).contains(address), "{}", arguments(host));
    }
}

/// It was started by the entry that was chosen for once.
#[track_caller]
pub fn is_the_trial(host: &Host) {
    assert!(arguments(host).ends_with(" trial"), "{}", arguments(host));
}

/// It was started by the usual entry again.
#[track_caller]
pub fn is_the_usual(host: &Host) {
    assert!(!arguments(host).contains("trial"), "{}", arguments(host));
    host.until("test -b /dev/nvme0n1");
    host.sh("modprobe vfio-pci");
}

/// An entry in GRUB's menu for the next start only. Its initramfs, made by this command (`OUT` is its path), is to leave
/// the NVMe drive alone.
pub fn grub_trial(host: &Host, make_initramfs: &str) {
    const ENTRY: &[u8] = br#"#!/bin/sh
set -- /boot/vmlinuz-*
cat <<END
menuentry trial {
    search --set=root --label lab-root
    linux $1 root=LABEL=lab-root ro console=ttyS0 net.ifnames=0 systemd.show_status=0 quiet intel_iommu=on trial
    initrd /boot/initrd.trial
}
END
"#;
    host.write_file("/etc/grub.d/41_trial", ENTRY, 0o755).unwrap();
    host.sh("echo 'blacklist nvme' >/etc/modprobe.d/trial.conf");
    slowly(host, &make_initramfs.replace("OUT", "/boot/initrd.trial"));
    slowly(host, "update-grub");
    host.sh("grub-reboot trial; grub-editenv list | grep -x next_entry=trial; sync");
}

/// It was started so. Takes all of it away; the menu is made anew by whoever changes it next.
pub fn end_grub_trial(host: &Host) {
    is_the_trial(host);
    has_groups(host);
    assert_eq!(host.driver(NVME), "-");
    host.sh("rm /etc/modprobe.d/trial.conf /etc/grub.d/41_trial /boot/initrd.trial");
    assert_eq!(host.sh("grub-editenv list"), "next_entry=", "it was for once");
}

/// What takes longest in emulation; how long is printed.
#[track_caller]
pub fn slowly(host: &Host, command: &str) {
    let start = std::time::Instant::now();
    let output = host.run_within(command, b"", std::time::Duration::from_secs(400));
    let output = output.unwrap_or_else(|error| panic!("{error}"));
    assert!(output.success(), "{command}: {output:?}");
    println!("    {command}: {:.1} s", start.elapsed().as_secs_f64());
}

/// The power fails while `command` is at work.
pub fn power_fails_during(host: &Host, command: &str) {
    host.sh(&format!("sync; setsid {command} >/dev/null 2>&1 & sleep 2; kill -0 $!"));
    host.crash().unwrap();
}

/// The host is prepared for the NVMe drive, started anew and ready; all is taken back, and what `sources` prints is what
/// it was.
pub fn prepared_and_taken_back(host: &Host, sources: &str) {
    let before = host.sh(sources);
    slowly(host, &format!("passthru prepare {NVME} --yes"));
    host.reboot().unwrap();
    has_groups(host);
    assert_eq!(host.driver(NVME), "vfio-pci");
    host.ok(&format!("check {NVME}"));
    slowly(host, "passthru prepare --undo --yes");
    assert_eq!(host.sh(sources), before);
    host.reboot().unwrap();
    the_iommu_is_off(host);
    host.sh("modprobe vfio-pci");
}

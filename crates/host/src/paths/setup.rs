//! Where it says how the host is set up: what `check` and `prepare` read.

use std::path::PathBuf;

use model::setup::early::MODPROBE;
use model::setup::own::System;

use super::Root;

impl Root {
    /// The operating system (os-release(5)), in the order in which to try them.
    pub(crate) fn os_release(&self) -> [PathBuf; 2] {
        ["/etc/os-release", "/usr/lib/os-release"].map(|path| self.at(path))
    }

    /// Every interrupt with the name of its controller.
    pub(crate) fn interrupts(&self) -> PathBuf {
        self.proc("interrupts")
    }

    /// What the firmware calls the machine: `sys_vendor`, `product_name`.
    pub(crate) fn dmi(&self, name: &str) -> PathBuf {
        self.sys("devices/virtual/dmi/id").join(name)
    }

    /// Simultaneous multithreading: `control`, `active`.
    pub(crate) fn smt(&self, name: &str) -> PathBuf {
        self.sys("devices/system/cpu/smt").join(name)
    }

    /// A folder per processor.
    pub(crate) fn cpus(&self) -> PathBuf {
        self.sys("devices/system/cpu")
    }

    /// There on machines that were booted by UEFI.
    pub(crate) fn efi(&self) -> PathBuf {
        self.sys("firmware/efi")
    }

    /// A variable of UEFI's own (the UUID is EFI_GLOBAL_VARIABLE's, UEFI specification 3.3).
    pub(crate) fn efi_variable(&self, name: &str) -> PathBuf {
        self.efi().join(format!("efivars/{name}-8be4df61-93ca-11d2-aa0d-00e098032b8c"))
    }

    /// A file of the kernel's security framework: `lsm`, `lockdown`.
    pub(crate) fn security(&self, name: &str) -> PathBuf {
        self.sys("kernel/security").join(name)
    }

    /// Folders with one folder per active service: control groups of version 2, and of version 1.
    pub(crate) fn service_groups(&self) -> [PathBuf; 2] {
        ["system.slice", "systemd/system.slice"].map(|rest| self.sys("fs/cgroup").join(rest))
    }

    /// The same with one folder per user who has logged in.
    pub(crate) fn user_groups(&self) -> [PathBuf; 2] {
        ["user.slice", "systemd/user.slice"].map(|rest| self.sys("fs/cgroup").join(rest))
    }

    /// Where units are (systemd.unit(5), the system manager's path).
    pub(crate) fn units(&self) -> [PathBuf; 10] {
        [
            "/etc/systemd/system.control",
            "/run/systemd/system.control",
            "/etc/systemd/system",
            "/run/systemd/system",
            "/run/systemd/transient",
            "/run/systemd/generator",
            "/run/systemd/generator.late",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
        ]
        .map(|folder| self.at(folder))
    }

    /// Configuration of the X server, in the order in which it is read.
    pub(crate) fn xorg_folders() -> [&'static str; 2] {
        ["/usr/share/X11/xorg.conf.d", "/etc/X11/xorg.conf.d"]
    }

    /// The X server's one file of old.
    pub(crate) fn xorg_file() -> &'static str {
        "/etc/X11/xorg.conf"
    }

    /// The groups of users (group(5)).
    pub(crate) fn groups(&self) -> PathBuf {
        self.at("/etc/group")
    }

    /// Folders of modprobe's configuration, as text: a file in the first hides
    /// those of its name in the others (modprobe.d(5)).
    pub(crate) fn modprobe_texts() -> [String; 5] {
        MODPROBE.map(|folder| format!("/{folder}"))
    }

    /// The folder of the host's configuration, as text: files are named by it in plans.
    pub(crate) fn configuration_text() -> &'static str {
        "/etc"
    }

    /// GRUB's settings, and the folder of more of them.
    pub(crate) fn grub_settings() -> (&'static str, &'static str) {
        ("/etc/default/grub", "/etc/default/grub.d")
    }

    /// Where GRUB's menu may be, in the order in which to look.
    pub(crate) fn grub_menus() -> [&'static str; 2] {
        ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"]
    }

    /// Where each system on the partition that the firmware reads has its
    /// folder: Red Hat 8 has GRUB's menu there.
    pub(crate) fn esp_systems() -> &'static str {
        "/boot/efi/EFI"
    }

    /// Unified kernel images, on such a partition.
    pub(crate) fn unified_images(esp: &str) -> String {
        format!("{esp}/EFI/Linux")
    }

    /// Which installation this is (machine-id(5)).
    pub(crate) fn machine_id(&self) -> PathBuf {
        self.at("/etc/machine-id")
    }

    /// What the boot loader says that it is, where it says so: systemd-boot,
    /// and GRUB from 2.12 on (the Boot Loader Interface).
    pub(crate) fn loader_info(&self) -> PathBuf {
        self.efi().join("efivars/LoaderInfo-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
    }

    /// The entry that systemd-boot starts next, and once (the Boot Loader Interface).
    pub(crate) fn loader_once(&self) -> PathBuf {
        self.efi().join("efivars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f")
    }

    /// A block device by its number: what kind of volume it is.
    pub(crate) fn block_number(&self, (major, minor): (u32, u32)) -> PathBuf {
        self.sys("dev/block").join(format!("{major}:{minor}"))
    }

    /// There on POWER machines without a hypervisor below, which Petitboot boots.
    pub(crate) fn opal(&self) -> PathBuf {
        self.sys("firmware/opal")
    }

    /// Where system programs are.
    pub(crate) fn program_folders(&self) -> [PathBuf; 2] {
        ["/usr/sbin", "/usr/bin"].map(|path| self.at(path))
    }

    /// Kernels and what they are started with.
    pub(crate) fn boot(&self) -> PathBuf {
        self.at(Self::boot_text())
    }

    pub(crate) fn boot_text() -> &'static str {
        "/boot"
    }

    /// Where the EFI system partition, or what boots by its rules, may be mounted.
    pub(crate) fn esp_texts() -> [&'static str; 3] {
        ["/boot", "/efi", "/boot/efi"]
    }

    /// The line that `kernel-install` makes entries with.
    pub(crate) fn kernel_line() -> &'static str {
        "/etc/kernel/cmdline"
    }

    pub(crate) fn kernelstub() -> &'static str {
        "/etc/kernelstub/configuration"
    }

    pub(crate) fn extlinux() -> &'static str {
        "/boot/extlinux/extlinux.conf"
    }

    /// Debian's u-boot-update's settings, and the folders of more of them, in
    /// the order in which it sources them (u-boot-update(8)).
    pub(crate) fn u_boot_settings() -> (&'static str, [&'static str; 2]) {
        ("/etc/default/u-boot", ["/usr/share/u-boot-menu/conf.d", "/etc/u-boot-menu/conf.d"])
    }

    /// Systems that change boot arguments by a program of their own.
    pub(crate) fn own_ways() -> &'static [(&'static str, System)] {
        &[
            ("/run/ostree-booted", System::RpmOstree),
            ("/usr/sbin/transactional-update", System::TransactionalUpdate),
            ("/etc/NIXOS", System::NixOs),
            ("/etc/synoinfo.conf", System::Dsm),
            ("/etc/kernel/proxmox-boot-uuids", System::Proxmox),
        ]
    }
}

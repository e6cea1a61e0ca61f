//! What a page of the guide shows of machines that no lab has.

use lab::guide;

use crate::desk::{desktop, on};

const RELEASE: &str = "6.12.43+deb13-amd64";
const MENU: &str = "\
menuentry 'Debian GNU/Linux' $menuentry_id_option 'gnulinux-simple-1' {
\tlinux\t/boot/vmlinuz-6.12.43+deb13-amd64 root=UUID=1 ro quiet
\tinitrd\t/boot/initrd.img-6.12.43+deb13-amd64
}
";
const XORG: &str = "\
Section \"Device\"
    Identifier \"nvidia\"
    Driver \"nvidia\"
EndSection
";

/// The NVIDIA guide's desktop: the card has its maker's driver, X11 is told of it, and a service keeps it awake.
#[test]
fn the_nvidia_guides_way() {
    let desk = desktop()
        .file("proc/sys/kernel/osrelease", RELEASE)
        .file("etc/default/grub", "GRUB_DEFAULT=0\nGRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\n")
        .file("boot/grub/grub.cfg", MENU)
        .file("usr/sbin/grub-mkconfig", "")
        .file("usr/sbin/mkinitramfs", "")
        .file(&format!("boot/initrd.img-{RELEASE}"), "")
        .file(&format!("lib/modules/{RELEASE}/modules.builtin"), "")
        .file("etc/X11/xorg.conf.d/10-nvidia.conf", XORG)
        .unit("nvidia-persistenced.service", true)
        .file("sys/fs/cgroup/system.slice/nvidia-persistenced.service/cgroup.procs", "");
    let command = "prepare 01:00.0 --dry-run";
    let said = on(&desk, &command.split(' ').collect::<Vec<_>>());
    let transcript = format!("desk# passthru {command}\n{}{}", said.out, said.err);
    if let Err(error) = guide::check("docs/guide/prepare.md", "desk#", &transcript) {
        panic!("{error}\n\nwhat was seen:\n{transcript}");
    }
}

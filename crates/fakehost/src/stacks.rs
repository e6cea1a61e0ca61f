//! What machines boot by: each stack as a tree in one text.
//!
//! A text has words for people up to its first line with three equals signs;
//! from there on each such line begins a file of the tree, whose lines follow:
//!
//! ```text
//! === etc/default/grub          a file
//! === dir run/ostree-booted     a folder
//! === link boot/a -> b/c        a link
//! === image boot/initrd.img     an initramfs by the program that the tree has
//! === menu boot/grub/grub.cfg   a menu of GRUB's from what stands before it
//! === block boot/grub/grubenv   a file, filled up to 1024 bytes as GRUB does
//! === variable LoaderInfo       one of the Boot Loader Interface, a line
//! === copy boot/efi/a < boot/a  a file with another one's bytes
//! === remove proc/x             what every pretended machine has, and this not
//! ```

use std::path::Path;

use crate::generators::{variable, variable_text};
use crate::host::FakeHost;
use crate::machine::RELEASE;
use crate::presets::{self, address};
use crate::spec::FunctionSpec;

/// A stack by its name, and its text.
#[derive(Clone, Copy, Debug)]
pub struct Stack {
    pub name: &'static str,
    text: &'static str,
}

macro_rules! stacks {
    ($($name:literal),* $(,)?) => {
        &[$(Stack { name: $name, text: include_str!(concat!("../stacks/", $name, ".txt")) }),*]
    };
}

/// All of them.
pub const STACKS: &[Stack] = stacks![
    "debian-grub",
    "debian-grub-uefi",
    "ubuntu-grub",
    "fedora-bls",
    "rhel8-grubenv",
    "rhel8-uefi",
    "opensuse-grub",
    "arch-grub",
    "arch-systemd-boot",
    "arch-booster",
    "debian-systemd-boot",
    "pop-kernelstub",
    "u-boot-menu",
    "extlinux",
    "power9-petitboot",
    "power9-menu-only",
    "uki",
    "ostree",
    "microos",
    "nixos",
    "synology",
    "proxmox",
    "unknown",
];

/// The graphics card that is meant for guests on each of them.
pub const CARD: &str = "0000:65:00.0";

impl Stack {
    /// # Panics
    ///
    /// Where there is none of that name.
    pub fn named(name: &str) -> Self {
        let found = STACKS.iter().find(|stack| stack.name == name);
        *found.unwrap_or_else(|| panic!("there is no stack {name}"))
    }

    /// A machine that boots by it, whose IOMMU is off although the firmware
    /// offers one, and whose graphics card has `nouveau`.
    pub fn machine(self) -> FakeHost {
        let card = |bdf| FunctionSpec { driver: Some("nouveau".to_owned()), ..presets::gpu(bdf) };
        let host = FakeHost::new().without_iommu().root_port("0000:00:01.0", 0x65);
        let host = host.function(card(address(CARD))).with_audio();
        host.file("proc/cmdline", "BOOT_IMAGE=/vmlinuz root=UUID=4d574a87 ro quiet\n")
            .file("proc/cpuinfo", "vendor_id\t: GenuineIntel\n")
            .tree(self.text)
    }
}

impl FakeHost {
    /// Files, folders and links from a text as this module describes.
    #[must_use]
    pub fn tree(self, text: &str) -> Self {
        let text = text.replace("RELEASE", RELEASE);
        let mut parts = text.split("=== ").skip(1);
        parts.by_ref().for_each(|part| {
            let (head, content) = part.split_once('\n').unwrap_or((part, ""));
            self.part(head.trim(), content);
        });
        self
    }

    fn part(&self, head: &str, content: &str) {
        let state = self.shared.lock();
        let machine = &state.machine;
        let (word, rest) = head.split_once(' ').unwrap_or(("", head));
        let two = |between: &str| {
            let two = rest.split_once(between);
            two.unwrap_or_else(|| panic!("`{head}` is not understood"))
        };
        match word {
            "" => machine.tree.put(rest, content),
            "dir" => machine.tree.dir(rest),
            "link" => {
                let (at, to) = two(" -> ");
                machine.tree.raw_link(at, Path::new(to));
            }
            "image" => {
                let there = |program: &&str| machine.tree.exists(format!("usr/bin/{program}"));
                let mut programs = ["dracut", "mkinitcpio", "booster", "mkinitramfs"].into_iter();
                let program = programs.find(there).unwrap_or("mkinitramfs");
                machine.tree.put(rest, machine.image(program, RELEASE, false));
            }
            "menu" => machine.tree.put(rest, machine.menu(false)),
            "block" => {
                let mut block = content.as_bytes().to_vec();
                block.resize(1024, b'#');
                machine.tree.put(rest, block);
            }
            "variable" => {
                machine.tree.put(variable(rest), variable_text(content.trim_end()));
            }
            "copy" => {
                let (to, from) = two(" < ");
                machine.tree.put(to, machine.tree.bytes(from).unwrap_or_default());
            }
            "remove" => machine.tree.remove(rest),
            _ => panic!("`{head}` is not understood"),
        }
    }
}

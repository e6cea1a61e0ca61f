//! Systems that have ways of their own to say how they are started and set
//! up: passthru changes nothing in their stead, a person is told what to type.

use super::boot::Generator;

/// Such a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// Images of Fedora's (Silverblue, CoreOS, Bazzite).
    RpmOstree,
    /// SUSE's with a root that is read only (MicroOS, Leap Micro).
    TransactionalUpdate,
    NixOs,
    /// Synology's.
    Dsm,
    /// Proxmox VE, where it copies kernels to several partitions.
    Proxmox,
    /// systemd-boot with kernels that have the initramfs and the arguments inside.
    Unified,
}

impl System {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::RpmOstree => "rpm-ostree",
            Self::TransactionalUpdate => "transactional-update",
            Self::NixOs => "NixOS",
            Self::Dsm => "Synology DSM",
            Self::Proxmox => "proxmox-boot-tool",
            Self::Unified => "systemd-boot with unified kernel images",
        }
    }

    /// Whether it makes the rest of its configuration as well, from a source
    /// of its own: no file of it is changed.
    pub fn makes_all(self) -> bool {
        matches!(self, Self::NixOs | Self::Dsm)
    }

    /// Whether images of the initramfs are where no program but its own puts them.
    pub fn keeps_images(self) -> bool {
        matches!(self, Self::RpmOstree | Self::TransactionalUpdate)
    }

    /// What a person types where an image of the initramfs has to be another
    /// one, or was made anew and is to be booted.
    pub fn then(self, generator: Option<Generator>) -> Option<String> {
        Some(match self {
            Self::NixOs => "`nixos-rebuild boot`, when its configuration says all of this".to_owned(),
            Self::Dsm => return None,
            Self::RpmOstree => {
                "`rpm-ostree initramfs --enable`: the initramfs is made on this machine, with what was changed (where it is enabled, `rpm-ostree initramfs --disable` first)"
                    .to_owned()
            }
            Self::TransactionalUpdate => {
                "`transactional-update initrd`: the initramfs of the next snapshot is made, with what was changed".to_owned()
            }
            Self::Proxmox => {
                "`proxmox-boot-tool refresh` copies the image to where it is booted".to_owned()
            }
            Self::Unified => {
                let command = match generator {
                    Some(Generator::Mkinitcpio) => "mkinitcpio -P",
                    _ => "kernel-install add-all",
                };
                format!("`{command}` makes the unified kernel images anew, which have the initramfs and the arguments inside")
            }
        })
    }
}

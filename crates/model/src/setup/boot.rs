//! What the host boots by: the loader, kernels, images, and the files that say so.

use std::collections::BTreeMap;

use crate::fact::Fact;
use crate::file::Content;

/// What the host boots by.
#[derive(Clone, Debug, PartialEq)]
pub struct Boot {
    pub loader: Fact<Loader>,
    /// Which program makes the initramfs; `None` where there is none.
    pub generator: Fact<Option<Generator>>,
    /// Installed kernels with an initramfs, by release.
    pub images: BTreeMap<String, String>,
    /// The folder of the host's configuration (`/etc`), in which files of
    /// our own are made.
    pub configuration: String,
    /// The files that may have to be changed, by path; those that are not
    /// there are left out.
    pub files: BTreeMap<String, Content>,
}

/// Who starts the kernel, and what tells it how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loader {
    Grub(Grub),
    /// One that is not changed by passthru, by its name or by what is missing.
    Other(String),
}

/// GRUB with a menu that `grub-mkconfig` makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grub {
    /// Settings in the order in which they are sourced.
    pub settings: Vec<String>,
    /// The menu.
    pub menu: String,
    /// The program that makes it: `grub-mkconfig`, `grub2-mkconfig`.
    pub program: String,
}

/// The program that makes the initramfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    InitramfsTools,
    Dracut,
    Mkinitcpio,
    Booster,
}

impl Generator {
    /// Its name, as its package has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InitramfsTools => "initramfs-tools",
            Self::Dracut => "dracut",
            Self::Mkinitcpio => "mkinitcpio",
            Self::Booster => "booster",
        }
    }
}

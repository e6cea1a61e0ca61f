//! What the host boots by: the loader, kernels, images, and the files that say so.

use std::collections::BTreeMap;

use super::own::System;
use crate::boot::source::{EditError, Source, whole};
use crate::boot::udev_rules::{self, Rule};
use crate::fact::Fact;
use crate::file::Content;
use crate::ours::RULES;
use crate::step::Once;

pub use crate::boot::format::Format;

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

/// Who starts the kernel, and every file that tells it how. One without files
/// is not changed by passthru: a person is told what to do.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Loader {
    /// What people call it.
    pub name: String,
    /// GRUB's settings, in the order in which they are sourced.
    pub settings: Vec<String>,
    /// The menu that is made from them, or that somebody wrote.
    pub menu: Option<Menu>,
    /// What GRUB remembers from one boot to the next.
    pub environment: Option<String>,
    /// How it is told to start an entry once.
    pub chooser: Option<Chooser>,
    /// Other files with arguments.
    pub files: Vec<(String, Format)>,
    /// It has ways of its own.
    pub system: Option<System>,
}

impl Boot {
    /// The path of a file of the host's configuration.
    pub fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.configuration)
    }

    /// The rules of bindings that persist: they are in effect from the next
    /// boot on.
    ///
    /// # Errors
    ///
    /// Where somebody else wrote into the file.
    pub fn bindings(&self) -> Result<Vec<Rule>, EditError> {
        let path = self.path(RULES);
        let Some(file) = self.files.get(&path) else { return Ok(Vec::new()) };
        udev_rules::parse(Source::new(&path, &whole(&path, file)?))
    }
}

impl Loader {
    /// Whether it has files that say how the kernel is started. Systems
    /// without any (images, a NAS) have ways of their own.
    pub fn is_by_files(&self) -> bool {
        !self.settings.is_empty() || !self.files.is_empty()
    }

    /// Whether it makes all of its configuration.
    pub fn makes_all(&self) -> bool {
        self.system.is_some_and(System::makes_all)
    }

    /// Whether passthru changes its arguments. A menu that is read and not
    /// made here has no settings that come to anything.
    pub fn is_changed_here(&self) -> bool {
        self.is_by_files() && self.menu.as_ref().is_none_or(|menu| menu.program.is_some())
    }
}

/// GRUB's menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    pub path: String,
    /// What makes it from the settings: `grub-mkconfig`, `grub2-mkconfig`.
    /// None where boot loaders read the file that have no such program.
    pub program: Option<String>,
}

/// How a loader is told to start an entry once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chooser {
    pub by: Once,
    /// What it was told before.
    pub chosen: Option<String>,
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

//! What an initramfs image holds, as far as it decides which driver gets a
//! device at boot.
//!
//! In: the entries of its archives ([`Collector`]). Out: modules by kernel
//! release, texts of configuration files, who made the image. Never: a guess
//! for a file whose content is not known: that is a [`Fact`].

mod collect;
mod compression;
mod generator;

use std::collections::{BTreeMap, BTreeSet};

pub use collect::{Collector, LONGEST, is_configuration};
pub use compression::Compression;
pub use generator::Generator;

use crate::Fact;
use crate::fact::Why;

/// An image, read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Initramfs {
    /// In the order in which the kernel unpacks them.
    pub segments: Vec<Segment>,
    pub modules: BTreeSet<Module>,
    /// Of configuration files that were asked for, by name from the root.
    pub files: BTreeMap<String, File>,
    /// Names of udev's rules.
    pub rules: BTreeSet<String>,
    /// Who made it, if it is one of those that passthru knows.
    pub generator: Option<Generator>,
    /// What stands beside it in a unified kernel image; none for a plain one.
    pub unified: Option<Unified>,
    /// The text of a boot configuration behind it, which the kernel heeds if
    /// its command line says `bootconfig`; none if nothing is behind it.
    pub bootconfig: Option<String>,
}

/// A part of an image that is compressed as a whole, or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    pub compression: Compression,
    /// Where it begins in the file, and how long it is there; in bytes.
    pub offset: u64,
    pub length: u64,
    /// Bytes of its archives.
    pub unpacked: u64,
    /// Entries of its archives.
    pub entries: u64,
}

/// A kernel module in an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Module {
    /// As the kernel calls it: `vfio_pci`.
    pub name: String,
    /// For which kernel: the name of its folder. None outside of such folders.
    pub release: Option<String>,
}

/// A configuration file in an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    Text(Fact<String>),
    /// A symbolic link, and its target as it is written.
    Link(Fact<String>),
}

/// What a unified kernel image (UKI) says beside its initramfs.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Unified {
    /// The command line in it; none leaves it to the boot loader.
    pub cmdline: Option<String>,
    /// The kernel's release.
    pub uname: Option<String>,
}

/// Links that are followed before they count as a loop, as the kernel's
/// `MAXSYMLINKS`.
const LINKS: usize = 40;

impl Initramfs {
    /// Whether a module is in it, for whichever kernel. `-` and `_` are the same.
    pub fn has_module(&self, name: &str) -> bool {
        let name = module_name(name);
        self.modules.iter().any(|module| module.name == name)
    }

    /// The modules that a kernel of this release finds.
    pub fn modules_for(&self, release: &str) -> impl Iterator<Item = &str> {
        let of = move |module: &&Module| module.release.as_deref() == Some(release);
        self.modules.iter().filter(of).map(|module| module.name.as_str())
    }

    /// For which kernels it has modules.
    pub fn releases(&self) -> BTreeSet<&str> {
        self.modules.iter().filter_map(|module| module.release.as_deref()).collect()
    }

    /// The texts of the files directly in a folder (`etc/modprobe.d`), by name. A folder is
    /// asked for by its name from the root, and found behind `usr/` as well
    /// where distributions moved it.
    pub fn texts_in(&self, folder: &str) -> impl Iterator<Item = (&str, Fact<&str>)> {
        let within = move |name: &str| {
            let name = without_usr(name);
            let rest = name.strip_prefix(without_usr(folder))?.strip_prefix('/')?;
            (!rest.contains('/')).then_some(())
        };
        let names = self.files.keys().filter(move |name| within(name).is_some());
        names.map(|name| (name.as_str(), self.text(name)))
    }

    /// The text of a file, behind links as well.
    pub fn text(&self, name: &str) -> Fact<&str> {
        let mut name = name.to_owned();
        for _ in 0..LINKS {
            match self.files.get(&name) {
                None => return Fact::Unknown(Why::NotObserved),
                Some(File::Text(text)) => return text.as_ref().map(String::as_str),
                Some(File::Link(Fact::Unknown(why))) => return Fact::Unknown(why.clone()),
                Some(File::Link(Fact::Known(target))) => name = resolved(&name, target),
            }
        }
        Fact::Unknown(Why::Failed(format!("too many links behind `{name}`")))
    }
}

/// Where a link leads.
fn resolved(link: &str, target: &str) -> String {
    let folder = link.rsplit_once('/').map_or("", |(folder, _)| folder);
    let start = if target.starts_with('/') { "" } else { folder };
    let mut parts: Vec<&str> = start.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// `usr/lib` and `lib` are one folder where the distribution merged them, and
/// nobody keeps different things in the two.
fn without_usr(name: &str) -> &str {
    name.strip_prefix("usr/").unwrap_or(name)
}

/// A module's name as the kernel has it, from that of its file or from what a
/// person writes.
fn module_name(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests;

//! The formats in which a file has the arguments of kernels.
//!
//! In: a file and its format. Out: its arguments, or the same file with others.

use super::cmdline::{Change, is_recovery};
use super::source::{EditError, Source};
use super::{bls, extlinux, grub_cfg, kernel_cmdline, kernelstub};
use crate::file::Content;
use crate::ours::{ENTRY, is_entry};

/// How a file has the arguments of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An entry by the Boot Loader Specification.
    Entry,
    /// `kernel-install`'s line, of which new entries are made.
    Line,
    /// kernelstub's configuration (Pop!_OS).
    Kernelstub,
    /// `extlinux.conf`, of syslinux and of U-Boot.
    Extlinux,
    /// Settings that `u-boot-update` makes it from, in the order in which
    /// they are sourced.
    UBoot,
    /// GRUB's environment block, where entries refer to a variable in it.
    Environment,
}

impl Format {
    /// The file with other arguments. Two formats are not changed by
    /// themselves, and stay as they are: a block of GRUB's is more than text,
    /// and settings of `u-boot-update` count together.
    ///
    /// # Errors
    ///
    /// Where the file is not understood, or does not take the arguments.
    pub fn edited(self, source: Source<'_>, changes: &[Change]) -> Result<String, EditError> {
        match self {
            Self::Entry => bls::edit(source, changes),
            Self::Line => kernel_cmdline::edit(source, changes),
            Self::Kernelstub => kernelstub::edit(source, changes),
            Self::Environment | Self::UBoot => Ok(source.text.to_owned()),
            Self::Extlinux => {
                let menu = extlinux::parse(source.text);
                let labels = menu.entries.iter().filter(|entry| entry.kernel.is_some());
                let labels = labels.filter(|entry| !entry.label.starts_with(ENTRY));
                let mut text = source.text.to_owned();
                for entry in labels.filter(|entry| !is_recovery(&entry.arguments)) {
                    text = extlinux::edit(Source::new(source.name, &text), &entry.label, changes)?;
                }
                Ok(text)
            }
        }
    }

    /// The lines of arguments in a file, by the labels of its entries. The
    /// formats that are not changed by themselves have none: what is made from
    /// the one says it, and the step of the other.
    pub fn lines(self, source: Source<'_>) -> Vec<(String, String)> {
        let line = match self {
            Self::Entry => Some(bls::parse(source).options),
            Self::Line => Some(kernel_cmdline::arguments(source.text)),
            Self::Kernelstub => kernelstub::arguments(source).ok(),
            Self::Extlinux => {
                let entries = extlinux::parse(source.text).entries.into_iter();
                return entries.map(|entry| (entry.label, entry.arguments)).collect();
            }
            Self::UBoot | Self::Environment => None,
        };
        line.map(|line| (String::new(), line)).into_iter().collect()
    }
}

/// The kernels and images that a boot loader's file names, entries of ours
/// apart; nothing where it is no such file, or is not understood.
pub fn named(source: Source<'_>) -> Vec<String> {
    let (folder, name) = source.name.rsplit_once('/').unwrap_or_default();
    if folder.ends_with("/loader/entries") {
        let entry = bls::parse(source);
        let entry = Some(entry).filter(|entry| !is_entry(&entry.id));
        return entry
            .map(|entry| entry.kernel.into_iter().chain(entry.initrds))
            .into_iter()
            .flatten()
            .collect();
    }
    let is_theirs = |name: &str| !name.starts_with(ENTRY);
    if name == extlinux::FILE {
        let menu = extlinux::parse(source.text);
        let entries = menu.entries.iter().filter(|entry| is_theirs(&entry.label));
        let named =
            entries.flat_map(|entry| entry.kernel.as_deref().into_iter().chain(entry.initrds()));
        return named.map(str::to_owned).collect();
    }
    let menu = Some(source).filter(|_| name.ends_with(".cfg"));
    let menu = menu.and_then(|source| grub_cfg::parse(source).ok());
    let entries =
        menu.map(|menu| menu.entries).into_iter().flatten().filter(|entry| is_theirs(&entry.id));
    let named = entries
        .flat_map(|entry| entry.kernels.into_iter().map(|kernel| kernel.path).chain(entry.initrds));
    named.filter(|name| name.starts_with('/')).collect()
}

/// A menu that is one file, without the entries of ours that it was left with:
/// whoever makes it anew leaves them out, and they go in any case.
pub fn without_ours(path: &str, left: &Content, file: &Content) -> Content {
    let text = |content: &Content| String::from_utf8(content.0.clone()).ok();
    let texts = text(left).zip(text(file)).filter(|_| path.ends_with(extlinux::FILE));
    let Some((left, file)) = texts else { return file.clone() };
    let without = |text: String, entry: String| text.replacen(&entry, "", 1);
    Content::from(&*extlinux::labels(&left, ENTRY).into_iter().fold(file, without))
}

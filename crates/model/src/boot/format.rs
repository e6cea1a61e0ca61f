//! The formats in which a file has the arguments of kernels.
//!
//! In: a file and its format. Out: its arguments, or the same file with others.

use super::cmdline::{Change, is_recovery};
use super::source::{EditError, Source};
use super::{bls, extlinux, kernel_cmdline, kernelstub};
use crate::ours::ENTRY;

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

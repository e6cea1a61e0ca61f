//! Which program made an image, by what only that program puts into it.
//!
//! In: names of entries. Out: a generator. Never: the host's own packages:
//! an image may come from elsewhere.

use std::fmt;

/// Programs that make images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generator {
    Mkinitcpio,
    Booster,
    InitramfsTools,
    Dracut,
}

/// What a generator leaves behind.
struct Trace {
    generator: Generator,
    name: &'static str,
    /// A file or folder of that name, or whatever begins so.
    whole: bool,
}

const fn file(generator: Generator, name: &'static str) -> Trace {
    Trace { generator, name, whole: true }
}

const fn begins(generator: Generator, name: &'static str) -> Trace {
    Trace { generator, name, whole: false }
}

/// The first that is found counts: files of dracut lie in images of others as
/// well, which bring systemd's parts of it.
const TRACES: &[Trace] = &[
    file(Generator::Booster, "etc/booster.init.yaml"),
    file(Generator::Mkinitcpio, "buildconfig"),
    file(Generator::InitramfsTools, "conf/initramfs.conf"),
    file(Generator::InitramfsTools, "scripts/functions"),
    begins(Generator::Dracut, "usr/lib/dracut/"),
    begins(Generator::Dracut, "lib/dracut/"),
];

impl Generator {
    /// How much a name says, the least first: its place among the traces.
    pub(super) fn trace(name: &str) -> Option<usize> {
        TRACES.iter().position(|trace| match trace.whole {
            true => name == trace.name,
            false => name.starts_with(trace.name),
        })
    }

    pub(super) fn of(trace: usize) -> Option<Self> {
        TRACES.get(trace).map(|trace| trace.generator)
    }
}

impl fmt::Display for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mkinitcpio => "mkinitcpio",
            Self::Booster => "booster",
            Self::InitramfsTools => "initramfs-tools",
            Self::Dracut => "dracut",
        })
    }
}

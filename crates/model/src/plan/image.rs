//! Images of the initramfs, made anew where something that they have a copy
//! of changes.
//!
//! In: what the host boots by, and what must be in an image. Out: a [`Made`]
//! per kernel that may be booted next: the one that runs, and the newest.

use std::collections::{BTreeMap, BTreeSet};

use crate::boot::version;
use crate::file::Content;
use crate::setup::boot::{Boot, Generator};
use crate::snapshot::Snapshot;
use crate::step::{Made, Wanted};

/// What must be in an image.
#[derive(Clone, Debug, Default)]
pub(super) struct Contents {
    /// Modules.
    pub with: Vec<String>,
    /// Modules that must not be in it.
    pub without: Vec<String>,
    /// Copies of files, by path.
    pub files: BTreeMap<String, Content>,
}

/// Who makes images here.
pub(super) fn generator(boot: &Boot) -> Option<Generator> {
    boot.generator.known().copied().flatten()
}

/// Every image that is to be made anew.
pub(super) fn images(snapshot: &Snapshot, boot: &Boot, contents: &Contents) -> Vec<Made> {
    let Some(generator) = generator(boot) else { return Vec::new() };
    let running = snapshot.machine.kernel.known();
    let newest = boot.images.keys().max_by(|one, other| version::compare(one, other));
    let releases: BTreeSet<&String> =
        running.into_iter().chain(newest).filter(|name| boot.images.contains_key(*name)).collect();
    let made = releases.into_iter().map(|release| {
        let Contents { with, without, files } = contents.clone();
        let wanted = Wanted::Initramfs { with, without, files };
        Made::new(&boot.images[release], command(generator, release), wanted)
    });
    made.collect()
}

/// How the image of a kernel is made.
fn command(generator: Generator, release: &str) -> Vec<String> {
    let words: &[&str] = match generator {
        Generator::InitramfsTools => &["mkinitramfs", "-o", Made::OUT, release],
        Generator::Dracut => &["dracut", "--force", Made::OUT, release],
        Generator::Mkinitcpio => &["mkinitcpio", "-k", release, "-g", Made::OUT],
        Generator::Booster => {
            &["booster", "build", "--force", "--kernel-version", release, Made::OUT]
        }
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

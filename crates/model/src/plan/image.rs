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

/// Who makes images here, if it is known how to ask for one.
pub(super) fn generator(boot: &Boot) -> Option<Generator> {
    let known = boot.generator.known().copied().flatten();
    known.filter(|generator| command(*generator, "").is_some())
}

/// Every image that is to be made anew.
pub(super) fn images(snapshot: &Snapshot, boot: &Boot, contents: &Contents) -> Vec<Made> {
    let Some(generator) = generator(boot) else { return Vec::new() };
    let running = snapshot.machine.kernel.known();
    let newest = boot.images.keys().max_by(|one, other| version::compare(one, other));
    let releases: BTreeSet<&String> =
        running.into_iter().chain(newest).filter(|name| boot.images.contains_key(*name)).collect();
    let made = releases.into_iter().filter_map(|release| {
        let Contents { with, without, files } = contents.clone();
        let wanted = Wanted::Initramfs { with, without, files };
        Some(Made::new(&boot.images[release], command(generator, release)?, wanted))
    });
    made.collect()
}

/// How the image of a kernel is made.
///
/// Booster is told what to take along in one file with all else, which is not edited here.
fn command(generator: Generator, release: &str) -> Option<Vec<String>> {
    let words: &[&str] = match generator {
        Generator::InitramfsTools => &["mkinitramfs", "-o", Made::OUT, release],
        Generator::Dracut => &["dracut", "--force", Made::OUT, release],
        Generator::Mkinitcpio => &["mkinitcpio", "-k", release, "-g", Made::OUT],
        Generator::Booster => return None,
    };
    Some(words.iter().map(|word| (*word).to_owned()).collect())
}

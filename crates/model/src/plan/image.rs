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
    let releases: BTreeSet<&String> = running.into_iter().chain(newest).collect();
    let images = releases.into_iter().filter_map(|name| boot.images.get_key_value(name));
    images.map(|(release, path)| made(generator, (release, path), contents)).collect()
}

/// Images that have a copy of a file that goes, by their paths: those that
/// somebody made while it was there. They are made once more.
pub fn anew(boot: &Boot, has_copy: impl Fn(&str) -> bool) -> Vec<Made> {
    let Some(generator) = generator(boot) else { return Vec::new() };
    let stale = boot.images.iter().filter(|(_, path)| has_copy(path));
    stale.map(|image| made(generator, image, &Contents::default())).collect()
}

fn made(generator: Generator, (release, path): (&String, &String), contents: &Contents) -> Made {
    let Contents { with, without, files } = contents.clone();
    Made::new(path, command(generator, release), Wanted::Initramfs { with, without, files })
}

/// Images that [`images`] leaves as they are, said: their entries in the menu
/// are started with the new arguments, and nothing else of what is new.
pub(super) fn left(boot: &Boot, made: &[Made]) -> Option<String> {
    let is_left = |path: &&String| made.iter().all(|made| made.path != **path);
    let left: Vec<&str> = boot.images.values().filter(is_left).map(String::as_str).collect();
    let is_some = !made.is_empty() && !left.is_empty();
    is_some.then(|| {
        format!(
            "{} {} as before, for a kernel to go back to: in it the host's drivers are as free as they were",
            left.join(", "),
            if left.len() == 1 { "stays" } else { "stay" }
        )
    })
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

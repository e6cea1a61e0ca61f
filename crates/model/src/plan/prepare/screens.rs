//! What makes the X server take cards that are to go.
//!
//! The X server reads all files of both of its folders as one: a file of the
//! administrator's folder hides none of the packages' (xorg.conf(5)). So each
//! file that is about such cards alone is emptied, wherever it is, as a
//! person would do it; one in which more is said is left to a person.

use super::Preparation;
use crate::check::NVIDIA;
use crate::parse::setup::xorg_is_only;
use crate::plan::write;
use crate::setup::boot::{Boot, Loader};

/// What is left of a file that was set aside.
const ASIDE: &str = "# Set aside by `passthru prepare`: it made the X server take NVIDIA's cards.\n# `passthru prepare --undo` puts it back.\n";

pub(super) fn set_aside(paths: &[String], boot: &Boot, preparation: &mut Preparation) {
    // What packages bring may not be written to where a system has ways of its own.
    let by_files = boot.loader.known().is_some_and(Loader::is_by_files);
    let is_configuration = |path: &str| path.starts_with(&boot.path(""));
    for path in paths {
        let only = boot.files.get(path).is_some_and(|file| xorg_is_only(&file.text(), NVIDIA));
        if only && (is_configuration(path) || by_files) {
            preparation.steps.extend(write(boot, path, Some(ASIDE)));
            continue;
        }
        let why = if only { "this system has ways of its own" } else { "it says more than that" };
        preparation.by_hand.push(format!(
            "take what names NVIDIA's driver out of {path} ({why}): it makes the display server take NVIDIA's cards"
        ));
    }
}

//! How a file stands that a step left behind.
//!
//! In: a step that was done. Out: whether its file is as it was left, or what
//! it lacks now. Never: a look into an image that is still the one that was
//! made, as that takes time.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use model::boot::format::without_ours as theirs;
use model::file::Content;
use model::setup::planned::Stands;
use model::step::{Made, Wanted};
use model::{Fact, Step, Why};

use super::look;
use super::made::note_of;
use crate::paths::Root;
use crate::read;
use crate::setup::grub_variable;

/// How the file of a step stands; nothing for a step without one.
pub fn stands(root: &Root, step: &Step) -> Option<Fact<Stands>> {
    let found = match step {
        Step::WriteFile { path, to, .. } => match (fs::read(root.at(path)).map(Content), to) {
            (Ok(found), Some(to)) if theirs(path, to, &found) == theirs(path, to, to) => {
                Ok(Stands::AsLeft)
            }
            (Ok(_), _) => Ok(Stands::Changed(None)),
            (Err(error), to) if error.kind() == io::ErrorKind::NotFound => {
                Ok(if to.is_some() { Stands::Gone } else { Stands::AsLeft })
            }
            (Err(error), _) => Err(why(&error)),
        },
        Step::SetGrubVariable { path, name, to, .. } => {
            Ok(match grub_variable(root, path, name) == *to {
                true => Stands::AsLeft,
                false => Stands::Changed(None),
            })
        }
        Step::Make(made) => made_stands(&root.at(&made.path), made),
        _ => return None,
    };
    Some(found.into())
}

fn made_stands(path: &Path, made: &Made) -> Result<Stands, Why> {
    // Beside the file itself, where its name is a link.
    let path = match path.canonicalize() {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Stands::Gone),
        Err(error) => return Err(why(&error)),
    };
    File::open(&path).map_err(|error| why(&error))?;
    let lacks = match &made.wanted {
        Wanted::Menu { arguments } => look::menu(&path, arguments).err(),
        Wanted::Initramfs { .. } if is_older(&path, &note_of(&path, made.layer)) => None,
        Wanted::Initramfs { with, without, files } => {
            look::initramfs(&path, (with, without), files).err()
        }
    };
    Ok(lacks.map_or(Stands::AsLeft, |lacks| Stands::Changed(Some(lacks))))
}

/// Whether a file was written before the note on it: then
/// nobody made it anew since.
fn is_older(path: &Path, note: &Path) -> bool {
    let written = |path: &Path| fs::metadata(path).and_then(|found| found.modified());
    written(path).is_ok_and(|file| written(note).is_ok_and(|note| file <= note))
}

fn why(error: &io::Error) -> Why {
    read::why(error.raw_os_error().unwrap_or_default())
}

//! What decides about drivers at boot: what modprobe is told, on the disk and
//! in the copy that the initramfs has.
//!
//! In: a root directory, the kernel that runs, what the host boots by. Out:
//! rules and modules. Never: an image that nobody asked for, as reading one
//! takes time; one of another machine.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use model::boot::initramfs::is_configuration;
use model::boot::modprobe::{File, Settings};
use model::setup::boot::Boot;
use model::setup::early::Early;
use model::snapshot::Snapshot;
use model::{Fact, Why};

use crate::initramfs;
use crate::paths::Root;
use crate::read;

/// What modprobe is told. Where distributions made two of its folders one,
/// each file is read once.
pub(super) fn modprobe(root: &Root) -> Fact<Settings> {
    let mut texts: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut found = false;
    for folder in Root::modprobe_texts() {
        let names = match read::names(&root.at(&folder)) {
            Ok(names) => names,
            Err(Why::NotProvided) => continue,
            Err(why) => return Fact::Unknown(why),
        };
        found = true;
        for name in names {
            if !Settings::is_read(&name) || texts.contains_key(&name) {
                continue;
            }
            match text(root, &root.at(&folder).join(&name)) {
                Ok(Some(text)) => drop(texts.insert(name, (folder.clone(), text))),
                Ok(None) => {}
                Err(why) => return Fact::Unknown(why),
            }
        }
    }
    if !found && root.is_recorded() {
        return Fact::Unknown(Why::NotRecorded);
    }
    let files: Vec<File<'_>> =
        texts.iter().map(|(name, (folder, text))| File { folder, name, text }).collect();
    Settings::read(&files).into()
}

/// What is in a file; none behind a link to nothing. A device hides files of
/// its name, and says nothing (`ln -s /dev/null`).
fn text(root: &Root, path: &Path) -> Result<Option<String>, Why> {
    match fs::metadata(path) {
        Ok(found) if !found.is_file() => Ok(Some(String::new())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        _ => super::text(root, path).map(Some),
    }
}

/// Whether an image has a file by this name, whatever it says. One that cannot
/// be read has none.
pub fn has_copy(root: &Root, image: &str, path: &str) -> bool {
    let name = path.trim_start_matches('/');
    let read = initramfs::read(&root.at(image), |file| file == name);
    read.is_ok_and(|read| read.text(name).known().is_some())
}

/// The initramfs of the kernel that runs.
pub(super) fn early(root: &Root, snapshot: &Snapshot, boot: &Boot) -> Fact<Early> {
    if root.is_recorded() {
        return Fact::Unknown(Why::NotRecorded);
    }
    let release = match &snapshot.machine.kernel {
        Fact::Known(release) => release,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let Some(path) = boot.images.get(release) else {
        return Fact::Unknown(Why::Failed(format!("no image of Linux {release} was found")));
    };
    match initramfs::read(&root.at(path), is_configuration) {
        Ok(image) => Early::of(path, &image, release),
        Err(error) => Fact::Unknown(error.why()),
    }
}

//! More entries in the boot menu: one with other arguments that is booted
//! once, and one with the image that was there before.
//!
//! In: the menu, and what it should start otherwise. Out: steps that add a
//! copy of the usual entry, and leave every other as it is. Never: another
//! default; where it cannot be told which entry is the usual one, a person is
//! told what to do.

mod old_image;
mod once;

pub(super) use old_image::old_image;
pub(super) use once::testing;

use crate::boot::bls::{self, Entry};
use crate::boot::grub_cfg::Menu;
use crate::boot::grubenv::Environment;
use crate::boot::loader_conf;
use crate::boot::source::Source;
use crate::setup::boot::{Boot, Format, Loader};

/// The entry that boots where nobody chooses, by its place; what was chosen
/// for once does not count.
fn usual(menu: &Menu, boot: &Boot) -> Option<usize> {
    let mut environment = environment(boot);
    environment.unset("next_entry");
    let entry = menu.default_entry(&environment).ok().flatten()?;
    menu.entries.iter().position(|other| other == entry)
}

/// What GRUB remembers.
fn environment(boot: &Boot) -> Environment {
    let path = boot.loader.known().and_then(|loader| loader.environment.as_ref());
    let block = path.and_then(|path| boot.files.get(path));
    block.and_then(|block| Environment::parse(&block.0).ok()).unwrap_or_default()
}

/// How GRUB is told of an entry, with the submenus before it: `>` leads into
/// one, and is doubled in a name.
fn spec(menu: &Menu, entry: usize, id: &str) -> String {
    let mut names = vec![id.replace('>', ">>")];
    let mut at = menu.entries[entry].parent;
    while let Some(parent) = at {
        names.insert(0, menu.entries[parent].id.replace('>', ">>"));
        at = menu.entries[parent].parent;
    }
    names.join(">")
}

/// The entry by the Boot Loader Specification that starts the kernel that
/// boots by default: its path.
fn usual_entry(loader: &Loader, boot: &Boot) -> Option<String> {
    let paths = loader.files.iter().filter(|(_, format)| *format == Format::Entry);
    let entries: Vec<(&String, Entry)> = paths
        .filter_map(|(path, _)| {
            Some((path, bls::parse(Source::new(path, &boot.files.get(path)?.text()))))
        })
        .collect();
    let saved = environment(boot).get("saved_entry").map(str::to_owned);
    if let Some((path, _)) = entries.iter().find(|(_, entry)| Some(&entry.id) == saved.as_ref()) {
        return Some((*path).clone());
    }
    let (settings, _) = entries.first()?.0.rsplit_once("/entries/")?;
    let settings = boot.files.get(&format!("{settings}/loader.conf"));
    let settings = settings.map(|file| loader_conf::parse(&file.text())).unwrap_or_default();
    let all: Vec<Entry> = entries.iter().map(|(_, entry)| entry.clone()).collect();
    let usual = loader_conf::default_entry(&settings, &all).ok().flatten()?;
    let found = entries.iter().find(|(_, entry)| entry == usual);
    found.map(|(path, _)| (*path).clone())
}

/// The path of another entry's file in the same folder.
fn beside(path: &str, id: &str) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap_or_default();
    format!("{folder}/{id}.conf")
}

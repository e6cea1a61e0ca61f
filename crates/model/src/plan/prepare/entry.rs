//! More entries in the boot menu: one with other arguments that is booted
//! once, and one with the image that was there before.
//!
//! In: the menu, and what it should start otherwise. Out: steps that add a
//! copy of the usual entry, and leave every other as it is. Never: another
//! default; where it cannot be told which entry is the usual one, a person is
//! told what to do.

use super::{Preparation, write};
use crate::boot::bls::{self, Entry};
use crate::boot::cmdline::{Change, is_recovery};
use crate::boot::grub_cfg::{self, Copy, Menu};
use crate::boot::grubenv::Environment;
use crate::boot::source::{EditError, Source};
use crate::boot::{extlinux, loader_conf};
use crate::setup::boot::{Boot, Chooser, Format, Loader};
use crate::step::{Made, Step, Wanted};

/// What the names of entries of ours begin with. They start no kernel that
/// anybody else's preparation has to see to.
pub const OURS: &str = "passthru-";
const TESTING: &str = "passthru-testing";
const OLD_IMAGE: &str = "passthru-old-image";
/// How the name of an entry's file begins: a first part of one letter sorts
/// behind all others (`bls::compare`), of which the first is the usual one.
const LAST: &str = "a-";
/// The script that has GRUB's menu made with an entry of ours, in the folder
/// of the configuration.
pub const SCRIPT: &str = "grub.d/42_passthru";

/// Whether an entry by the Boot Loader Specification is one of ours, by its id.
pub fn is_ours(id: &str) -> bool {
    id.strip_prefix(LAST).is_some_and(|id| id.starts_with(OURS))
}

/// An entry with other arguments, which is booted once.
pub(super) fn testing(
    changes: &[Change],
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<(), EditError> {
    if changes.is_empty() {
        return Ok(());
    }
    preparation.reboot = true;
    let Some(loader) = boot.loader.known() else {
        preparation.by_hand.push(by_hand("the boot loader", changes));
        return Ok(());
    };
    let entry = match loader {
        Loader { menu: Some(menu), .. } => in_menu(&menu.path, changes, boot, preparation)?,
        _ if has_entries(loader) => as_file(loader, changes, boot, preparation)?,
        _ => in_extlinux(loader, changes, boot, preparation)?,
    };
    match (entry, &loader.chooser) {
        (None, _) => preparation.by_hand.push(by_hand(&loader.name, changes)),
        (Some((id, _)), Some(Chooser { by, chosen })) => {
            let to = Some(by.name_of(&id));
            if *chosen != to {
                let (by, from) = (by.clone(), chosen.clone());
                preparation.steps.push(Step::BootOnce { by, from, to });
            }
        }
        (Some((_, title)), None) => preparation.by_hand.push(format!(
            "choose `{title}` in the boot menu of {} at the next start",
            loader.name
        )),
    }
    Ok(())
}

fn by_hand(loader: &str, changes: &[Change]) -> String {
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    format!(
        "start the kernel once with other arguments, by the menu of {loader}: {}",
        told.join(", ")
    )
}

fn title_of(title: &str) -> String {
    format!("{title} - passthru testing")
}

/// A copy in GRUB's menu itself: boot loaders that only read it (Petitboot)
/// see it as well, and whoever makes the menu anew takes it away. Its name
/// with the submenus before it, and its title.
fn in_menu(
    path: &str,
    changes: &[Change],
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<Option<(String, String)>, EditError> {
    let Some(content) = boot.files.get(path) else { return Ok(None) };
    let text = content.text();
    let source = Source::new(path, &text);
    let read = grub_cfg::parse(source)?;
    // One of an earlier trial goes.
    let text = match read.entries.iter().any(|entry| entry.id == TESTING) {
        true => grub_cfg::without_entry(source, TESTING)?,
        false => text.to_string(),
    };
    let source = Source::new(path, &text);
    let read = grub_cfg::parse(source)?;
    let Some(usual) = usual(&read, boot) else { return Ok(None) };
    let title = title_of(&read.entries[usual].title);
    let which = spec(&read, usual, &read.entries[usual].id);
    let copy = Copy { title: &title, id: TESTING, changes };
    let text = grub_cfg::insert_copy(source, &which, copy)?;
    preparation.steps.extend(write(boot, path, Some(&text)));
    Ok(Some((spec(&read, usual, TESTING), title)))
}

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

fn has_entries(loader: &Loader) -> bool {
    loader.files.iter().any(|(_, format)| *format == Format::Entry)
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

/// A file of its own beside the one that it is a copy of.
fn as_file(
    loader: &Loader,
    changes: &[Change],
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<Option<(String, String)>, EditError> {
    let Some(path) = usual_entry(loader, boot) else { return Ok(None) };
    let text = boot.files.get(&path).map(|file| file.text().into_owned()).unwrap_or_default();
    let source = Source::new(&path, &text);
    let title = title_of(&bls::parse(source).title.unwrap_or_else(|| "Linux".to_owned()));
    let copy = without_sort_key(&bls::copy(source, &title, changes)?);
    let id = format!("{LAST}{TESTING}");
    preparation.steps.extend(write(boot, &beside(&path, &id), Some(&copy)));
    Ok(Some((id, title)))
}

/// The path of another entry's file in the same folder.
fn beside(path: &str, id: &str) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap_or_default();
    format!("{folder}/{id}.conf")
}

/// An entry without a key comes behind those with one.
fn without_sort_key(text: &str) -> String {
    let is_key = |line: &&str| line.trim_start().starts_with("sort-key");
    text.split_inclusive('\n').filter(|line| !is_key(line)).collect()
}

fn in_extlinux(
    loader: &Loader,
    changes: &[Change],
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<Option<(String, String)>, EditError> {
    let file = loader.files.iter().find(|(_, format)| *format == Format::Extlinux);
    let Some((path, content)) = file.and_then(|(path, _)| Some((path, boot.files.get(path)?)))
    else {
        return Ok(None);
    };
    let text = content.text();
    let menu = extlinux::parse(&text);
    let first = || menu.entries.iter().find(|entry| !is_recovery(&entry.arguments));
    let Some(usual) = menu.default_entry().or_else(first) else { return Ok(None) };
    let title = title_of(usual.title.as_deref().unwrap_or(&usual.label));
    let source = Source::new(path, &text);
    let edited = extlinux::insert_copy(source, &usual.label, (TESTING, &title), changes)?;
    preparation.steps.extend(write(boot, path, Some(&edited)));
    Ok(Some((TESTING.to_owned(), title)))
}

/// An entry with the image as it was, where one is made anew: for the case
/// that the new one does not start.
pub(super) fn old_image(boot: &Boot, preparation: &mut Preparation) {
    let made = |step: &Step| match step {
        Step::Make(Made { path, wanted: Wanted::Initramfs { .. }, .. }) => {
            Some(path.rsplit_once('/')?.1.to_owned())
        }
        _ => None,
    };
    let images: Vec<String> = preparation.steps.iter().filter_map(made).collect();
    let Some(loader) = boot.loader.known().filter(|_| !images.is_empty()) else { return };
    let step = match &loader.menu {
        Some(menu) if menu.program.is_some() => script(&menu.path, &images, boot),
        Some(_) => None,
        None => entry_file(loader, &images, boot),
    };
    preparation.steps.extend(step);
}

const BEFORE: &str = "before passthru";

/// A script that GRUB's menu is made with.
fn script(menu: &str, images: &[String], boot: &Boot) -> Option<Step> {
    let path = format!("{}/{SCRIPT}", boot.configuration);
    if boot.files.contains_key(&path) {
        // Of an earlier preparation: older still.
        return None;
    }
    let text = boot.files.get(menu)?.text();
    let source = Source::new(menu, &text);
    let read = grub_cfg::parse(source).ok()?;
    let usual = usual(&read, boot)?;
    let entry = &read.entries[usual];
    let which = spec(&read, usual, &entry.id);
    let title = format!("{} - {BEFORE}", entry.title);
    let copy = Copy { title: &title, id: OLD_IMAGE, changes: &[] };
    let copy = grub_cfg::copy_entry(source, &which, copy).ok()?;
    let copy = with_old(&copy, &entry.initrds, images)?;
    let text = format!("#!/bin/sh\n{}cat <<'END_OF_ENTRY'\n{copy}END_OF_ENTRY\n", super::HEADING);
    write(boot, &path, Some(&text))
}

/// An entry by the Boot Loader Specification.
fn entry_file(loader: &Loader, images: &[String], boot: &Boot) -> Option<Step> {
    let usual = usual_entry(loader, boot)?;
    let path = beside(&usual, &format!("{LAST}{OLD_IMAGE}"));
    if boot.files.contains_key(&path) {
        return None;
    }
    let text = boot.files.get(&usual)?.text();
    let source = Source::new(&usual, &text);
    let entry = bls::parse(source);
    let title = format!("{} - {BEFORE}", entry.title.as_deref().unwrap_or("Linux"));
    let copy = without_sort_key(&bls::copy(source, &title, &[]).ok()?);
    write(boot, &path, Some(&with_old(&copy, &entry.initrds, images)?))
}

/// An entry that starts with the image that is kept.
fn with_old(entry: &str, initrds: &[String], images: &[String]) -> Option<String> {
    let (folder, name) = initrds.iter().find_map(|initrd| {
        let (folder, name) = initrd.rsplit_once('/')?;
        images.iter().any(|image| image == name).then_some((folder, name))
    })?;
    let old = format!("{folder}/{}", Made::beside(name, "old"));
    Some(entry.replace(&format!("{folder}/{name}"), &old))
}

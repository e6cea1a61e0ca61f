//! An entry with the image of before.

use super::super::Preparation;
use super::{beside, spec};
use crate::boot::bls;
use crate::boot::extlinux;
use crate::boot::grub_cfg::{self, Copy};
use crate::boot::source::{Source, whole};
use crate::ours::{LAST, PREPARED, SCRIPT};
use crate::plan::write;
use crate::setup::boot::{Boot, Loader};
use crate::setup::usual;
use crate::step::{Made, Step, Wanted};

/// Its id.
const OLD_IMAGE: &str = "passthru-old-image";

/// An entry with the image as it was, where one is made anew: for the case
/// that the new one does not start.
pub(in crate::plan::prepare) fn old_image(boot: &Boot, preparation: &mut Preparation) {
    let images = made(preparation);
    let Some(loader) = boot.loader.known().filter(|_| !images.is_empty()) else { return };
    let step = match &loader.menu {
        Some(menu) if menu.program.is_some() => script(&menu.path, &images, boot),
        Some(_) => None,
        None => entry_file(loader, &images, boot),
    };
    preparation.steps.extend(step);
}

const BEFORE: &str = "before passthru";

/// The names of the images that are made anew.
fn made(preparation: &Preparation) -> Vec<String> {
    let made = |step: &Step| match step {
        Step::Make(Made { path, wanted: Wanted::Initramfs { .. }, .. }) => {
            Some(path.rsplit_once('/')?.1.to_owned())
        }
        _ => None,
    };
    preparation.steps.iter().filter_map(made).collect()
}

/// The menu of extlinux with such an entry, before anything else changes in
/// it: it is one file. Nothing where it needs none, or has one already.
pub(in crate::plan::prepare) fn old_image_label(
    menu: Source<'_>,
    preparation: &Preparation,
) -> Option<String> {
    let images = made(preparation);
    let read = extlinux::parse(menu.text);
    let usual = usual::label(&read)?;
    if read.entry(OLD_IMAGE).is_some() {
        return None;
    }
    let initrds: Vec<String> = usual.initrds().map(str::to_owned).collect();
    let initrd = with_old(&initrds.join(","), &initrds, &images)?;
    let title = format!("{} - {BEFORE}", usual.title.as_deref().unwrap_or(&usual.label));
    let text = extlinux::insert_copy(menu, &usual.label, (OLD_IMAGE, &title), &[]).ok()?;
    Some(extlinux::with_initrd(Source::new(menu.name, &text), OLD_IMAGE, &initrd))
}

/// A script that GRUB's menu is made with.
fn script(menu: &str, images: &[String], boot: &Boot) -> Option<Step> {
    let path = boot.path(SCRIPT);
    if boot.files.contains_key(&path) {
        // Of an earlier preparation: older still.
        return None;
    }
    let text = whole(menu, boot.files.get(menu)?).ok()?;
    let source = Source::new(menu, &text);
    let read = grub_cfg::parse(source).ok()?;
    let usual = usual::in_menu(&read, boot)?;
    let entry = &read.entries[usual];
    let which = spec(&read, usual, &entry.id);
    let title = format!("{} - {BEFORE}", entry.title);
    let copy = Copy { title: &title, id: OLD_IMAGE, changes: &[] };
    let copy = grub_cfg::copy_entry(source, &which, copy).ok()?;
    let copy = with_old(&copy, &entry.initrds, images)?;
    let text = format!("#!/bin/sh\n{}cat <<'END_OF_ENTRY'\n{copy}END_OF_ENTRY\n", PREPARED);
    write(boot, &path, Some(&text))
}

/// An entry by the Boot Loader Specification.
fn entry_file(loader: &Loader, images: &[String], boot: &Boot) -> Option<Step> {
    let usual = usual::entry(loader, boot)?;
    let path = beside(&usual, &format!("{LAST}{OLD_IMAGE}"));
    if boot.files.contains_key(&path) {
        return None;
    }
    let text = whole(&usual, boot.files.get(&usual)?).ok()?;
    let source = Source::new(&usual, &text);
    let entry = bls::parse(source);
    let title = format!("{} - {BEFORE}", entry.title.as_deref().unwrap_or("Linux"));
    let copy = bls::copy(source, &title, &[]).ok()?;
    write(boot, &path, Some(&with_old(&copy, &entry.initrds, images)?))
}

/// An entry that starts with the image that is kept.
fn with_old(entry: &str, initrds: &[String], images: &[String]) -> Option<String> {
    let (initrd, name) = initrds.iter().find_map(|initrd| {
        let name = initrd.rsplit('/').next()?;
        images.iter().any(|image| image == name).then_some((initrd, name))
    })?;
    let folder = initrd.strip_suffix(name)?;
    Some(entry.replace(initrd, &format!("{folder}{}", Made::beside(name, "old"))))
}

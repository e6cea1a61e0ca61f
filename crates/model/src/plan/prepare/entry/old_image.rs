//! An entry with the image of before.

use super::super::Preparation;
use super::{beside, spec};
use crate::boot::grub_cfg::{self, Copy, Menu};
use crate::boot::source::{Source, whole};
use crate::boot::{bls, extlinux};
use crate::ours::{LAST, PREPARED, SCRIPT};
use crate::plan::write;
use crate::setup::boot::{Boot, Loader};
use crate::setup::usual;
use crate::step::{Made, Step, Wanted};

/// Its id.
const OLD_IMAGE: &str = "passthru-old-image";

/// An entry with the image as it was, where one is made anew: for the case
/// that the new one does not start. One of an earlier preparation stays, if it
/// is for the same image: that one is older still.
pub(in crate::plan::prepare) fn old_image(boot: &Boot, preparation: &mut Preparation) {
    let images = made(preparation);
    let Some(loader) = boot.loader.known().filter(|_| !images.is_empty()) else { return };
    let step = match &loader.menu {
        Some(menu) if menu.program.is_some() => script(&menu.path, &images, boot),
        Some(menu) => in_menu(&menu.path, &images, boot),
        None => entry_file(loader, &images, boot),
    };
    preparation.steps.extend(step);
}

fn title_of(title: &str) -> String {
    format!("{title} - before passthru")
}

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

/// What is kept of an image that is made anew, by its path in an entry.
fn old(initrd: &str, images: &[String]) -> Option<String> {
    let name = initrd.rsplit('/').next()?;
    let folder = initrd.strip_suffix(name)?;
    let is_made = images.iter().any(|image| image == name);
    is_made.then(|| format!("{folder}{}", Made::beside(name, "old")))
}

/// An entry that starts with the image that is kept; and that image. A path
/// stands for itself in an entry, a bare name might be another word.
fn with_old(entry: &str, initrds: &[String], images: &[String]) -> Option<(String, String)> {
    let mut paths = initrds.iter().filter(|initrd| initrd.contains('/'));
    let (initrd, old) = paths.find_map(|initrd| Some((initrd, old(initrd, images)?)))?;
    Some((entry.replace(initrd, &old), old))
}

/// A copy of the usual entry with the image that is kept; and that image.
fn copied(
    source: Source<'_>,
    read: &Menu,
    images: &[String],
    boot: &Boot,
) -> Option<(CopyOf, String)> {
    let usual = usual::in_menu(read, boot)?;
    let entry = &read.entries[usual];
    let (which, title) = (spec(read, usual, &entry.id), title_of(&entry.title));
    let plain = grub_cfg::copy_entry(source, &which, copy(&title)).ok()?;
    let (text, old) = with_old(&plain, &entry.initrds, images)?;
    Some((CopyOf { which, title, plain, text }, old))
}

/// An entry in the words of GRUB's menu.
struct CopyOf {
    which: String,
    title: String,
    /// As it is copied.
    plain: String,
    /// With the other image.
    text: String,
}

fn copy(title: &str) -> Copy<'_> {
    Copy { title, id: OLD_IMAGE, changes: &[] }
}

/// A script that GRUB's menu is made with.
fn script(menu: &str, images: &[String], boot: &Boot) -> Option<Step> {
    let path = boot.path(SCRIPT);
    let text = whole(menu, boot.files.get(menu)?).ok()?;
    let source = Source::new(menu, &text);
    let (copy, old) = copied(source, &grub_cfg::parse(source).ok()?, images, boot)?;
    if boot.files.get(&path).is_some_and(|there| there.text().contains(&old)) {
        return None;
    }
    let copy = copy.text;
    let text = format!("#!/bin/sh\n{PREPARED}cat <<'END_OF_ENTRY'\n{copy}END_OF_ENTRY\n");
    write(boot, &path, Some(&text))
}

/// In a menu that no program makes here (Petitboot reads it).
fn in_menu(menu: &str, images: &[String], boot: &Boot) -> Option<Step> {
    let text = whole(menu, boot.files.get(menu)?).ok()?;
    let (_, old) = copied(Source::new(menu, &text), &parsed(menu, &text)?, images, boot)?;
    if text.contains(&old) {
        return None;
    }
    let text = grub_cfg::without_entry(Source::new(menu, &text), OLD_IMAGE).unwrap_or(text);
    let source = Source::new(menu, &text);
    let (of, _) = copied(source, &parsed(menu, &text)?, images, boot)?;
    let new = grub_cfg::insert_copy(source, &of.which, copy(&of.title)).ok()?;
    write(boot, menu, Some(&new.replacen(&of.plain, &of.text, 1)))
}

fn parsed(menu: &str, text: &str) -> Option<Menu> {
    grub_cfg::parse(Source::new(menu, text)).ok()
}

/// An entry by the Boot Loader Specification.
fn entry_file(loader: &Loader, images: &[String], boot: &Boot) -> Option<Step> {
    let usual = usual::entry(loader, boot)?;
    let path = beside(&usual, &format!("{LAST}{OLD_IMAGE}"));
    let text = whole(&usual, boot.files.get(&usual)?).ok()?;
    let source = Source::new(&usual, &text);
    let entry = bls::parse(source);
    let title = title_of(entry.title.as_deref().unwrap_or("Linux"));
    let copy = bls::copy(source, &title, &[]).ok()?;
    let (new, old) = with_old(&copy, &entry.initrds, images)?;
    if boot.files.get(&path).is_some_and(|there| there.text().contains(&old)) {
        return None;
    }
    write(boot, &path, Some(&new))
}

/// The menu of extlinux with such an entry, before anything else changes in
/// it: it is one file. Nothing where it needs none, or has one already.
pub(in crate::plan::prepare) fn old_image_label(
    menu: Source<'_>,
    preparation: &Preparation,
) -> Option<String> {
    let images = made(preparation);
    let initrd = {
        let read = extlinux::parse(menu.text);
        let names: Vec<&str> = usual::label(&read)?.initrds().collect();
        let kept = |name: &&str| old(name, &images).unwrap_or_else(|| (*name).to_owned());
        let kept = names.iter().map(kept).collect::<Vec<_>>().join(",");
        let is_there =
            read.entry(OLD_IMAGE).is_some_and(|there| there.initrd.as_ref() == Some(&kept));
        (kept != names.join(",") && !is_there).then_some(kept)?
    };
    let text = extlinux::without_labels(menu.text, OLD_IMAGE);
    let read = extlinux::parse(&text);
    let usual = usual::label(&read)?;
    let title = title_of(usual.title.as_deref().unwrap_or(&usual.label));
    let source = Source::new(menu.name, &text);
    let text = extlinux::insert_copy(source, &usual.label, (OLD_IMAGE, &title), &[]).ok()?;
    Some(extlinux::with_initrd(Source::new(menu.name, &text), OLD_IMAGE, &initrd))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn making(image: &str) -> Preparation {
        let (with, without) = (Vec::new(), Vec::new());
        let wanted = Wanted::Initramfs { with, without, files: Default::default() };
        let steps = vec![Step::Make(Made::new(format!("/boot/{image}"), Vec::new(), wanted))];
        Preparation { steps, ..Preparation::default() }
    }

    /// The label for an image stays as long as it is for that image.
    #[test]
    fn a_label_for_each_image() {
        let with = |text: &str, image| {
            let found = old_image_label(Source::new("f", text), &making(image));
            found.unwrap_or_else(|| text.to_owned())
        };
        let menu = "label a\n linux /k-1\n initrd /ucode.img,/i-1-x,/i-1\n append x\n";
        let first = with(menu, "i-1");
        let own = "label passthru-old-image\n\tmenu label a - before passthru\n linux /k-1\n \
                   initrd /ucode.img,/i-1-x,/.i-1.passthru-old\n append x\n";
        assert_eq!(first, format!("{menu}{own}"));
        assert_eq!(with(&first, "i-1"), first);
        assert_eq!(with(menu, "i-2"), menu, "of a kernel that it does not start");
        let newer = first.replacen("-1", "-2", 3);
        let second = with(&newer, "i-2");
        assert!(second.contains("/.i-2.passthru-old") && !second.contains("/.i-1"), "{second}");
        assert_eq!(second.matches("label passthru").count(), 1, "{second}");
    }

    #[test]
    fn names_of_images_in_entries() {
        let images = ["initrd".to_owned(), "i-1".to_owned()];
        let entry = "initrd /boot/i-1\n";
        let (text, old) = with_old(entry, &["/boot/i-1".to_owned()], &images).unwrap();
        assert_eq!(
            (&*text, &*old),
            ("initrd /boot/.i-1.passthru-old\n", "/boot/.i-1.passthru-old")
        );
        assert_eq!(with_old("initrd initrd\n", &["initrd".to_owned()], &images), None);
    }
}

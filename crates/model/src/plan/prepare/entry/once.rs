//! An entry with other arguments, which is booted once.

use super::super::{Preparation, told};
use super::{beside, spec};
use crate::boot::cmdline::Change;
use crate::boot::grub_cfg::{self, Copy};
use crate::boot::source::{EditError, Source, whole};
use crate::boot::{bls, extlinux};
use crate::ours::LAST;
use crate::plan::write;
use crate::setup::boot::{Boot, Chooser, Format, Loader};
use crate::setup::usual;
use crate::step::Step;

/// Its id.
const TESTING: &str = "passthru-testing";

/// An entry with other arguments, which is booted once.
pub(in crate::plan::prepare) fn testing(
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
    format!(
        "start the kernel once with other arguments, by the menu of {loader}: {}",
        told(changes)
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
    let text = whole(path, content)?;
    let source = Source::new(path, &text);
    let read = grub_cfg::parse(source)?;
    // One of an earlier trial goes.
    let text = match read.entries.iter().any(|entry| entry.id == TESTING) {
        true => grub_cfg::without_entry(source, TESTING)?,
        false => text.clone(),
    };
    let source = Source::new(path, &text);
    let read = grub_cfg::parse(source)?;
    let Some(usual) = usual::in_menu(&read, boot) else { return Ok(None) };
    let title = title_of(&read.entries[usual].title);
    let which = spec(&read, usual, &read.entries[usual].id);
    let copy = Copy { title: &title, id: TESTING, changes };
    let text = grub_cfg::insert_copy(source, &which, copy)?;
    preparation.steps.extend(write(boot, path, Some(&text)));
    Ok(Some((spec(&read, usual, TESTING), title)))
}

fn has_entries(loader: &Loader) -> bool {
    loader.files.iter().any(|(_, format)| *format == Format::Entry)
}

/// A file of its own beside the one that it is a copy of.
fn as_file(
    loader: &Loader,
    changes: &[Change],
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<Option<(String, String)>, EditError> {
    let entry = usual::entry(loader, boot);
    let Some((path, content)) = entry.and_then(|path| boot.files.get_key_value(&path)) else {
        return Ok(None);
    };
    let text = whole(path, content)?;
    let source = Source::new(path, &text);
    let title = title_of(&bls::parse(source).title.unwrap_or_else(|| "Linux".to_owned()));
    let copy = bls::copy(source, &title, changes)?;
    let id = format!("{LAST}{TESTING}");
    preparation.steps.extend(write(boot, &beside(path, &id), Some(&copy)));
    Ok(Some((id, title)))
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
    let text = whole(path, content)?;
    // One of an earlier trial goes.
    let text = extlinux::without_labels(&text, TESTING);
    let menu = extlinux::parse(&text);
    let Some(usual) = usual::label(&menu) else { return Ok(None) };
    let title = title_of(usual.title.as_deref().unwrap_or(&usual.label));
    let source = Source::new(path, &text);
    let edited = extlinux::insert_copy(source, &usual.label, (TESTING, &title), changes)?;
    preparation.steps.extend(write(boot, path, Some(&edited)));
    Ok(Some((TESTING.to_owned(), title)))
}

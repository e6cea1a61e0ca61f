//! Boot arguments: into the settings of the boot loader, and its menu anew.

use super::entry::old_image_label;
use super::sources::{environment, of_its_own, u_boot};
use super::{Preparation, Wanted, own, told};
use crate::boot::cmdline::Change;
use crate::boot::source::{EditError, Source, whole};
use crate::boot::{bls, grub_cfg, grub_default, grubenv};
use crate::check::Subject;
use crate::fact::Fact;
use crate::list::add;
use crate::ours::{ENTRY, SCRIPT};
use crate::plan::write;
use crate::setup::boot::{Boot, Format, Loader, Menu};
use crate::step::{Made, Step, Wanted as InFile};

/// Multithreading off now, and at every boot.
pub(super) fn smt(subject: &Subject<'_>, wanted: &mut Wanted, preparation: &mut Preparation) {
    if let Some(smt) = subject.setup.smt.known().filter(|smt| smt.active) {
        let (from, to) = (smt.control.clone(), "off".to_owned());
        match from.starts_with("not") {
            true => preparation.by_hand.push(
                "switch simultaneous multithreading off now: `ppc64_cpu --smt=off` (of powerpc-utils), as this kernel has no switch for it"
                    .to_owned(),
            ),
            false => preparation.steps.push(Step::SetSmt { from, to }),
        }
    }
    add(&mut wanted.arguments, smt_off(subject));
}

/// `early_smt_enabled()` in arch/powerpc/kernel/setup_64.c; `nosmt` elsewhere.
pub(super) fn smt_off(subject: &Subject<'_>) -> Change {
    Change::Set(if subject.is_power() { "smt-enabled=off" } else { "nosmt" }.to_owned())
}

pub(super) fn plan(
    changes: &[Change],
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<(), EditError> {
    if changes.is_empty() {
        menu_with_new_script(boot, preparation);
        return menu_with_new_label(boot, preparation);
    }
    preparation.reboot = true;
    let loader = match &boot.loader {
        Fact::Known(loader) if loader.is_changed_here() => loader,
        Fact::Known(loader) => {
            preparation.by_hand.extend(match loader.system {
                Some(system) => own::arguments(system, changes),
                None => vec![by_hand(&loader.name, changes)],
            });
            return Ok(());
        }
        Fact::Unknown(why) => {
            preparation.by_hand.push(by_hand(&format!("the boot loader ({why})"), changes));
            return Ok(());
        }
    };
    let in_environment = environment(loader, boot, changes, preparation)?;
    u_boot(loader, boot, changes, preparation)?;
    for (path, format) in &loader.files {
        let Some(content) = boot.files.get(path) else { continue };
        let mut text = whole(path, content)?;
        if *format == Format::Extlinux {
            text = with_new_label(path, text, preparation);
        }
        let source = Source::new(path, &text);
        let own;
        let changes = match format {
            Format::Environment | Format::UBoot => continue,
            Format::Entry if in_environment && bls::refers(source, grubenv::KERNELOPTS) => {
                own = of_its_own(source, changes);
                &own
            }
            _ => changes,
        };
        let edited = format.edited(source, changes)?;
        preparation.steps.extend(write(boot, path, Some(&edited)));
    }
    match loader.settings.is_empty() {
        true => Ok(()),
        false => settings(loader, changes, boot, preparation),
    }
}

fn by_hand(loader: &str, changes: &[Change]) -> String {
    format!("tell {loader} to start the kernel with other arguments: {}", told(changes))
}

/// GRUB's settings, and its menu made from them.
fn settings(
    loader: &Loader,
    changes: &[Change],
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<(), EditError> {
    let settings = loader.settings.iter().filter_map(|path| Some((path, boot.files.get(path)?)));
    let texts = settings.map(|(path, content)| Ok((path, whole(path, content)?)));
    let texts = texts.collect::<Result<Vec<(&String, String)>, EditError>>()?;
    let sources: Vec<Source<'_>> =
        texts.iter().map(|(path, text)| Source::new(path, text)).collect();
    let edited = grub_default::edit(&sources, changes)?;
    let menu = loader.menu.as_ref();
    let has = |menu: &Menu| menu_has(menu, changes, boot) && !has_new_script(boot, preparation);
    if edited.is_empty() && menu.is_none_or(has) {
        // Prepared before: the kernel has to be started anew, and no more.
        return Ok(());
    }
    for edited in edited {
        let path = sources[edited.index].name;
        preparation.steps.extend(write(boot, path, Some(&edited.text)));
    }
    preparation.steps.extend(menu.and_then(|menu| made(menu, changes)));
    Ok(())
}

/// The menu, made by its program.
fn made(menu: &Menu, changes: &[Change]) -> Option<Step> {
    let command = [menu.program.as_ref()?, "-o", Made::OUT].map(str::to_owned).to_vec();
    let wanted = InFile::Menu { arguments: changes.to_vec() };
    Some(Step::Make(Made::new(&menu.path, command, wanted)))
}

/// Whether the menu gets an entry of ours by this preparation.
fn has_new_script(boot: &Boot, preparation: &Preparation) -> bool {
    let script = boot.path(SCRIPT);
    let is_new = |step: &Step| matches!(step, Step::WriteFile { path, .. } if *path == script);
    preparation.steps.iter().any(is_new)
}

fn menu_with_new_script(boot: &Boot, preparation: &mut Preparation) {
    if has_new_script(boot, preparation) {
        let menu = boot.loader.known().and_then(|loader| loader.menu.as_ref());
        preparation.steps.extend(menu.and_then(|menu| made(menu, &[])));
    }
}

/// A menu of extlinux that gets an entry of ours, and no arguments.
fn menu_with_new_label(boot: &Boot, preparation: &mut Preparation) -> Result<(), EditError> {
    let loader = boot.loader.known().filter(|loader| loader.is_changed_here());
    let files = loader.into_iter().flat_map(|loader| &loader.files);
    for (path, _) in files.filter(|(_, format)| *format == Format::Extlinux) {
        let Some(content) = boot.files.get(path) else { continue };
        let text = with_new_label(path, whole(path, content)?, preparation);
        preparation.steps.extend(write(boot, path, Some(&text)));
    }
    Ok(())
}

fn with_new_label(path: &str, text: String, preparation: &Preparation) -> String {
    old_image_label(Source::new(path, &text), preparation).unwrap_or(text)
}

/// Whether the menu says it already.
fn menu_has(menu: &Menu, changes: &[Change], boot: &Boot) -> bool {
    let Some(content) = boot.files.get(&menu.path) else { return false };
    let read = grub_cfg::parse(Source::new(&menu.path, &content.text()));
    read.is_ok_and(|read| read.starts_kernels() && read.lacks(changes, ENTRY).is_none())
}

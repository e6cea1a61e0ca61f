//! Arguments that entries have from elsewhere: GRUB's environment block, the
//! settings of `u-boot-update`.
//!
//! In: the files of a loader, and changes. Out: steps for the sources, and
//! which changes an entry needs beside them. Never: a file that was not
//! written to its end.

use super::Preparation;
use crate::boot::cmdline::{Change, Cmdline};
use crate::boot::source::{EditError, Source, whole};
use crate::boot::{bls, grubenv, u_boot_menu};
use crate::plan::write;
use crate::setup::boot::{Boot, Format, Loader};
use crate::step::Step;

/// Arguments in GRUB's environment block; whether there are any.
pub(super) fn environment(
    loader: &Loader,
    boot: &Boot,
    changes: &[Change],
    preparation: &mut Preparation,
) -> Result<bool, EditError> {
    let mut blocks = loader.files.iter().filter(|(_, format)| *format == Format::Environment);
    let Some((path, _)) = blocks.next() else { return Ok(false) };
    let Some(block) = boot.files.get(path) else { return Ok(false) };
    let edited = grubenv::edit(path, &block.0, grubenv::KERNELOPTS, changes)?;
    preparation.steps.extend(edited.map(|(from, to)| Step::SetGrubVariable {
        path: path.clone(),
        name: grubenv::KERNELOPTS.to_owned(),
        from: Some(from),
        to: Some(to),
    }));
    Ok(true)
}

/// The changes of what an entry says beside the arguments of all.
pub(super) fn of_its_own(entry: Source<'_>, changes: &[Change]) -> Vec<Change> {
    let options = bls::parse(entry).options;
    let line = Cmdline::new(&options);
    let own = |change: &&Change| {
        matches!(change, Change::Remove(_)) || line.values(change.name()).next().is_some()
    };
    changes.iter().filter(own).cloned().collect()
}

/// The settings that `u-boot-update` makes its menu from. The menu is changed
/// as well, as it would be made from them: the program writes it in place.
pub(super) fn u_boot(
    loader: &Loader,
    boot: &Boot,
    changes: &[Change],
    preparation: &mut Preparation,
) -> Result<(), EditError> {
    let of = |wanted| loader.files.iter().filter(move |(_, format)| *format == wanted);
    let text =
        |path| boot.files.get(path).map_or(Ok(String::new()), |content| whole(path, content));
    let texts = of(Format::UBoot).map(|(path, _)| Ok((path, text(path)?)));
    let texts = texts.collect::<Result<Vec<(&String, String)>, EditError>>()?;
    let sources: Vec<Source<'_>> =
        texts.iter().map(|(path, text)| Source::new(path, text)).collect();
    // Without parameters of its own it takes those of kernel-install's line.
    let has_line = of(Format::Line).next().is_some();
    if sources.is_empty() || (has_line && u_boot_menu::arguments(&sources)?.is_none()) {
        return Ok(());
    }
    for edited in u_boot_menu::edit(&sources, u_boot_menu::FALLBACK, changes)? {
        let path = sources[edited.index].name;
        preparation.steps.extend(write(boot, path, Some(&edited.text)));
    }
    Ok(())
}

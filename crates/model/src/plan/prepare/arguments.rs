//! Boot arguments: into the settings of the boot loader, and its menu anew.

use super::{Preparation, Wanted, write};
use crate::boot::cmdline::Change;
use crate::boot::source::{EditError, Source};
use crate::boot::{grub_cfg, grub_default};
use crate::check::Subject;
use crate::fact::Fact;
use crate::setup::boot::{Boot, Grub, Loader};
use crate::step::{Made, Step, Wanted as InFile};

/// Multithreading off now, and at every boot.
pub(super) fn smt(subject: &Subject<'_>, wanted: &mut Wanted, preparation: &mut Preparation) {
    if let Some(smt) = subject.setup.smt.known().filter(|smt| smt.active) {
        let (from, to) = (smt.control.clone(), "off".to_owned());
        preparation.steps.push(Step::SetSmt { from, to });
    }
    // `early_smt_enabled()` in arch/powerpc/kernel/setup_64.c; `nosmt` elsewhere.
    let power = subject.snapshot.machine.arch.known().is_some_and(|arch| arch.starts_with("ppc"));
    let word = if power { "smt-enabled=off" } else { "nosmt" };
    super::add(&mut wanted.arguments, Change::Set(word.to_owned()));
}

pub(super) fn plan(
    changes: &[Change],
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<(), EditError> {
    if changes.is_empty() {
        return Ok(());
    }
    preparation.reboot = true;
    match &boot.loader {
        Fact::Known(Loader::Grub(grub)) => self::grub(grub, changes, boot, preparation),
        Fact::Known(Loader::Other(name)) => {
            preparation.by_hand.push(by_hand(name, changes));
            Ok(())
        }
        Fact::Unknown(why) => {
            preparation.by_hand.push(by_hand(&format!("the boot loader ({why})"), changes));
            Ok(())
        }
    }
}

fn by_hand(loader: &str, changes: &[Change]) -> String {
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    format!("tell {loader} to start the kernel with other arguments: {}", told.join(", "))
}

fn grub(
    grub: &Grub,
    changes: &[Change],
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<(), EditError> {
    let texts: Vec<(&String, String)> = grub
        .settings
        .iter()
        .filter_map(|path| Some((path, boot.files.get(path)?.text().into_owned())))
        .collect();
    let sources: Vec<Source<'_>> =
        texts.iter().map(|(path, text)| Source::new(path, text)).collect();
    let edited = grub_default::edit(&sources, changes)?;
    if edited.is_empty() && menu_has(grub, changes, boot) {
        // Prepared before: the kernel has to be started anew, and no more.
        return Ok(());
    }
    for edited in edited {
        let path = sources[edited.index].name;
        preparation.steps.extend(write(boot, path, Some(&edited.text)));
    }
    let command = [&grub.program[..], "-o", Made::OUT].map(str::to_owned).to_vec();
    let wanted = InFile::Menu { arguments: changes.to_vec() };
    let path = grub.menu.clone();
    preparation.steps.push(Step::Make(Made { path, command, wanted }));
    Ok(())
}

/// Whether the menu says it already.
fn menu_has(grub: &Grub, changes: &[Change], boot: &Boot) -> bool {
    let Some(content) = boot.files.get(&grub.menu) else { return false };
    let menu = grub_cfg::parse(Source::new(&grub.menu, &content.text()));
    menu.is_ok_and(|menu| menu.starts_kernels() && menu.lacks(changes).is_none())
}

//! Making a host ready: from what the checks found to steps.
//!
//! In: what is, what the checks said about it, what the host boots by. Out:
//! steps in the order in which a power cut between any two leaves a host that
//! boots, and what only a person can do. A pure function: the same inputs
//! give the same plan.
//!
//! ```text
//! configuration of modules ──▶ initramfs ──▶ settings of the boot loader ──▶ its menu
//! ```

mod arguments;
mod entry;
mod modules;

pub use entry::{OURS, SCRIPT, is_ours};
pub use modules::{DRACUT, LOAD, MKINITCPIO, MODPROBE};

use crate::boot::cmdline::Change;
use crate::boot::source::EditError;
use crate::check::{Checked, Remedy, Status, Subject};
use crate::file::Content;
use crate::setup::boot::Boot;
use crate::step::Step;

/// How to make a host ready.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Preparation {
    pub steps: Vec<Step>,
    /// What only a person can do.
    pub by_hand: Vec<String>,
    /// The kernel has to be started anew for it.
    pub reboot: bool,
}

/// What is to be changed, gathered from the checks.
#[derive(Debug, Default)]
struct Wanted {
    arguments: Vec<Change>,
    /// Modules that are loaded at every boot.
    load: Vec<String>,
    /// Drivers of the host that are not to take the devices.
    keep: Vec<String>,
    smt_off: bool,
    by_hand: Vec<String>,
}

/// The steps that make the host ready for guests with these devices.
///
/// # Errors
///
/// Where a file that has to be changed is not understood: nothing is guessed.
pub fn prepare(
    subject: &Subject<'_>,
    checked: &[Checked],
    boot: &Boot,
) -> Result<Preparation, EditError> {
    let mut wanted = Wanted::of(checked);
    let mut preparation = Preparation::default();
    modules::plan(subject, &wanted, boot, &mut preparation);
    entry::old_image(boot, &mut preparation);
    if wanted.smt_off {
        arguments::smt(subject, &mut wanted, &mut preparation);
    }
    arguments::plan(&wanted.arguments, boot, &mut preparation)?;
    preparation.by_hand.extend(wanted.by_hand);
    Ok(preparation)
}

/// As [`prepare`], for one start of the kernel: an entry of the boot menu
/// with other arguments, which is booted once. No other file is changed.
///
/// # Errors
///
/// Where the menu is not understood.
pub fn once(
    subject: &Subject<'_>,
    checked: &[Checked],
    boot: &Boot,
) -> Result<Preparation, EditError> {
    let wanted = Wanted::of(checked);
    let mut preparation = Preparation::default();
    let mut changes = wanted.arguments;
    if wanted.smt_off {
        add(&mut changes, arguments::smt_off(subject));
    }
    // systemd-modules-load.service(8), libkmod's `modprobe.blacklist=`.
    changes.extend(wanted.load.iter().map(|name| Change::Add(format!("modules_load={name}"))));
    for module in &wanted.keep {
        match modules::is_for_guests_alone(subject, module) {
            true => changes.push(Change::Add(format!("modprobe.blacklist={module}"))),
            false => preparation.by_hand.push(format!(
                "{module} will have its devices at that start: `passthru bind` takes those that are meant"
            )),
        }
    }
    entry::testing(&changes, boot, &mut preparation)?;
    preparation.by_hand.extend(wanted.by_hand);
    Ok(preparation)
}

impl Wanted {
    /// What would mend everything that did not pass.
    fn of(checked: &[Checked]) -> Self {
        let mut wanted = Self::default();
        let amiss = checked.iter().filter(|one| one.finding.status != Status::Pass);
        for remedy in amiss.flat_map(|one| &one.finding.remedies) {
            match remedy {
                Remedy::Argument(change) => add(&mut wanted.arguments, change.clone()),
                Remedy::Load(module) => add(&mut wanted.load, module.clone()),
                Remedy::Keep { module } => add(&mut wanted.keep, module.clone()),
                Remedy::SmtOff => wanted.smt_off = true,
                Remedy::ByHand(text) => add(&mut wanted.by_hand, text.clone()),
            }
        }
        wanted
    }
}

/// Each thing once, in the order in which it was found.
fn add<T: PartialEq>(list: &mut Vec<T>, thing: T) {
    if !list.contains(&thing) {
        list.push(thing);
    }
}

/// The step that gives a file another content, if it has not got it.
fn write(boot: &Boot, path: &str, to: Option<&str>) -> Option<Step> {
    let from = boot.files.get(path).cloned();
    let to = to.map(Content::from);
    (from != to).then(|| Step::WriteFile { path: path.to_owned(), from, to })
}

/// The first line of a file of ours.
const HEADING: &str = "# Made by `passthru prepare`; `passthru prepare --undo` takes it back.\n";

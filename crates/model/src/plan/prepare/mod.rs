//! Making a host ready: from what the checks found to steps.
//!
//! In: what is, what the checks said about it, what the host boots by. Out:
//! steps in the order in which a power cut between any two leaves a host that
//! boots, and what only a person can do. A pure function: the same inputs
//! give the same plan.
//!
//! ```text
//! files of others' programs ──▶ configuration of modules ──▶ initramfs
//!     ──▶ settings of the boot loader ──▶ its menu ──▶ services
//! ```

mod access;
mod arguments;
mod confined;
mod entry;
mod memory;
mod modules;
mod refused;
mod screens;
mod services;
mod sources;

pub use access::{Group, NoGroup};
pub use confined::NoFolder;
pub use entry::{OURS, is_ours};
pub use memory::{Hugepages, NoHugepages};
pub use refused::against;
pub use services::drop_in;

use thiserror::Error;

use self::modules::Way;
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

/// Options and aliases of modules.
pub const MODPROBE: &str = "modprobe.d/passthru.conf";
/// What dracut puts into images, and what not.
const DRACUT: &str = "dracut.conf.d/passthru.conf";
/// What mkinitcpio puts into images.
const MKINITCPIO: &str = "mkinitcpio.conf.d/passthru.conf";
/// Modules that are loaded at every boot.
pub const LOAD: &str = "modules-load.d/passthru.conf";
/// Whose the nodes of VFIO are; behind those of systemd (50).
const ACCESS: &str = "udev/rules.d/70-passthru-access.rules";
/// Limits of those who log in (pam_limits(8)).
const LIMITS: &str = "security/limits.d/70-passthru.conf";
/// What the administrator lets libvirt's guests do (AppArmor).
const APPARMOR: &str = "apparmor.d/local/abstractions/libvirt-qemu";

/// Files of our own or with lines of our own, below the folder of the host's
/// configuration; there is one more for each unit ([`drop_in`]).
pub const FILES: &[&str] =
    &[MODPROBE, DRACUT, MKINITCPIO, LOAD, entry::SCRIPT, ACCESS, LIMITS, APPARMOR];

/// What is asked for beyond what the checks find.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Asked {
    pub hugepages: Option<Hugepages>,
    /// A group of the host, whose members may run guests with devices.
    pub group: Option<Group>,
    /// More boot arguments: `key=value` or `key`.
    pub arguments: Vec<String>,
    /// A folder with ROM files, which libvirt's guests may read.
    pub roms: Option<String>,
}

/// Why nothing can be planned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unplanned {
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Hugepages(#[from] NoHugepages),
    #[error(transparent)]
    Group(#[from] NoGroup),
    #[error(transparent)]
    Folder(#[from] NoFolder),
}

/// What is to be changed, gathered from the checks.
#[derive(Debug, Default)]
struct Wanted {
    arguments: Vec<Change>,
    /// Modules that are loaded at every boot.
    load: Vec<String>,
    /// Drivers of the host that are not to take the devices.
    keep: Vec<String>,
    /// Services that are not to run.
    stop: Vec<String>,
    /// Files of the X server that are not to count.
    aside: Vec<String>,
    smt_off: bool,
    by_hand: Vec<String>,
}

/// The steps that make the host ready for guests with these devices.
///
/// # Errors
///
/// Where a file that has to be changed is not understood, or what is asked
/// for cannot be had: nothing is guessed.
pub fn prepare(
    subject: &Subject<'_>,
    checked: &[Checked],
    boot: &Boot,
    asked: &Asked,
) -> Result<Preparation, Unplanned> {
    let mut wanted = Wanted::of(checked);
    let mut preparation = Preparation::default();
    screens::set_aside(&wanted.aside, boot, &mut preparation);
    if let Some(group) = &asked.group {
        access::plan(group, boot, &mut preparation)?;
    }
    if let Some(folder) = &asked.roms {
        confined::plan(folder, subject, boot, &mut preparation)?;
    }
    modules::plan(subject, &mut wanted, boot, &mut preparation);
    entry::old_image(boot, &mut preparation);
    memory::plan(asked.hugepages, subject, boot, &mut wanted, &mut preparation)?;
    wanted.take(&asked.arguments);
    if wanted.smt_off {
        arguments::smt(subject, &mut wanted, &mut preparation);
    }
    let reboot = preparation.reboot;
    arguments::plan(&wanted.arguments, boot, &mut preparation)?;
    if is_started_with(subject, &wanted.arguments) {
        preparation.reboot = reboot;
    }
    services::plan(&wanted.stop, boot, &mut preparation);
    preparation.by_hand.extend(wanted.by_hand);
    if let Some(loader) = boot.loader.known().filter(|loader| loader.makes_all) {
        preparation.leave_to_a_person(&loader.name);
    }
    Ok(preparation)
}

/// As [`prepare`], for one start of the kernel: an entry of the boot menu
/// with other arguments, which is booted once. No other file is changed.
///
/// # Errors
///
/// Where the menu is not understood, or what is asked for cannot be had.
pub fn once(
    subject: &Subject<'_>,
    checked: &[Checked],
    boot: &Boot,
    asked: &Asked,
) -> Result<Preparation, Unplanned> {
    let mut wanted = Wanted::of(checked);
    let mut preparation = Preparation::default();
    memory::plan(asked.hugepages, subject, boot, &mut wanted, &mut preparation)?;
    wanted.take(&asked.arguments);
    let mut changes = wanted.arguments;
    if wanted.smt_off {
        add(&mut changes, arguments::smt_off(subject));
    }
    // systemd-modules-load.service(8), libkmod's `modprobe.blacklist=`.
    changes.extend(wanted.load.iter().map(|name| Change::Add(format!("modules_load={name}"))));
    for module in &wanted.keep {
        match modules::way(subject, module) {
            Way::Out => changes.push(Change::Add(format!("modprobe.blacklist={module}"))),
            Way::Modeset => changes.push(modules::modeset_off(module)),
            Way::Behind | Way::None => preparation.by_hand.push(format!(
                "{module} will have its devices at that start: `passthru bind` takes those that are meant"
            )),
        }
    }
    entry::testing(&changes, boot, &mut preparation)?;
    preparation.by_hand.extend(wanted.by_hand);
    Ok(preparation)
}

impl Preparation {
    /// What would be changed in files, said: the system makes them itself.
    fn leave_to_a_person(&mut self, system: &str) {
        let (files, others) =
            std::mem::take(&mut self.steps).into_iter().partition(|step| !step.void_after_reboot());
        self.steps = others;
        let told = |step: Step| match step {
            Step::WriteFile { path, to: Some(to), .. } => {
                let text = to.text();
                let lines = text.lines().filter(|line| !line.starts_with('#'));
                let lines: Vec<&str> = lines.collect();
                format!("let {system} make {path} with these lines: {}", lines.join("; "))
            }
            step => format!("let {system} do this: {step}"),
        };
        let files: Vec<Step> = files;
        self.by_hand.extend(files.into_iter().map(told));
    }
}

impl Wanted {
    /// Takes arguments that somebody asked for: their word is the last.
    fn take(&mut self, arguments: &[String]) {
        arguments.iter().for_each(|word| add(&mut self.arguments, Change::Set(word.clone())));
    }

    /// What would mend everything that did not pass.
    fn of(checked: &[Checked]) -> Self {
        let mut wanted = Self::default();
        let amiss = checked.iter().filter(|one| one.finding.status != Status::Pass);
        for remedy in amiss.flat_map(|one| &one.finding.remedies) {
            match remedy {
                Remedy::Argument(change) => add(&mut wanted.arguments, change.clone()),
                Remedy::Load(module) => add(&mut wanted.load, module.clone()),
                Remedy::Keep { module } => add(&mut wanted.keep, module.clone()),
                Remedy::Stop { unit } => add(&mut wanted.stop, unit.clone()),
                Remedy::SetAside { path } => add(&mut wanted.aside, path.clone()),
                Remedy::SmtOff => wanted.smt_off = true,
                Remedy::ByHand(text) => add(&mut wanted.by_hand, text.clone()),
            }
        }
        wanted
    }
}

/// Whether the kernel that runs was started with these arguments.
fn is_started_with(subject: &Subject<'_>, changes: &[Change]) -> bool {
    let cmdline = subject.setup.cmdline.known();
    cmdline.is_some_and(|line| changes.iter().all(|change| change.is_in(line)))
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

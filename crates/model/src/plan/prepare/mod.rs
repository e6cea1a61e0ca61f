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
mod guest_service;
mod memory;
mod modules;
mod others;
mod own;
mod refused;
mod screens;
mod services;
mod sources;
mod unplanned;
mod way;

pub use access::{NoGroup, UserGroup};
pub use confined::NoFolder;
pub use guest_service::{GuestService, NoService};
pub use memory::{Hugepages, NoHugepages};
pub use refused::against;
pub use unplanned::Unplanned;

use self::way::Way;
use crate::bdf::Bdf;
use crate::boot::cmdline::Change;
use crate::check::{Checked, Remedy, Status, Subject};
use crate::list::add;
use crate::setup::boot::Boot;
use crate::setup::own::System;
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

/// What is asked for beyond what the checks find.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Asked {
    pub hugepages: Option<Hugepages>,
    /// A group of the host, whose members may run guests with devices.
    pub group: Option<UserGroup>,
    /// Services that run guests with devices without being root.
    pub services: Vec<GuestService>,
    /// More boot arguments: `key=value` or `key`.
    pub arguments: Vec<String>,
    /// A folder with ROM files, which libvirt's guests may read.
    pub roms: Option<String>,
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
    asked: &Asked,
) -> Result<Preparation, Unplanned> {
    let boot = &subject.setup.boot;
    let mut wanted = Wanted::of(checked);
    let mut preparation = Preparation::default();
    screens::set_aside(&wanted.aside, boot, &mut preparation);
    if let Some(group) = &asked.group {
        access::plan(group, boot, &mut preparation)?;
    }
    for service in &asked.services {
        guest_service::plan(service, boot, &mut preparation)?;
    }
    if let Some(folder) = &asked.roms {
        confined::plan(folder, subject, &mut preparation)?;
    }
    modules::plan(subject, &mut wanted, &mut preparation)?;
    entry::old_image(boot, &mut preparation);
    memory::plan(asked.hugepages, subject, &mut wanted, &mut preparation)?;
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
    preparation.see_to_ways_of_the_system(boot, subject.devices);
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
    asked: &Asked,
) -> Result<Preparation, Unplanned> {
    let mut wanted = Wanted::of(checked);
    let mut preparation = Preparation::default();
    memory::plan(asked.hugepages, subject, &mut wanted, &mut preparation)?;
    wanted.take(&asked.arguments);
    let mut changes = wanted.arguments;
    if wanted.smt_off {
        add(&mut changes, arguments::smt_off(subject));
    }
    // systemd-modules-load.service(8), libkmod's `modprobe.blacklist=`.
    changes.extend(wanted.load.iter().map(|name| Change::Add(format!("modules_load={name}"))));
    for module in &wanted.keep {
        match way::way(subject, module) {
            Way::Out => {
                let names = way::out(subject, module);
                changes.extend(way::refused(&names));
                let blacklist = |name| Change::Add(format!("modprobe.blacklist={name}"));
                changes.extend(names.into_iter().map(blacklist));
            }
            Way::Modeset => changes.push(way::modeset_off(module)),
            Way::Behind | Way::None => preparation.by_hand.push(format!(
                "{module} will have its devices at that start: `passthru bind` takes those that are meant"
            )),
        }
    }
    entry::testing(&changes, &subject.setup.boot, &mut preparation)?;
    preparation.by_hand.extend(wanted.by_hand);
    Ok(preparation)
}

impl Preparation {
    /// What a system with ways of its own has a person do.
    pub(super) fn see_to_ways_of_the_system(&mut self, boot: &Boot, devices: &[Bdf]) {
        let Some(system) = boot.loader.known().and_then(|loader| loader.system) else { return };
        let makes_images = self.steps.iter().any(Step::makes_image);
        if system.makes_all() {
            self.leave_to_a_person(system, boot, devices);
        }
        let Some(then) = system.then(boot.generator.known().copied().flatten()) else { return };
        let said = self.by_hand.len();
        // It comes behind all else that is to be done.
        self.by_hand.retain(|text| *text != then);
        let was_said = self.by_hand.len() < said;
        if was_said || makes_images || (system.makes_all() && said > 0) {
            self.by_hand.push(then);
        }
    }

    /// What would be changed in files, said: the system makes them itself.
    fn leave_to_a_person(&mut self, system: System, boot: &Boot, devices: &[Bdf]) {
        let (files, others): (Vec<Step>, Vec<Step>) =
            std::mem::take(&mut self.steps).into_iter().partition(|step| !step.void_after_reboot());
        self.steps = others;
        for step in files {
            match step {
                Step::WriteFile { path, to: Some(to), .. } => {
                    add(&mut self.by_hand, own::file(system, boot, (&path, &to.text()), devices));
                }
                step => self.by_hand.push(format!("let {} do this: {step}", system.name())),
            }
        }
    }
}

impl Wanted {
    /// Takes arguments that somebody asked for: their word is the last.
    fn take(&mut self, arguments: &[String]) {
        arguments.iter().for_each(|word| add(&mut self.arguments, Change::asked_for(word)));
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

/// Changes of arguments, said.
fn told(changes: &[Change]) -> String {
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

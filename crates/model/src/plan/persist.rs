//! Bindings that outlast a reboot: a rule of udev by identity, in the initramfs
//! as well, and a unit that binds later what a driver had taken before.
//!
//! In: what is, which functions are to be handed over from now on or not any
//! more, and what the host boots by. Out: steps. A pure function.
//!
//! ```text
//! rule ──▶ what puts it into the initramfs ──▶ unit ──▶ initramfs
//! ```
//!
//! The rule is the truth about what persists; no copy of it is kept elsewhere.

use std::fmt::Write as _;

use super::image::{self, Contents};
use super::prepare::Preparation;
use super::write;
use crate::bdf::Bdf;
use crate::boot::source::EditError;
use crate::boot::udev_rules::{self, Rule};
use crate::file::Content;
use crate::function::{Function, module_of};
use crate::list::add;
use crate::ours::{
    BINDINGS_DRACUT, BINDINGS_HOOK, BINDINGS_MKINITCPIO, PERSISTED, RULES, UNIT, WANTS,
};
use crate::setup::boot::{Boot, Generator};
use crate::setup::own::System;
use crate::snapshot::{ModuleState, Snapshot};
use crate::step::Step;

/// What changes in what persists.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// These functions are with this driver from boot on.
    Persist { functions: &'a [Bdf], driver: &'a str },
    /// What is here, or was last seen here, is not any more.
    Forget { functions: &'a [Bdf] },
}

/// The steps to what is wanted. `program` is what the unit runs: this very
/// program, with its options.
///
/// # Errors
///
/// Where a file that has to be changed is not understood.
pub fn persist(
    snapshot: &Snapshot,
    boot: &Boot,
    change: Change<'_>,
    program: &str,
) -> Result<Preparation, EditError> {
    let before = boot.bindings()?;
    let after = changed(snapshot, &before, change);
    let mut preparation = Preparation::default();
    if after == before {
        return Ok(preparation);
    }
    let text = udev_rules::file(&after);
    let modules = modules(snapshot, &after);
    // Booster's images have no udev.
    let generator = image::generator(boot).filter(|known| *known != Generator::Booster);
    let others = generator
        .and_then(|known| of_generator(known, boot, &modules))
        .into_iter()
        .chain([(UNIT, unit(boot, program)), (WANTS, wants())]);
    preparation.steps.extend(write(boot, &boot.path(RULES), text.as_deref()));
    for (name, text) in others {
        // Without a rule there is nothing for them to do.
        let to = (!after.is_empty()).then_some(&text[..]);
        preparation.steps.extend(write(boot, &boot.path(name), to));
    }
    let files = text.map(|text| (boot.path(RULES), Content::from(&text[..])));
    let contents =
        Contents { with: modules, files: files.into_iter().collect(), ..Contents::default() };
    let system = boot.loader.known().and_then(|loader| loader.system);
    let keeps_images = system.is_some_and(System::keeps_images);
    if generator.is_some() && !keeps_images {
        let images = image::images(snapshot, boot, &contents);
        preparation.by_hand.extend(image::left(boot, &images));
        preparation.steps.extend(images.into_iter().map(Step::Remake));
    }
    if image::generator(boot) == Some(Generator::Booster) {
        preparation.by_hand.push(
            "images of booster's have no udev: a driver that is in them has the device until the host itself has started, and it is unbound then; `passthru prepare` with the device keeps such a driver out"
                .to_owned(),
        );
    } else if !preparation.steps.iter().any(Step::makes_image) {
        preparation.by_hand.push(format!(
            "put {} and vfio-pci into the initramfs, if there is one: what drives a device there is faster than a rule that comes later, and has to be unbound again",
            boot.path(RULES)
        ));
        let then = system.filter(|_| keeps_images).and_then(|system| system.then(generator));
        preparation.by_hand.extend(then);
    }
    let functions = match change {
        Change::Persist { functions, .. } => functions,
        Change::Forget { .. } => &[],
    };
    preparation.see_to_ways_of_the_system(boot, functions);
    Ok(preparation)
}

fn changed(snapshot: &Snapshot, before: &[Rule], change: Change<'_>) -> Vec<Rule> {
    let (Change::Persist { functions, .. } | Change::Forget { functions }) = change;
    let named: Vec<&Function> = functions.iter().filter_map(|bdf| snapshot.get(*bdf)).collect();
    let stays = |rule: &&Rule| {
        let about = named.iter().any(|function| rule.is_about(function));
        // Of a device that is gone, the address is all that is left.
        let gone = functions.contains(&rule.seen) && snapshot.get(rule.seen).is_none();
        !about && !gone
    };
    let mut after: Vec<Rule> = before.iter().filter(stays).cloned().collect();
    if let Change::Persist { driver, .. } = change {
        let rules = named.iter().filter_map(|function| Rule::of(function, driver));
        after.extend(rules.map(|rule| told_apart(snapshot, rule)));
        after.sort_by_key(|rule| rule.seen);
    }
    after
}

/// Virtual functions may differ in nothing but their bus.
fn told_apart(snapshot: &Snapshot, mut rule: Rule) -> Rule {
    let mut alike = snapshot.functions.values().filter(|function| rule.is_about(function));
    rule.only_there = alike.any(|function| function.bdf != rule.seen);
    rule
}

/// The modules that must be in the initramfs; what is built in is there anyway.
fn modules(snapshot: &Snapshot, rules: &[Rule]) -> Vec<String> {
    let mut modules: Vec<String> = Vec::new();
    for rule in rules {
        let module = module_of(&rule.driver).replace('-', "_");
        let built_in = snapshot.machine.guest_driver(&rule.driver).is(&ModuleState::BuiltIn);
        if !built_in {
            add(&mut modules, module);
        }
    }
    modules
}

/// What puts the rule and the drivers into images.
fn of_generator(
    generator: Generator,
    boot: &Boot,
    modules: &[String],
) -> Option<(&'static str, String)> {
    let (rules, modules) = (boot.path(RULES), modules.join(" "));
    let mut text = PERSISTED.to_owned();
    let name = match generator {
        Generator::InitramfsTools => {
            text.insert_str(0, "#!/bin/sh\n");
            text += "if [ \"$1\" = prereqs ]; then exit 0; fi\n";
            text += ". /usr/share/initramfs-tools/hook-functions\n";
            // 1: another hook has copied it.
            let _ = writeln!(text, "copy_file rule {rules} || [ $? = 1 ]");
            if !modules.is_empty() {
                let _ = writeln!(text, "manual_add_modules {modules}");
            }
            BINDINGS_HOOK
        }
        Generator::Dracut => {
            let _ = writeln!(text, "install_items+=\" {rules} \"");
            if !modules.is_empty() {
                let _ = writeln!(text, "add_drivers+=\" {modules} \"");
            }
            BINDINGS_DRACUT
        }
        Generator::Mkinitcpio => {
            let _ = writeln!(text, "FILES+=({rules})");
            if !modules.is_empty() {
                let _ = writeln!(text, "MODULES+=({modules})");
            }
            BINDINGS_MKINITCPIO
        }
        Generator::Booster => return None,
    };
    Some((name, text))
}

/// Before whoever might want the devices, and after the modules are loaded.
fn unit(boot: &Boot, program: &str) -> String {
    format!(
        "{PERSISTED}[Unit]
Description=Devices that are kept for guests
Documentation=man:passthru-bind(1)
After=systemd-modules-load.service systemd-udev-settle.service
Before=display-manager.service libvirtd.service virtqemud.service libvirt-guests.service
ConditionPathExists={}

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={program} bind --persisted
",
        boot.path(RULES)
    )
}

fn wants() -> String {
    format!("{PERSISTED}[Unit]\nWants=passthru-bindings.service\n")
}

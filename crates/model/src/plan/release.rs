//! Back to the host drivers: what bind did, undone in reverse.
//!
//! In: what the journal says was done, and what the machine shows now. A
//! step whose undoing already holds is left out, so releasing twice is
//! releasing once. Nothing is refused here: whether a guest still has the
//! device is for the engine to know.

use std::collections::{BTreeMap, BTreeSet};

use super::Plan;
use super::holders::is_vfio_driver;
use crate::bdf::Bdf;
use crate::fact::Fact;
use crate::function::{Function, PowerControl, is_for_guests};
use crate::intent::Release;
use crate::reason::{Code, Reason};
use crate::snapshot::Snapshot;
use crate::step::{Step, Undo};

pub(super) fn plan(snapshot: &Snapshot, intent: &Release) -> Plan {
    let moving = movers(snapshot, intent);
    let functions = moving.iter().filter_map(|bdf| snapshot.get(*bdf));
    // What each function will be after the steps so far.
    let mut then: BTreeMap<Bdf, Function> =
        functions.map(|function| (function.bdf, function.clone())).collect();
    let (mut steps, mut notes) = (Vec::new(), Vec::new());
    for done in intent.done.iter().rev() {
        let Undo::Step(undo) = done.undo() else { continue };
        let Some(bdf) = undo.bdf() else {
            steps.push(undo);
            continue;
        };
        let Some(function) = then.get_mut(&bdf) else { continue };
        let undo = match undo {
            Step::Probe { bdf, driver } if intent.missing.contains(&driver) => {
                notes.push(missing(bdf, &driver));
                Step::ProbeAny { bdf }
            }
            undo => undo,
        };
        for step in needed(function, undo) {
            assume(&step, function);
            steps.push(step);
        }
    }
    if intent.done.is_empty() || intent.to_host {
        steps.extend(then.values().flat_map(unrecorded));
    }
    let rests = |function: &&Function| {
        let guests = function.driver_name().is_some_and(is_for_guests);
        intent.devices.contains(&function.bdf)
            && !guests
            && !steps.iter().any(|step| step.bdf() == Some(function.bdf))
    };
    notes.extend(then.values().filter(rests).map(with_host));
    Plan { steps, notes }
}

fn with_host(function: &Function) -> Reason {
    let text = match function.driver_name() {
        Some(driver) => format!("it is with the host already, its driver is {driver}"),
        None => "it is with the host already, and no driver has it".to_owned(),
    };
    Reason::at(Code::WithHost, function.bdf, text, "")
}

/// A driver that is gone cannot take its device back; staying with the
/// guest's driver for that would help nobody.
fn missing(bdf: Bdf, driver: &str) -> Reason {
    let text = format!("its driver {driver} is not there any more: the kernel looks for another");
    let hint = format!("load the module of {driver}: it takes the device then");
    Reason::at(Code::DriverMissing, bdf, text, hint)
}

/// The groups of the named devices, and whatever the journal says was moved with them.
fn movers(snapshot: &Snapshot, intent: &Release) -> BTreeSet<Bdf> {
    let groups = intent.devices.iter().flat_map(|bdf| snapshot.movers(*bdf));
    let mut moving: BTreeSet<Bdf> = groups.map(|function| function.bdf).collect();
    moving.extend(intent.done.iter().filter_map(Step::bdf));
    moving
}

/// The way back from one step. A driver of guests may still, or again, have
/// the function when the host's is to be probed: when an override could not
/// be cleared, any probe brings it back.
fn needed(function: &Function, undo: Step) -> Vec<Step> {
    let bound = function.driver_name().filter(|driver| is_vfio_driver(driver));
    match (&undo, bound) {
        (Step::Probe { bdf, .. } | Step::ProbeAny { bdf }, Some(bound)) => {
            vec![Step::Unbind { bdf: *bdf, driver: bound.to_owned() }, undo]
        }
        _ => still_needed(function, undo).into_iter().collect(),
    }
}

/// The step as the function needs it; `None` when it holds already.
fn still_needed(function: &Function, step: Step) -> Option<Step> {
    let driver = function.driver_name();
    match step {
        Step::Unbind { driver: ref bound, .. } if driver != Some(bound) => None,
        // A driver of the host's is there: the one that is wanted, or one
        // that somebody chose since. Either way the host has it back.
        Step::Probe { .. } | Step::ProbeAny { .. }
            if driver.is_some_and(|driver| !is_vfio_driver(driver)) =>
        {
            None
        }
        Step::SetDriverOverride { bdf, to, .. } => {
            let from = function.driver_override.known().cloned().flatten();
            (from != to).then_some(Step::SetDriverOverride { bdf, from, to })
        }
        Step::SetPowerControl { bdf, to, .. } => {
            let from = function.power_control.known()?.word().to_owned();
            (from != to).then_some(Step::SetPowerControl { bdf, from, to })
        }
        Step::SetD3cold { bdf, to, .. } => {
            let from = *function.d3cold_allowed.known()?;
            (from != to).then_some(Step::SetD3cold { bdf, from, to })
        }
        other => Some(other),
    }
}

/// What the function will be once the step is done.
fn assume(step: &Step, function: &mut Function) {
    match step {
        Step::Unbind { driver, .. } => {
            function.driver = Fact::Known(None);
            // VFIO forbids sleep again when it lets go: pm_runtime_forbid()
            // in vfio_pci_core_unregister_device().
            if is_vfio_driver(driver) {
                function.power_control = Fact::Known(PowerControl::On);
            }
        }
        Step::Probe { driver, .. } => function.driver = Fact::Known(Some(driver.clone())),
        Step::SetDriverOverride { to, .. } => function.driver_override = Fact::Known(to.clone()),
        Step::SetPowerControl { to, .. } => {
            let on = to == PowerControl::On.word();
            function.power_control =
                Fact::Known(if on { PowerControl::On } else { PowerControl::Auto });
        }
        Step::SetD3cold { to, .. } => function.d3cold_allowed = Fact::Known(*to),
        _ => {}
    }
}

/// A function that somebody else bound: the kernel picks its driver.
fn unrecorded(function: &Function) -> Vec<Step> {
    let bdf = function.bdf;
    let mut steps = Vec::new();
    let Some(driver) = function.driver_name().filter(|driver| is_for_guests(driver)) else {
        return steps;
    };
    steps.push(Step::Unbind { bdf, driver: driver.to_owned() });
    if let Some(from) = function.driver_override.known().cloned().flatten() {
        steps.push(Step::SetDriverOverride { bdf, from: Some(from), to: None });
    }
    steps.push(Step::ProbeAny { bdf });
    steps
}

//! Services that draw on screens, or keep a vendor's cards in use.
//!
//! In: units that are active and have nothing left but devices that go to
//! guests. Out: each is kept from starting at boot by a drop-in file of ours;
//! one that nobody feels is stopped now, too. A desktop ends with the reboot:
//! whoever prepares the host may sit at it (docs/decisions/0017).

use super::Preparation;
use crate::ours::{PREPARED, drop_in};
use crate::plan::write;
use crate::setup::boot::Boot;
use crate::setup::services::Purpose;
use crate::step::Step;

pub(super) fn plan(units: &[String], boot: &Boot, preparation: &mut Preparation) {
    let is_felt = |unit: &&String| Purpose::of(unit) != Purpose::Nvidia;
    let (felt, unfelt): (Vec<&String>, Vec<&String>) = units.iter().partition(is_felt);
    preparation.reboot |= !felt.is_empty();
    let stop = |unit: &String| Step::StopUnit { unit: unit.clone(), triggers: Vec::new() };
    preparation.steps.extend(unfelt.into_iter().map(stop));
    // Behind the stops, so that on the way back they are gone before the starts.
    for unit in units {
        let path = boot.path(&drop_in(unit));
        let text = PREPARED.to_owned() + &condition(&path);
        preparation.steps.extend(write(boot, &path, Some(&text)));
    }
}

/// A condition that is met without this file, so that removing the file is
/// enough (systemd.unit(5): a unit whose condition is not met is passed over,
/// and what needs it starts all the same).
fn condition(path: &str) -> String {
    format!("[Unit]\nConditionPathExists=!{path}\n")
}

//! Steps that change no device: kernel modules and systemd units.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::Step;
use model::parse::unit;
use model::port::{Cmd, Output};

use super::attribute::plain_name;
use super::{Applier, ApplyError, Outcome, Stop};

/// systemd gives a unit 90 s to stop before it kills it (`DefaultTimeoutStopSec=`,
/// systemd-system.conf(5)); the command comes back after that.
const UNIT_DEADLINE: Duration = Duration::from_secs(100);

impl Applier {
    pub(super) fn load_module(&mut self, module: &str) -> Result<Outcome, Stop> {
        plain_name(module)?;
        // The kernel writes `-` in module names as `_`.
        if self.root.module(&module.replace('-', "_")).exists() {
            return Ok(Outcome::Already);
        }
        self.run_well(Cmd::new("modprobe", [module]))?;
        Ok(Outcome::Done)
    }

    pub(super) fn stop_unit(&mut self, unit: &str, with: &[String]) -> Result<Outcome, Stop> {
        self.bring_units(&together(unit, with), "stop", ends_as_stopped)
    }

    pub(super) fn start_unit(&mut self, unit: &str, with: &[String]) -> Result<Outcome, Stop> {
        self.bring_units(&together(unit, with), "start", ends_as_started)
    }

    /// The steps that stop these units, in their order: before each the active
    /// ones that systemd would stop with it, and would not start again with
    /// it; with each those that would start it again. Where systemd does not
    /// answer, the units as they were given.
    pub fn stop_order(&mut self, units: &[String]) -> Vec<Step> {
        let known = self.active_units(units);
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        units.iter().for_each(|unit| behind_dependents(unit, &known, &mut seen, &mut order));
        let step = |unit: String| {
            let triggers = known.get(&unit).map_or(&[][..], |known| &known.triggers);
            let active = triggers.iter().filter(|trigger| known.contains_key(*trigger));
            Step::StopUnit { triggers: active.cloned().collect(), unit }
        };
        order.into_iter().map(step).collect()
    }

    /// Active units by name: these, those that go down with them, and those
    /// that start them.
    fn active_units(&mut self, units: &[String]) -> BTreeMap<String, unit::Unit> {
        let mut known = BTreeMap::new();
        let mut asked: BTreeSet<String> = units.iter().cloned().collect();
        let mut ask = units.to_vec();
        while !ask.is_empty() {
            let args = ["show".to_owned(), format!("--property={}", unit::PROPERTIES)];
            let Ok(shown) = self.run_well(Cmd::new("systemctl", args.into_iter().chain(ask)))
            else {
                return known;
            };
            let found = unit::units(&shown.stdout).into_iter().filter(|unit| unit.active);
            let found: Vec<unit::Unit> = found.collect();
            let next = found.iter().flat_map(|unit| unit.dependents.iter().chain(&unit.triggers));
            let plain = next.filter(|name| plain_name(name).is_ok());
            ask = plain.filter(|name| asked.insert((*name).clone())).cloned().collect();
            // By each of its names: it may have been asked for by another.
            for unit in found {
                for name in unit.names.iter().chain([&unit.id]) {
                    known.insert(name.clone(), unit.clone());
                }
            }
        }
        known
    }

    fn bring_units(
        &mut self,
        units: &[&str],
        verb: &str,
        wanted: fn(&str) -> bool,
    ) -> Result<Outcome, Stop> {
        units.iter().try_for_each(|unit| plain_name(unit))?;
        if self.first_not(units, wanted)?.is_none() {
            return Ok(Outcome::Already);
        }
        let mut cmd = Cmd::new("systemctl", [verb].iter().chain(units).copied());
        cmd.deadline = UNIT_DEADLINE;
        self.run_well(cmd.clone())?;
        match self.first_not(units, wanted)? {
            None => Ok(Outcome::Done),
            Some((unit, state)) => Err(ApplyError::Unit { unit, state, cmd }.into()),
        }
    }

    /// The first unit in another state than the wanted one, and its state.
    fn first_not(
        &mut self,
        units: &[&str],
        wanted: fn(&str) -> bool,
    ) -> Result<Option<(String, String)>, Stop> {
        for unit in units {
            let state = self.unit_state(unit)?;
            if !wanted(&state) {
                return Ok(Some(((*unit).to_owned(), state)));
            }
        }
        Ok(None)
    }

    /// `systemctl is-active` prints the state and ends with 0 only for an
    /// active unit; without systemd it prints nothing.
    fn unit_state(&mut self, unit: &str) -> Result<String, Stop> {
        let cmd = Cmd::new("systemctl", ["is-active", unit]);
        let output = self.runner.run(&cmd).map_err(ApplyError::Run)?;
        match output.stdout.trim() {
            "" => Err(ApplyError::command(cmd, &output).into()),
            state => Ok(state.to_owned()),
        }
    }

    pub(super) fn run_well(&mut self, cmd: Cmd) -> Result<Output, Stop> {
        let output = self.runner.run(&cmd).map_err(ApplyError::Run)?;
        match output.status {
            Some(0) => Ok(output),
            _ => Err(ApplyError::command(cmd, &output).into()),
        }
    }
}

/// Those that start a unit stand before it: stopped first, they do not start
/// it again; started first, a socket is not refused for its running service
/// (`socket_start()` in systemd's src/core/socket.c).
fn together<'a>(unit: &'a str, with: &'a [String]) -> Vec<&'a str> {
    with.iter().map(String::as_str).chain([unit]).collect()
}

/// Adds a unit behind the active ones that go down with it, each once.
fn behind_dependents(
    unit: &str,
    known: &BTreeMap<String, unit::Unit>,
    seen: &mut BTreeSet<String>,
    order: &mut Vec<String>,
) {
    if !seen.insert(unit.to_owned()) {
        return;
    }
    let dependents = known.get(unit).into_iter().flat_map(|unit| &unit.dependents);
    for dependent in dependents.filter(|dependent| known.contains_key(*dependent)) {
        behind_dependents(dependent, known, seen, order);
    }
    order.push(unit.to_owned());
}

/// `unknown` is what older systemd prints for a unit that it does not have.
fn ends_as_stopped(state: &str) -> bool {
    ["inactive", "failed", "unknown"].contains(&state)
}

fn ends_as_started(state: &str) -> bool {
    ["active", "reloading", "refreshing"].contains(&state)
}

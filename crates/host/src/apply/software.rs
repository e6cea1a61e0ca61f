//! Steps that change no device: kernel modules and systemd units.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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

    pub(super) fn stop_unit(&mut self, unit: &str) -> Result<Outcome, Stop> {
        self.bring_unit(unit, "stop", ends_as_stopped)
    }

    pub(super) fn start_unit(&mut self, unit: &str) -> Result<Outcome, Stop> {
        self.bring_unit(unit, "start", ends_as_started)
    }

    /// The order in which to stop these units: before each the active ones
    /// that systemd would stop with it, and would not start again with it.
    /// Where systemd does not answer, as they were given.
    pub fn stop_order(&mut self, units: &[String]) -> Vec<String> {
        let known = self.dependents(units);
        let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
        units.iter().for_each(|unit| behind_dependents(unit, &known, &mut seen, &mut order));
        order
    }

    /// Active units by name, each with those that go down with it.
    fn dependents(&mut self, units: &[String]) -> BTreeMap<String, Vec<String>> {
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
            let next = found.iter().flat_map(|unit| &unit.dependents);
            let plain = next.filter(|name| plain_name(name).is_ok());
            ask = plain.filter(|name| asked.insert((*name).clone())).cloned().collect();
            known.extend(found.into_iter().map(|unit| (unit.id, unit.dependents)));
        }
        known
    }

    fn bring_unit(
        &mut self,
        unit: &str,
        verb: &str,
        wanted: fn(&str) -> bool,
    ) -> Result<Outcome, Stop> {
        plain_name(unit)?;
        if wanted(&self.unit_state(unit)?) {
            return Ok(Outcome::Already);
        }
        let mut cmd = Cmd::new("systemctl", [verb, unit]);
        cmd.deadline = UNIT_DEADLINE;
        self.run_well(cmd.clone())?;
        let state = self.unit_state(unit)?;
        if wanted(&state) {
            return Ok(Outcome::Done);
        }
        Err(ApplyError::Unit { unit: unit.to_owned(), state, cmd }.into())
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

    fn run_well(&mut self, cmd: Cmd) -> Result<Output, Stop> {
        let output = self.runner.run(&cmd).map_err(ApplyError::Run)?;
        match output.status {
            Some(0) => Ok(output),
            _ => Err(ApplyError::command(cmd, &output).into()),
        }
    }
}

/// Adds a unit behind the active ones that go down with it, each once.
fn behind_dependents(
    unit: &str,
    known: &BTreeMap<String, Vec<String>>,
    seen: &mut BTreeSet<String>,
    order: &mut Vec<String>,
) {
    if !seen.insert(unit.to_owned()) {
        return;
    }
    let dependents = known.get(unit).into_iter().flatten();
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

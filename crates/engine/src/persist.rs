//! `bind --persist`, `release --forget`, `bind --persisted`: bindings that
//! outlast a reboot.
//!
//! In: which devices. Out: what is written down, or what was bound by it. A
//! change that was cut off is taken back by whoever comes next, after a reboot
//! as well.

use model::boot::udev_rules::Rule;
use model::intent::Bind;
use model::plan::Plan;
use model::plan::persist::{self, Change};
use model::plan::prepare::Preparation;
use model::{Bdf, Snapshot};

use crate::Engine;
use crate::bind::{BindRequest, Report, movers};
use crate::error::Error;
use crate::recover::Recovered;
use crate::store::Verb;

/// What became of a group that persists.
#[derive(Debug)]
pub struct Rebound {
    pub functions: Vec<Bdf>,
    pub result: Result<Report, Error>,
}

impl Engine {
    /// What is to be written down for a binding to persist.
    pub fn plan_persist(&self, request: &BindRequest) -> Result<Preparation, Error> {
        let snapshot = self.observe();
        let Bind { devices, driver, .. } =
            crate::bind::bind_intent(&snapshot, request, &self.registered()?)?;
        let functions = movers(&snapshot, &devices);
        let change = Change::Persist { functions: &functions, driver: &driver };
        self.plan_change(&snapshot, change)
    }

    /// What is to be written down for bindings not to persist any more, and
    /// which of the devices are there to be released.
    pub fn plan_forget(&self, devices: &[String]) -> Result<(Preparation, Vec<String>), Error> {
        let snapshot = self.observe();
        let devices = crate::target::resolve_all(devices, &snapshot, &self.registered()?)?;
        let mut functions = movers(&snapshot, &devices);
        functions.extend(&devices);
        let preparation = self.plan_change(&snapshot, Change::Forget { functions: &functions })?;
        let there = devices.iter().filter(|bdf| snapshot.get(**bdf).is_some());
        Ok((preparation, there.map(ToString::to_string).collect()))
    }

    fn plan_change(&self, snapshot: &Snapshot, change: Change<'_>) -> Result<Preparation, Error> {
        let boot = host::setup::boot(&self.root);
        Ok(persist::persist(snapshot, &boot, change, &self.own.line(&self.root))?)
    }

    /// Writes down what was planned.
    pub fn persist(&mut self, preparation: &Preparation) -> Result<Recovered, Error> {
        self.write_down(Verb::Persist, preparation)
    }

    /// The functions that are bound at boot, and the rules that say so.
    pub fn persisted(&self, snapshot: &Snapshot) -> Result<Vec<(Bdf, Rule)>, Error> {
        let rules = host::setup::boot(&self.root).bindings()?;
        let about = |rule: Rule| {
            let found = snapshot.functions.values().find(|function| rule.is_about(function))?;
            Some((found.bdf, rule))
        };
        Ok(rules.into_iter().filter_map(about).collect())
    }

    /// Binds whatever persists, if a driver of the host has taken it. What is
    /// refused or fails leaves the other groups alone.
    pub fn bind_persisted(&mut self) -> Result<Vec<Rebound>, Error> {
        let groups = self.groups_that_persist()?;
        let rebound = groups
            .into_iter()
            .map(|(functions, request)| Rebound { functions, result: self.bind(&request) });
        Ok(rebound.collect())
    }

    /// What [`bind_persisted`](Self::bind_persisted) would do.
    pub fn plan_bind_persisted(&mut self) -> Result<Plan, Error> {
        let mut whole = Plan::default();
        for (_, request) in self.groups_that_persist()? {
            let plan = self.plan_bind(&request)?;
            whole.steps.extend(plan.steps);
            whole.notes.extend(plan.notes);
        }
        Ok(whole)
    }

    /// What moves together, each once.
    fn groups_that_persist(&self) -> Result<Vec<(Vec<Bdf>, BindRequest)>, Error> {
        let snapshot = self.observe();
        let mut groups: Vec<(Vec<Bdf>, BindRequest)> = Vec::new();
        for (bdf, rule) in self.persisted(&snapshot)? {
            if groups.iter().any(|(functions, _)| functions.contains(&bdf)) {
                continue;
            }
            let request = BindRequest {
                devices: vec![bdf.to_string()],
                driver: Some(rule.driver),
                ..BindRequest::default()
            };
            groups.push((movers(&snapshot, &[bdf]), request));
        }
        Ok(groups)
    }
}

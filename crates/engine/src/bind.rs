//! `bind`: whole groups to a guest's driver.
//!
//! In: which devices, and what the user lets go. Out: what was done, or every
//! reason against it, or a [`crate::error::Failure`] after the way back.

use std::collections::BTreeSet;

use model::identity::Identity;
use model::intent::Bind;
use model::plan::Plan;
use model::reason::Code;
use model::verdict::Moving;
use model::{Bdf, GroupId, Reason, Snapshot, Step};

use crate::Engine;
use crate::assignment::Holdings;
use crate::error::Error;
use crate::recover::Recovered;
use crate::store::{Assignment, AssignmentState, Binding, Process, Registered, Verb};
use crate::transaction::Work;
use crate::turn::{Turn, with_groups};

/// What to bind.
#[derive(Clone, Debug, Default)]
pub struct BindRequest {
    /// Addresses, registered names, or `vendor:device`.
    pub devices: Vec<String>,
    /// `vfio-pci` when empty.
    pub driver: Option<String>,
    /// Refusals that the user named and lets go.
    pub overrides: BTreeSet<Code>,
    /// Whether services that others feel may be stopped.
    pub stop_services: bool,
}

/// The guest that devices are bound for.
#[derive(Clone, Debug)]
pub(crate) struct To<'a> {
    pub guest: &'a str,
    pub state: AssignmentState,
    /// Who sees to the hand-over until it is done.
    pub owner: Option<Process>,
    /// What speaks against it beyond the devices.
    pub against: Vec<Reason>,
}

/// A bind that nothing speaks against.
#[derive(Clone, Debug)]
pub(crate) struct Ready {
    pub plan: Plan,
    moving: Vec<Bdf>,
    steps: Vec<(Step, Option<GroupId>)>,
    bindings: Vec<Binding>,
    assignments: Vec<Assignment>,
    guest: Option<String>,
}

/// What a verb did.
#[derive(Debug, Default)]
pub struct Report {
    /// Every function that moved, or was where it should be.
    pub functions: Vec<Bdf>,
    /// In the order in which they were applied. Empty when nothing was to do.
    pub steps: Vec<Step>,
    /// What the user should know.
    pub notes: Vec<Reason>,
    /// What an earlier, cut off verb had left behind.
    pub recovered: Recovered,
}

impl Engine {
    /// Moves the groups of devices to a guest's driver. All of them or none.
    ///
    /// # Errors
    /// [`Error::Refused`] with every reason when nothing was changed,
    /// [`Error::Failed`] when a step failed and the others were undone.
    pub fn bind(&mut self, request: &BindRequest) -> Result<Report, Error> {
        let mut turn = self.turn("bind")?;
        let mut snapshot = turn.observe()?;
        let intent = bind_intent(&snapshot, request, &turn.store.devices()?)?;
        let mut report = turn.bind(&mut snapshot, &intent)?;
        report.recovered = std::mem::take(&mut turn.recovered);
        Ok(report)
    }

    /// What [`bind`](Self::bind) would do. Changes nothing and needs no lock.
    pub fn plan_bind(&mut self, request: &BindRequest) -> Result<Plan, Error> {
        let mut snapshot = self.observe();
        let intent = bind_intent(&snapshot, request, &self.registered()?)?;
        let holdings = self.holdings()?;
        self.weigh(&mut snapshot, &intent, &holdings, None)
    }

    /// The plan of a bind, for a guest that gets the named devices or for a
    /// person, or every reason against it.
    pub(crate) fn weigh(
        &mut self,
        snapshot: &mut Snapshot,
        intent: &Bind,
        holdings: &Holdings,
        to: Option<&To<'_>>,
    ) -> Result<Plan, Error> {
        let moving = movers(snapshot, &intent.devices);
        let grouped = with_groups(snapshot, &moving);
        let reasons = match to {
            Some(To { guest, against, .. }) => {
                let named = with_groups(snapshot, &intent.devices);
                let others = holdings.against_giving(guest, &grouped, &named);
                against.iter().cloned().chain(others).collect()
            }
            None => holdings.against(None, &grouped),
        };
        // A device in doubt holds its lock: nothing of it is read then.
        if !reasons.iter().any(|reason| reason.code == Code::InDoubt) {
            self.look_closer(snapshot, &moving);
            self.look_for_driver(snapshot, &intent.driver);
        }
        Ok(self.plan_bind_with(snapshot, intent, reasons)?)
    }
}

pub(crate) fn bind_intent(
    snapshot: &Snapshot,
    request: &BindRequest,
    registered: &[Registered],
) -> Result<Bind, Error> {
    Ok(Bind {
        devices: crate::target::resolve_all(&request.devices, snapshot, registered)?,
        driver: request.driver.clone().unwrap_or_else(|| "vfio-pci".to_owned()),
        overrides: request.overrides.clone(),
        stop_services: request.stop_services,
    })
}

impl Turn<'_> {
    /// Plans, journals and applies a bind.
    pub fn bind(&mut self, snapshot: &mut Snapshot, intent: &Bind) -> Result<Report, Error> {
        let ready = self.may_bind(snapshot, intent, None)?;
        self.carry_out_bind(ready)
    }

    /// Plans a bind, or says every reason against it. For a guest, the named
    /// devices will be assigned to it in the same breath.
    pub fn may_bind(
        &mut self,
        snapshot: &mut Snapshot,
        intent: &Bind,
        to: Option<&To<'_>>,
    ) -> Result<Ready, Error> {
        let holdings = self.holdings()?;
        let plan = self.engine.weigh(snapshot, intent, &holdings, to)?;
        let moving = movers(snapshot, &intent.devices);
        let grouped = with_groups(snapshot, &moving);
        let named = with_groups(snapshot, &intent.devices);
        let guest = to.map(|to| to.guest.to_owned());
        Ok(Ready {
            steps: with_group_of_step(snapshot, &plan.steps),
            bindings: self.bindings_for(snapshot, &grouped, &intent.driver, guest.as_deref()),
            assignments: self.assignments_for(&named, to),
            plan,
            moving,
            guest,
        })
    }

    /// Journals and applies a bind that nothing speaks against.
    pub fn carry_out_bind(&mut self, ready: Ready) -> Result<Report, Error> {
        let Ready { plan, moving, steps, bindings, assignments, guest } = ready;
        self.carry_out(&Work {
            verb: Verb::Bind,
            guest: guest.as_deref(),
            steps,
            bindings: &bindings,
            assignments: &assignments,
            interruptible: true,
        })?;
        let recovered = Recovered::default();
        Ok(Report { functions: moving, steps: plan.steps, notes: plan.notes, recovered })
    }

    fn bindings_for(
        &self,
        snapshot: &Snapshot,
        functions: &[(Bdf, Option<GroupId>)],
        driver: &str,
        guest: Option<&str>,
    ) -> Vec<Binding> {
        let bindings = grouped_only(functions).into_iter().map(|(bdf, group)| Binding {
            bdf,
            group,
            boot_id: self.boot_id.clone(),
            driver: driver.to_owned(),
            guest: guest.map(str::to_owned),
            identity: snapshot.get(bdf).and_then(Identity::of),
        });
        bindings.collect()
    }

    pub fn assignments_for(
        &self,
        functions: &[(Bdf, Option<GroupId>)],
        to: Option<&To<'_>>,
    ) -> Vec<Assignment> {
        let Some(to) = to else { return Vec::new() };
        let assignments = grouped_only(functions).into_iter().map(|(bdf, group)| Assignment {
            bdf,
            group,
            boot_id: self.boot_id.clone(),
            guest: to.guest.to_owned(),
            state: to.state,
            owner: to.owner,
        });
        assignments.collect()
    }
}

/// The functions that move with these devices, in bus order.
pub(crate) fn movers(snapshot: &Snapshot, devices: &[Bdf]) -> Vec<Bdf> {
    Moving::groups_of(snapshot, devices).set.into_iter().collect()
}

/// Steps with the groups of their functions.
pub(crate) fn with_group_of_step(
    snapshot: &Snapshot,
    steps: &[Step],
) -> Vec<(Step, Option<GroupId>)> {
    let group = |step: &Step| snapshot.get(step.bdf()?)?.group_id();
    steps.iter().map(|step| (step.clone(), group(step))).collect()
}

/// Those that are in a group: all that a planner lets through are.
fn grouped_only(functions: &[(Bdf, Option<GroupId>)]) -> Vec<(Bdf, GroupId)> {
    functions.iter().filter_map(|(bdf, group)| Some((*bdf, (*group)?))).collect()
}

//! `release`: back to the host, as the journal says it was.
//!
//! In: which devices. Out: what was done. Each group goes by itself: one that
//! fails is put back as it was, and the others go on. A device that somebody
//! else bound is given to whichever driver the kernel picks. What a guest
//! holds is refused.

use std::collections::BTreeSet;

use host::observe::has_driver;
use model::intent::{Intent, Release};
use model::plan::{Plan, Refusal};
use model::reason::Code;
use model::step::Undo;
use model::{Bdf, GroupId, Reason, Snapshot, Step};

use crate::Engine;
use crate::assignment::Holdings;
use crate::bind::{Report, movers, with_group_of_step};
use crate::error::{Error, Failure};
use crate::recover::Recovered;
use crate::store::{Assignment, Store, Verb};
use crate::transaction::Work;
use crate::turn::{Turn, plan_with, with_groups};

/// Who wants something released.
#[derive(Clone, Copy, Debug)]
pub(crate) enum By<'a> {
    /// A person, who may change their mind.
    Person,
    /// The way back of something else, for a guest that it was bound for.
    WayBack(Option<&'a str>),
}

/// What a guest's giving up of functions frees.
#[derive(Debug)]
pub(crate) struct Freed {
    /// What was bound for it and goes back to the host, group by group.
    pub bound: Vec<Vec<(Bdf, Option<GroupId>)>>,
    /// What it holds no more.
    pub held: Vec<Bdf>,
}

impl Engine {
    /// Gives the groups of devices back to the host.
    pub fn release(&mut self, devices: &[String]) -> Result<Report, Error> {
        let mut turn = self.turn("release")?;
        let mut snapshot = turn.observe()?;
        let registered = turn.store.devices()?;
        let devices = crate::target::resolve_all(devices, &snapshot, &registered)?;
        let reasons = against(&snapshot, &devices, &turn.holdings()?);
        if !reasons.is_empty() {
            return Err(Refusal { reasons }.into());
        }
        let mut report = turn.release(&mut snapshot, &devices)?;
        report.recovered = std::mem::take(&mut turn.recovered);
        Ok(report)
    }

    /// What [`release`](Self::release) would do.
    pub fn plan_release(&mut self, devices: &[String]) -> Result<Plan, Error> {
        let mut snapshot = self.observe();
        let registered = self.registered()?;
        let devices = crate::target::resolve_all(devices, &snapshot, &registered)?;
        let reasons = against(&snapshot, &devices, &self.holdings()?);
        let moving = movers(&snapshot, &devices);
        self.look_closer(&mut snapshot, &moving);
        let done = self.in_effect(&snapshot, &moving)?.into_iter().map(|step| step.step).collect();
        let intent = self.release_intent(moving, done, true);
        Ok(plan_with(&snapshot, &intent, reasons)?)
    }

    fn release_intent(&self, devices: Vec<Bdf>, done: Vec<Step>, to_host: bool) -> Intent {
        let undone = done.iter().map(Step::undo);
        let drivers = undone.filter_map(|undo| match undo {
            Undo::Step(Step::Probe { driver, .. }) => Some(driver),
            _ => None,
        });
        let missing = drivers.filter(|driver| has_driver(&self.root, driver).is(&false)).collect();
        Intent::Release(Release { devices, done, to_host, missing })
    }

    /// What is done to a group when the guest that it was bound for gives it up.
    pub(crate) fn plan_release_bound(
        &mut self,
        snapshot: &mut Snapshot,
        members: Vec<(Bdf, Option<GroupId>)>,
    ) -> Result<Plan, Error> {
        let members: Vec<Bdf> = members.into_iter().map(|(bdf, _)| bdf).collect();
        let done: Vec<Step> =
            self.in_effect(snapshot, &members)?.into_iter().map(|it| it.step).collect();
        // It was with this driver when passthru came; so it stays.
        if done.is_empty() {
            return Ok(Plan::default());
        }
        self.look_closer(snapshot, &members);
        let intent = self.release_intent(members, done, false);
        Ok(plan_with(snapshot, &intent, Vec::new())?)
    }
}

impl Turn<'_> {
    /// Releases the groups of devices, one after the other.
    fn release(&mut self, snapshot: &mut Snapshot, devices: &[Bdf]) -> Result<Report, Error> {
        let (mut steps, mut notes) = (Vec::new(), Vec::new());
        let mut functions = BTreeSet::new();
        let mut failure = Failure::default();
        for device in devices {
            if functions.contains(device) {
                continue;
            }
            let group = movers(snapshot, &[*device]);
            functions.extend(&group);
            match self.release_group(snapshot, &group, By::Person) {
                Ok(plan) => {
                    steps.extend(plan.steps);
                    notes.extend(plan.notes);
                }
                Err(Error::Failed(other)) => failure.merge(*other),
                Err(other) => return Err(other),
            }
        }
        if !failure.is_none() {
            return Err(Error::Failed(Box::new(failure)));
        }
        let functions = functions.into_iter().collect();
        Ok(Report { functions, steps, notes, recovered: Recovered::default() })
    }

    /// Releases functions that move together, and frees them.
    pub fn release_group(
        &mut self,
        snapshot: &mut Snapshot,
        functions: &[Bdf],
        by: By<'_>,
    ) -> Result<Plan, Error> {
        self.engine.look_closer(snapshot, functions);
        let in_effect = self.store.in_effect(functions, &self.boot_id)?;
        let done = in_effect.iter().map(|step| step.step.clone()).collect();
        let to_host = matches!(by, By::Person);
        let intent = self.engine.release_intent(functions.to_vec(), done, to_host);
        let plan = plan_with(snapshot, &intent, Vec::new())?;
        let (guest, interruptible) = match by {
            By::Person => (None, true),
            By::WayBack(guest) => (guest, false),
        };
        let id = self.carry_out(&Work {
            verb: Verb::Release,
            guest,
            steps: with_group_of_step(snapshot, &plan.steps),
            bindings: &[],
            assignments: &[],
            interruptible,
        })?;
        self.store.finish_release(id, &in_effect, functions)?;
        Ok(plan)
    }

    /// Frees functions that a guest held (`None`: all of them). What was
    /// bound for it goes back to the host, unless another function of the
    /// group stays with it; what a person had bound, or was found with a
    /// guest's driver, stays as it was.
    /// Answers with the steps.
    pub fn release_held(
        &mut self,
        guest: &str,
        functions: Option<&[Bdf]>,
    ) -> Result<Vec<Step>, Error> {
        let freed = Freed::by(&self.store, guest, functions)?;
        let mut steps = Vec::new();
        let mut failure = Failure::default();
        let mut snapshot = None;
        let holdings = self.holdings()?;
        for members in freed.bound {
            // The plan that is in doubt goes on when the kernel lets go.
            if is_in_doubt(&holdings, &members) {
                continue;
            }
            let members: Vec<Bdf> = members.into_iter().map(|(bdf, _)| bdf).collect();
            let snapshot = match &mut snapshot {
                Some(snapshot) => snapshot,
                none => none.insert(self.observe()?),
            };
            match self.release_bound(snapshot, &members, guest) {
                Ok(done) => steps.extend(done),
                Err(Error::Failed(other)) => failure.merge(*other),
                Err(other) => return Err(other),
            }
        }
        self.store.unassign(&freed.held)?;
        match failure.is_none() {
            true => Ok(steps),
            false => Err(Error::Failed(Box::new(failure))),
        }
    }

    fn release_bound(
        &mut self,
        snapshot: &mut Snapshot,
        members: &[Bdf],
        guest: &str,
    ) -> Result<Vec<Step>, Error> {
        let in_effect = self.store.in_effect(members, &self.boot_id)?;
        if in_effect.is_empty() {
            // It was with this driver when passthru came; so it stays.
            return self.store.forget(members).map(|()| Vec::new());
        }
        let plan = self.release_group(snapshot, members, By::WayBack(Some(guest)))?;
        plan.notes.iter().try_for_each(|note| self.store.event(guest, &note.to_string()))?;
        Ok(plan.steps)
    }
}

impl Freed {
    /// What a guest frees that gives up these functions (`None`: all).
    pub fn by(store: &Store, guest: &str, functions: Option<&[Bdf]>) -> Result<Self, Error> {
        let held = store.assignments()?.into_iter();
        let (going, staying): (Vec<Assignment>, Vec<Assignment>) = held
            .filter(|held| held.guest == guest)
            .partition(|held| functions.is_none_or(|functions| functions.contains(&held.bdf)));
        let bindings = store.bindings()?;
        let bound = bindings.iter().filter(|binding| binding.guest.as_deref() == Some(guest));
        let mut groups: BTreeSet<_> = bound.map(|binding| binding.group).collect();
        groups.retain(|group| staying.iter().all(|held| held.group != *group));
        if functions.is_some() {
            groups.retain(|group| going.iter().any(|held| held.group == *group));
        }
        let members = |group: GroupId| {
            let members = bindings.iter().filter(|binding| binding.group == group);
            members.map(|binding| (binding.bdf, Some(group))).collect()
        };
        let bound = groups.into_iter().map(members).collect();
        Ok(Self { bound, held: going.into_iter().map(|held| held.bdf).collect() })
    }
}

/// Whether some write to these functions has not come back.
pub(crate) fn is_in_doubt(holdings: &Holdings, members: &[(Bdf, Option<GroupId>)]) -> bool {
    holdings.against(None, members).iter().any(|reason| reason.code == Code::InDoubt)
}

/// Every reason why these devices cannot be released now.
fn against(snapshot: &Snapshot, devices: &[Bdf], holdings: &Holdings) -> Vec<Reason> {
    let moving = movers(snapshot, devices);
    let mut reasons = missing(snapshot, devices);
    reasons.extend(holdings.against(None, &with_groups(snapshot, &moving)));
    // A guest of somebody else's: it is in no database of ours, but its
    // hypervisor has the group open.
    let functions = moving.iter().filter_map(|bdf| snapshot.get(*bdf));
    for function in functions.filter(|function| holdings.holder(function.bdf).is_none()) {
        let holders = function.holders.known().into_iter().flatten();
        reasons.extend(holders.filter_map(|holder| model::verdict::guest_has(function, holder)));
    }
    reasons
}

fn missing(snapshot: &Snapshot, devices: &[Bdf]) -> Vec<Reason> {
    let gone = devices.iter().filter(|bdf| snapshot.get(**bdf).is_none());
    gone.flat_map(|bdf| model::verdict::verdict(snapshot, *bdf).reasons).collect()
}

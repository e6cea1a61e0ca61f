//! One writer's turn: the lock, the database, and what was cut off settled.
//!
//! In: an engine and the verb that wants to change something. Out: a
//! [`Turn`], which everything that changes the machine goes through; it ends
//! by being dropped. Never: a change of its own, beyond settling.

use std::time::Duration;

use host::paths::Root;
use model::intent::{Bind, Intent};
use model::plan::{self, Plan, Refusal};
use model::{Bdf, Code, GroupId, Reason, Snapshot, Step};

use crate::Engine;
use crate::assignment::{Holding, Holdings, Strand};
use crate::error::Error;
use crate::lock::Lock;
use crate::recover::Recovered;
use crate::store::Store;

/// How long others may be at work before something half done is left to
/// them: longer than any plan takes whose every step fails at its deadline.
const COMPLETION: Duration = Duration::from_secs(900);

/// The right to change things, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn<'e> {
    pub engine: &'e mut Engine,
    pub store: Store,
    pub boot_id: String,
    /// What was settled when the turn began.
    pub recovered: Recovered,
    _lock: Lock,
}

impl Engine {
    /// Begins a turn: takes the lock, opens the database, settles what was cut off.
    pub(crate) fn turn(&mut self, verb: &str) -> Result<Turn<'_>, Error> {
        self.turn_within(verb, self.patience)
    }

    /// A turn that completes what is half done: giving up on it would leave
    /// that to whoever comes next.
    pub(crate) fn patient_turn(&mut self, verb: &str) -> Result<Turn<'_>, Error> {
        self.turn_within(verb, self.patience.max(COMPLETION))
    }

    fn turn_within(&mut self, verb: &str, patience: Duration) -> Result<Turn<'_>, Error> {
        self.state.make()?;
        let lock = Lock::take(&self.state, verb, patience)?;
        // The process that will write starts while all else is read.
        let _ = self.applier.child();
        let store = Store::open(&self.state)?;
        let boot_id = boot_id(&self.root)?;
        let recovered = Recovered::default();
        let mut turn = Turn { engine: self, store, boot_id, recovered, _lock: lock };
        turn.recovered = turn.settle()?;
        Ok(turn)
    }
}

impl Turn<'_> {
    /// The machine as it is now: see [`Engine::observe`].
    pub fn look(&self) -> Snapshot {
        self.engine.observe_beside(&self.holdings().unwrap_or_default())
    }

    /// What guests hold, and what is in doubt.
    pub fn holdings(&self) -> Result<Holdings, Error> {
        holdings(&self.store, &self.boot_id)
    }
}

/// What guests hold, and what is in doubt, by the database.
pub(crate) fn holdings(store: &Store, boot_id: &str) -> Result<Holdings, Error> {
    let assignments = store.assignments()?;
    let held = assignments.into_iter().filter(|held| held.boot_id == boot_id);
    let held = held.map(|held| (held.bdf, Holding { guest: held.guest, group: held.group }));
    let doubtful = store.in_doubt(boot_id)?;
    let doubtful = doubtful.iter().map(|row| Strand::of(row.step.bdf(), row.group));
    Ok(Holdings::new(held, doubtful))
}

/// The number of this boot.
pub(crate) fn boot_id(root: &Root) -> Result<String, Error> {
    host::process::boot_id(root).map_err(Error::NoBootId)
}

impl Engine {
    /// The plan of a bind, or every reason against it. Units that systemd
    /// would stop along with the planned ones are stopped by steps of their
    /// own: so they are started again, too.
    pub(crate) fn plan_bind_with(
        &mut self,
        snapshot: &Snapshot,
        intent: &Bind,
        reasons: Vec<Reason>,
    ) -> Result<Plan, Refusal> {
        let mut plan = plan_with(snapshot, &Intent::Bind(intent.clone()), reasons)?;
        let others = self.stop_in_order(&mut plan.steps);
        plan.notes.extend(others.iter().map(|unit| goes_down_too(unit)));
        Ok(plan)
    }

    /// Has each unit that steps stop, which stand together, behind those that
    /// go down with it, and says which those are.
    pub(crate) fn stop_in_order(&mut self, steps: &mut Vec<Step>) -> Vec<String> {
        let stopped = |step: &Step| match step {
            Step::StopUnit { unit, .. } => Some(unit.clone()),
            _ => None,
        };
        let Some(first) = steps.iter().position(|step| stopped(step).is_some()) else {
            return Vec::new();
        };
        let asked: Vec<String> = steps.iter().filter_map(stopped).collect();
        let ordered = self.applier.stop_order(&asked);
        let others = ordered.iter().filter_map(stopped).filter(|unit| !asked.contains(unit));
        let others = others.collect();
        steps.splice(first..first + asked.len(), ordered);
        others
    }
}

fn goes_down_too(unit: &str) -> Reason {
    let text = format!("{unit} is stopped as well: it depends on a service that has to stop");
    Reason::machine(Code::ServiceMustStop, text, "it is started again on release")
}

/// The plan, or every reason against it: the planner's and those of the
/// engine, which knows who holds what.
pub(crate) fn plan_with(
    snapshot: &Snapshot,
    intent: &Intent,
    mut reasons: Vec<Reason>,
) -> Result<Plan, Refusal> {
    match plan::plan(snapshot, intent) {
        Ok(plan) if reasons.is_empty() => Ok(plan),
        Ok(_) => Err(Refusal { reasons }),
        Err(refusal) => {
            // A guest of ours is known by its name; that some process has the device open says the same again.
            let told: Vec<_> = held(&reasons).collect();
            let again =
                |reason: &Reason| reason.code == Code::Assigned && told.contains(&reason.at);
            for reason in refusal.reasons.into_iter().filter(|reason| !again(reason)) {
                // Of two functions that go together, both say so.
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
            Err(Refusal { reasons })
        }
    }
}

/// Where guests hold something.
fn held(reasons: &[Reason]) -> impl Iterator<Item = Option<Bdf>> {
    reasons.iter().filter(|reason| reason.code == Code::Assigned).map(|reason| reason.at)
}

/// Functions with their groups.
pub(crate) fn with_groups(snapshot: &Snapshot, functions: &[Bdf]) -> Vec<(Bdf, Option<GroupId>)> {
    let group = |bdf: Bdf| snapshot.get(bdf).and_then(|function| function.group_id());
    functions.iter().map(|bdf| (*bdf, group(*bdf))).collect()
}

//! `prepare --undo`: every preparation taken back, the latest first.
//!
//! In: the journal, and what becomes of files that somebody changed since.
//! Out: files as they were. What was cut off is taken back in the same way by
//! whoever comes next.

use std::collections::{BTreeMap, BTreeSet};

use host::apply::Outcome;
use host::paths::Root;
use model::Step;
use model::file::Content;
use model::step::Undo;

use crate::Engine;
use crate::error::{Error, Failure, StepError};
use crate::recover::Recovered;
use crate::store::{Mark, PlanRow, StepRow, StepState, Store};
use crate::transaction::back;
use crate::turn::{Turn, boot_id};

/// What taking everything back would do.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WayBack {
    /// In the order in which they would be done.
    pub steps: Vec<Step>,
    /// Files that somebody changed since.
    pub changed: Vec<Changed>,
}

/// A file that is not as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub path: String,
    /// What was there before the preparation.
    pub before: Option<Content>,
    pub found: Option<Content>,
}

/// What becomes of files that somebody changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChanged {
    /// They stay as they are, and are forgotten.
    Keep,
    /// They get back what they had before, and the changes are lost.
    PutBack,
}

impl WayBack {
    /// The same, when files that somebody changed stay as they are.
    #[must_use]
    pub fn keeping_changed(mut self) -> Self {
        let kept = |path: &String| self.changed.iter().any(|changed| changed.path == *path);
        self.steps.retain(|step| match step {
            Step::WriteFile { path, .. } | Step::SetGrubVariable { path, .. } => !kept(path),
            _ => true,
        });
        self
    }
}

impl Engine {
    /// What [`undo_preparations`](Self::undo_preparations) would do.
    pub fn plan_undo(&self) -> Result<WayBack, Error> {
        let Some(store) = Store::open_reading(&self.state)? else { return Ok(WayBack::default()) };
        let mut way = WayBack::default();
        // Of a file that several preparations changed, only the last one's
        // word stands in it now.
        let mut files = BTreeMap::new();
        // What a kept file has in it is seen when it is in place.
        let mut restored = BTreeSet::new();
        let boot_id = boot_id(&self.root)?;
        for plan in store.preparations()? {
            let rows = store.steps(plan.id)?;
            for at in back(&rows) {
                let Some(step) = way_back(&rows[at]) else { continue };
                // A reboot took it back.
                if plan.boot_id != boot_id && step.void_after_reboot() {
                    continue;
                }
                match &step {
                    Step::Restore(made) => drop(restored.insert(made.path.clone())),
                    Step::WriteFile { path, .. } if restored.contains(path) => {}
                    _ => way.changed.extend(changed(&self.root, &mut files, &step)),
                }
                way.steps.push(step);
            }
        }
        Ok(way)
    }

    /// Takes every preparation back that is in effect, the latest first.
    pub fn undo_preparations(&mut self, changed: OnChanged) -> Result<Recovered, Error> {
        let mut turn = self.turn("prepare")?;
        turn.store.make_durable()?;
        for plan in turn.store.preparations()? {
            let mut rows = turn.store.steps(plan.id)?;
            turn.pass_over_changed(&plan, &mut rows, changed)?;
            turn.undo_preparation(&plan, rows)?;
        }
        Ok(std::mem::take(&mut turn.recovered))
    }
}

/// The way back from a step that was done.
fn way_back(row: &StepRow) -> Option<Step> {
    match row.step.undo() {
        Undo::Step(step) if row.state == StepState::Done => Some(step),
        _ => None,
    }
}

/// The file that a step back would put back, if it is not as it was left.
/// `files` has what earlier steps back will have put there.
fn changed(
    root: &Root,
    files: &mut BTreeMap<String, Option<Content>>,
    step: &Step,
) -> Option<Changed> {
    let text = |value: &Option<String>| value.as_deref().map(Content::from);
    let (path, key, from, to, look) = match step {
        Step::WriteFile { path, from, to } => {
            (path, path.clone(), from.clone(), to.clone(), host::setup::content(root, path))
        }
        Step::SetGrubVariable { path, name, from, to } => {
            let found = host::setup::grub_variable(root, path, name);
            (path, format!("{path}:{name}"), text(from), text(to), text(&found))
        }
        _ => return None,
    };
    let found = files.remove(&key).unwrap_or(look);
    let as_left = found == from || found == to;
    files.insert(key, to.clone());
    (!as_left).then(|| Changed { path: path.clone(), before: to, found })
}

/// The step back, from what somebody made of a file since.
fn from_found(step: &Step, found: Option<Content>) -> Step {
    match step.clone() {
        Step::WriteFile { path, to, .. } => Step::WriteFile { path, from: found, to },
        Step::SetGrubVariable { path, name, to, .. } => {
            let from = found.map(|found| found.text().into_owned());
            Step::SetGrubVariable { path, name, from, to }
        }
        step => step,
    }
}

impl Turn<'_> {
    /// Sees to the files that somebody changed since: they are put back all
    /// the same, or forgotten.
    fn pass_over_changed(
        &mut self,
        plan: &PlanRow,
        rows: &mut [StepRow],
        on_changed: OnChanged,
    ) -> Result<(), Error> {
        for row in rows.iter_mut().rev() {
            let Some(step) = way_back(row) else { continue };
            let Some(Changed { found, .. }) =
                changed(&self.engine.root, &mut BTreeMap::new(), &step)
            else {
                continue;
            };
            if on_changed == OnChanged::PutBack {
                let step = from_found(&step, found);
                if let Outcome::Failed(error) = self.engine.applier.apply(&step) {
                    let undo_errors = vec![StepError { step, error }];
                    let failure = Failure { undo_errors, ..Failure::default() };
                    return Err(Error::Failed(Box::new(failure)));
                }
            }
            self.store.mark(plan.id, row.seq, &Mark::Undone)?;
            row.state = StepState::Undone;
        }
        Ok(())
    }

    /// Takes one preparation back. What a reboot took away is not there any
    /// more: only files are.
    pub(crate) fn undo_preparation(
        &mut self,
        plan: &PlanRow,
        mut rows: Vec<StepRow>,
    ) -> Result<(), Error> {
        self.store.make_durable()?;
        if plan.boot_id != self.boot_id {
            for row in rows.iter_mut().filter(|row| row.step.void_after_reboot()) {
                self.store.mark(plan.id, row.seq, &Mark::Undone)?;
                row.state = StepState::Undone;
            }
        }
        self.undo_plan(plan, rows)
    }
}

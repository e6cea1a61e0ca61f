//! What was cut off, settled: at the start of every turn, and as a verb.
//!
//! In: the journal's unfinished plans. Out: a host in a defined state, and
//! what is still in doubt. A bind that was cut off is undone, a release is
//! completed; what an earlier boot did is void. A write that is still in the
//! kernel is waited for by nobody: its group stays as it is. Twice is once.
//!
//! Verbs that only look do none of this (docs/decisions/0010): `recover
//! --dry-run` asks [`Engine::unfinished`].

use std::thread;
use std::time::{Duration, Instant};

use host::process::{is_alive, wait_channel};
use model::port::Child;
use model::{Bdf, Step};

use crate::Engine;
use crate::aftermath::SettledInstance;
use crate::error::{Error, Failure};
use crate::release::By;
use crate::store::{Mark, PlanRow, PlanState, StepRow, StepState, Store, Verb};
use crate::transaction::{Progress, back};
use crate::turn::{Turn, boot_id};

/// How long the writer of a killed process may take to notice that nobody
/// asks any more, before its last write counts as stuck.
const FAREWELL: Duration = Duration::from_millis(500);

/// What a turn's beginning settled.
#[derive(Debug, Default)]
pub struct Recovered {
    /// Plans whose effects a reboot had taken away.
    pub voided: usize,
    pub settled: Vec<Settled>,
    pub instances: Vec<SettledInstance>,
    /// Writes that are in the kernel still.
    pub pending: Vec<Pending>,
}

/// One plan that was cut off, and how it ended now.
#[derive(Debug)]
pub struct Settled {
    pub verb: Verb,
    pub guest: Option<String>,
    pub functions: Vec<Bdf>,
    /// What went wrong on the way.
    pub failure: Option<Error>,
}

/// A step that has not come back from the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    pub step: Step,
    pub process: Child,
    /// The kernel function that it waits in, if readable.
    pub wait_channel: Option<String>,
}

/// A plan that waits for [`Engine::recover`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    pub verb: Verb,
    pub guest: Option<String>,
    pub functions: Vec<Bdf>,
    /// Of an earlier boot: nothing is left of it on the machine.
    pub void: bool,
}

impl Recovered {
    /// Nothing was there to be settled.
    pub fn is_empty(&self) -> bool {
        self.voided == 0
            && self.settled.is_empty()
            && self.instances.is_empty()
            && self.pending.is_empty()
    }
}

impl Engine {
    /// Settles what was cut off, and tries again what could not be undone.
    pub fn recover(&mut self) -> Result<Recovered, Error> {
        let mut turn = self.turn("recover")?;
        let mut recovered = std::mem::take(&mut turn.recovered);
        if !turn.store.bindings()?.is_empty() {
            // What is gone is forgotten by looking.
            turn.observe()?;
        }
        for functions in turn.store.left_behind(&turn.boot_id)? {
            let mut snapshot = turn.observe()?;
            let failure = turn.release_group(&mut snapshot, &functions, By::WayBack(None)).err();
            recovered.settled.push(Settled { verb: Verb::Bind, guest: None, functions, failure });
        }
        recovered.pending = turn.pending()?;
        Ok(recovered)
    }

    /// What a recovery would see to. Needs no lock and changes nothing.
    pub fn unfinished(&self) -> Result<Vec<Unfinished>, Error> {
        let Some(store) = Store::open_reading(&self.state)? else { return Ok(Vec::new()) };
        let boot_id = boot_id(&self.root)?;
        let mut found = Vec::new();
        for plan in store.unfinished()? {
            found.push(Unfinished {
                verb: plan.verb,
                functions: functions(&store.steps(plan.id)?),
                void: plan.boot_id != boot_id,
                guest: plan.guest,
            });
        }
        Ok(found)
    }
}

impl Turn<'_> {
    /// Settles everything that was cut off, as far as it can be.
    pub fn settle(&mut self) -> Result<Recovered, Error> {
        let settled = self.store.is_settled(&self.boot_id)?;
        // Where time is no matter it is looked for all the same.
        if settled && !cfg!(debug_assertions) {
            return Ok(Recovered::default());
        }
        let voided = self.store.void_earlier_boots(&self.boot_id)?;
        let mut recovered = Recovered { voided, ..Recovered::default() };
        for plan in self.store.unfinished()? {
            if self.is_pending(&plan)? {
                continue;
            }
            recovered.settled.push(self.settle_plan(&plan)?);
        }
        recovered.instances = self.settle_instances()?;
        recovered.pending = self.pending()?;
        debug_assert!(!settled || recovered.is_empty(), "was not settled: {recovered:?}");
        Ok(recovered)
    }

    /// Whether all that is left of a plan waits for the kernel. One whose
    /// writes have all ended does not, even if it still counts as in doubt:
    /// an earlier recovery may have been killed between the two marks.
    fn is_pending(&self, plan: &PlanRow) -> Result<bool, Error> {
        if plan.state != PlanState::InDoubt {
            return Ok(false);
        }
        let mut waits = false;
        for row in self.store.steps(plan.id)? {
            if let Some(child) = row.child
                && row.state == StepState::InDoubt
            {
                if !self.is_alive(child)? {
                    return Ok(false);
                }
                waits = true;
            }
        }
        Ok(waits)
    }

    /// Undoes or completes one plan that was cut off.
    fn settle_plan(&mut self, plan: &PlanRow) -> Result<Settled, Error> {
        let mut rows = self.store.steps(plan.id)?;
        self.see_doubts(plan, &mut rows)?;
        let functions = functions(&rows);
        let result = match plan.verb {
            Verb::Bind | Verb::Reset => self.undo_plan(plan, rows),
            Verb::Prepare | Verb::Persist => self.undo_preparation(plan, rows),
            Verb::Release => self.complete_release(plan, &rows, &functions),
        };
        let guest = plan.guest.clone();
        Ok(Settled { verb: plan.verb, guest, functions, failure: result.err() })
    }

    pub(crate) fn undo_plan(&mut self, plan: &PlanRow, rows: Vec<StepRow>) -> Result<(), Error> {
        let failure = Failure::default();
        let mut progress = Progress { plan: plan.id, rows, writer: plan.writer, failure };
        self.unwind(&mut progress);
        match progress.failure.is_none() {
            true => Ok(()),
            false => Err(Error::Failed(Box::new(progress.failure))),
        }
    }

    /// A release goes on from what the machine shows now: as a new plan, in
    /// whose favour the old one is void.
    fn complete_release(
        &mut self,
        plan: &PlanRow,
        rows: &[StepRow],
        functions: &[Bdf],
    ) -> Result<(), Error> {
        if rows.iter().any(|row| row.state == StepState::InDoubt) {
            return self.store.set_plan(plan.id, PlanState::InDoubt);
        }
        self.store.set_plan(plan.id, PlanState::Void)?;
        let mut snapshot = self.observe()?;
        let by = By::WayBack(plan.guest.as_deref());
        self.release_group(&mut snapshot, functions, by).map(drop)
    }

    /// Says of each step whether it still is in doubt. The step that a
    /// killed process was at may have been applied or not, so it counts as
    /// done: undoing what was not done finds nothing to do.
    fn see_doubts(&mut self, plan: &PlanRow, rows: &mut [StepRow]) -> Result<(), Error> {
        for row in rows.iter_mut() {
            if let Some(child) = row.child
                && row.state == StepState::InDoubt
                && !self.is_alive(child)?
            {
                self.restate(plan, row, &Mark::Done)?;
            }
        }
        let at = match plan.state {
            PlanState::Applying => rows.iter_mut().find(|row| row.state == StepState::Planned),
            PlanState::Undoing => back(rows)
                .into_iter()
                .find(|at| matches!(rows[*at].state, StepState::Done | StepState::Failed))
                .map(|at| &mut rows[at]),
            _ => None,
        };
        let Some(row) = at else { return Ok(()) };
        match plan.writer {
            Some(writer) if !self.ends_soon(writer)? => {
                self.restate(plan, row, &Mark::InDoubt(writer))
            }
            _ => self.restate(plan, row, &Mark::Done),
        }
    }

    fn restate(&mut self, plan: &PlanRow, row: &mut StepRow, mark: &Mark) -> Result<(), Error> {
        self.store.mark(plan.id, row.seq, mark)?;
        (row.state, row.child) = match mark {
            Mark::InDoubt(child) => (StepState::InDoubt, Some(*child)),
            _ => (StepState::Done, None),
        };
        Ok(())
    }

    /// Every step that is still in the kernel.
    fn pending(&self) -> Result<Vec<Pending>, Error> {
        let rows = self.store.in_doubt(&self.boot_id)?;
        let pending = rows.into_iter().filter_map(|row| {
            let process = row.child?;
            let wait_channel = wait_channel(&self.engine.root, process.pid);
            Some(Pending { step: row.step, process, wait_channel })
        });
        Ok(pending.collect())
    }

    fn ends_soon(&self, process: Child) -> Result<bool, Error> {
        let end = Instant::now() + FAREWELL;
        while self.is_alive(process)? {
            if Instant::now() > end {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(true)
    }

    fn is_alive(&self, process: Child) -> Result<bool, Error> {
        is_alive(&self.engine.root, process)
            .map_err(|source| Error::Process { pid: process.pid, source })
    }
}

/// The functions that steps are about, each once.
fn functions(rows: &[StepRow]) -> Vec<Bdf> {
    let mut functions: Vec<Bdf> = rows.iter().filter_map(|row| row.step.bdf()).collect();
    functions.sort_unstable();
    functions.dedup();
    functions
}

#[cfg(test)]
mod tests;

//! A plan, carried out: journaled, applied step by step, or undone.
//!
//! In: a plan and what it will hold. Out: its number in the journal when
//! every step is done, else a [`Failure`] with every error, after everything
//! that was done has been undone in reverse. Never: a decision about what to do.
//!
//! A step that has not come back from the kernel leaves its group alone: it
//! is neither undone nor used until the write is known to have ended. All
//! else is undone. Of the services that were stopped, none is started again
//! before that: it might open the device.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use host::apply::{ApplyError, Outcome};
use host::observe::holders_of_any;
use model::port::Child;
use model::step::Undo;
use model::{Bdf, GroupId, Step};

use crate::assignment::Strand;
use crate::error::{Error, Failure, StepDoubt, StepError};
use crate::store::{Assignment, Binding, Entry, Mark, PlanId, PlanState, StepRow, StepState, Verb};
use crate::turn::Turn;

/// How often holders are looked for that are to let go.
const LOOK: Duration = Duration::from_millis(200);

/// What is to be carried out.
#[derive(Debug)]
pub(crate) struct Work<'a> {
    pub verb: Verb,
    pub guest: Option<&'a str>,
    /// Each step with the IOMMU group of its function.
    pub steps: Vec<(Step, Option<GroupId>)>,
    pub bindings: &'a [Binding],
    pub assignments: &'a [Assignment],
    /// Whether a signal takes it back. What cleans up after something is not
    /// interrupted: it is the way back.
    pub interruptible: bool,
}

/// A plan on its way: the journal's rows, and what is known beyond them.
#[derive(Debug)]
pub(crate) struct Progress {
    pub plan: PlanId,
    pub rows: Vec<StepRow>,
    pub writer: Option<Child>,
    pub failure: Failure,
}

impl Turn<'_> {
    /// Carries a plan out: when this succeeds, every step is done. A release
    /// stays `applying` until the caller ends it together with what it took
    /// back; if that fails, recovery finds it done.
    pub fn carry_out(&mut self, work: &Work<'_>) -> Result<PlanId, Error> {
        if work.steps.iter().any(|(step, _)| !step.void_after_reboot()) {
            self.store.make_durable()?;
        }
        let writer = match work.steps.is_empty() {
            true => None,
            false => self.engine.applier.child(),
        };
        let plan = self.store.begin(&Entry {
            verb: work.verb,
            guest: work.guest,
            boot_id: &self.boot_id,
            writer,
            steps: &work.steps,
            bindings: work.bindings,
            assignments: work.assignments,
        })?;
        let rows = planned(&work.steps);
        let mut progress = Progress { plan, rows, writer, failure: Failure::default() };
        self.forward(&mut progress, work.interruptible);
        if progress.failure.is_none() && work.verb != Verb::Release {
            self.set_plan(&mut progress, PlanState::Done);
        }
        if progress.failure.is_none() {
            return Ok(plan);
        }
        self.unwind(&mut progress);
        Err(Error::Failed(Box::new(progress.failure)))
    }

    /// Applies steps until one does not succeed.
    fn forward(&mut self, progress: &mut Progress, interruptible: bool) {
        for at in 0..progress.rows.len() {
            if interruptible && self.engine.interrupt.load(Ordering::Relaxed) {
                progress.failure.interrupted = true;
                return;
            }
            let step = progress.rows[at].step.clone();
            let outcome = match self.refuse_held(&progress.rows, at) {
                Some(error) => Outcome::Failed(error),
                None => self.apply(progress, &step),
            };
            match outcome {
                Outcome::Done => self.mark(progress, at, &Mark::Done),
                Outcome::Already => self.mark(progress, at, &Mark::Already),
                Outcome::Failed(error) => {
                    self.mark(progress, at, &Mark::Failed(error.to_string()));
                    progress.failure.errors.push(StepError { step, error });
                }
                Outcome::InDoubt(doubt) => {
                    self.mark(progress, at, &in_doubt(&doubt));
                    progress.failure.doubts.push(StepDoubt { step, doubt });
                }
            }
            if !progress.failure.is_none() {
                return;
            }
        }
    }

    /// Who still has a function open although services were stopped for it:
    /// unbinding would wait in the kernel for that process. Looked at before
    /// the first driver lets go; a plan that stopped nothing was made a
    /// moment ago, when nobody had it. The desktops of a display manager end
    /// after it, so they are given some time.
    fn refuse_held(&self, rows: &[StepRow], at: usize) -> Option<ApplyError> {
        let unbound = |row: &StepRow| match row.step {
            Step::Unbind { bdf, .. } => Some(bdf),
            _ => None,
        };
        let stops = |row: &StepRow| matches!(row.step, Step::StopUnit { .. });
        unbound(&rows[at])?;
        if !rows[..at].iter().any(stops) || rows[..at].iter().any(|row| unbound(row).is_some()) {
            return None;
        }
        let functions: Vec<Bdf> = rows[at..].iter().filter_map(unbound).collect();
        let holders = || {
            let found = holders_of_any(&self.engine.root, &functions);
            let held = found.known()?.iter().filter(|(_, holder)| !holder.lets_go());
            Some(held.cloned().collect::<Vec<_>>())
        };
        let until = Instant::now() + self.engine.let_go;
        let mut held = holders()?;
        let interrupted = || self.engine.interrupt.load(Ordering::Relaxed);
        while !held.is_empty() && Instant::now() < until && !interrupted() {
            std::thread::sleep(LOOK);
            held = holders()?;
        }
        let mut held = held.iter();
        let (bdf, first) = held.next()?;
        let others = held.filter(|(other, _)| other == bdf).map(|(_, holder)| holder.clone());
        let holders = std::iter::once(first.clone()).chain(others).collect();
        Some(ApplyError::Held { bdf: *bdf, holders })
    }

    /// Undoes what was done, in reverse, except where a write is in doubt,
    /// and ends the plan accordingly. Errors are collected, never a reason to
    /// stop: the next step may be the one that gives the device back.
    pub fn unwind(&mut self, progress: &mut Progress) {
        self.set_plan(progress, PlanState::Undoing);
        let mut doubtful: BTreeSet<Strand> = progress.rows.iter().filter_map(doubtful).collect();
        for at in back(&progress.rows) {
            let row = &progress.rows[at];
            let strand = Strand::of(row.step.bdf(), row.group);
            let blocked = match strand {
                Strand::Plan => !doubtful.is_empty(),
                _ => doubtful.contains(&strand),
            };
            if blocked || !matches!(row.state, StepState::Done | StepState::Failed) {
                continue;
            }
            self.undo(progress, at);
            if progress.rows[at].state == StepState::InDoubt {
                doubtful.insert(strand);
            }
        }
        if !doubtful.is_empty() {
            return self.set_plan(progress, PlanState::InDoubt);
        }
        let whole = progress.failure.undo_errors.is_empty();
        let finished = self.store.finish_undone(progress.plan, whole);
        keep_first(&mut progress.failure, finished);
    }

    fn undo(&mut self, progress: &mut Progress, at: usize) {
        let row = &progress.rows[at];
        let failed = row.state == StepState::Failed;
        let Undo::Step(step) = row.step.undo() else {
            return self.mark(progress, at, &Mark::Undone);
        };
        match self.apply(progress, &step) {
            Outcome::Done | Outcome::Already => self.mark(progress, at, &Mark::Undone),
            // A device that is gone has no settings to restore: the kernel
            // makes them anew if it comes back.
            Outcome::Failed(ApplyError::Vanished { .. }) => {
                self.mark(progress, at, &Mark::Undone);
            }
            // It was tried only in case the failed step had half an effect.
            Outcome::Failed(_) if failed => {}
            Outcome::Failed(error) => progress.failure.undo_errors.push(StepError { step, error }),
            Outcome::InDoubt(doubt) => {
                self.mark(progress, at, &in_doubt(&doubt));
                progress.failure.doubts.push(StepDoubt { step, doubt });
            }
        }
    }

    /// Applies one step, with the process that writes on record.
    fn apply(&mut self, progress: &mut Progress, step: &Step) -> Outcome {
        let writer = self.engine.applier.child();
        if writer != progress.writer {
            progress.writer = writer;
            let kept = self.store.set_writer(progress.plan, writer);
            keep_first(&mut progress.failure, kept);
        }
        self.engine.tell.step(step);
        self.engine.applier.apply(step)
    }

    fn mark(&mut self, progress: &mut Progress, at: usize, mark: &Mark) {
        let row = &mut progress.rows[at];
        row.state = match mark {
            Mark::Done => StepState::Done,
            Mark::Already => StepState::Already,
            Mark::Failed(_) => StepState::Failed,
            Mark::Undone => StepState::Undone,
            Mark::InDoubt(_) => StepState::InDoubt,
        };
        let marked = self.store.mark(progress.plan, row.seq, mark);
        keep_first(&mut progress.failure, marked);
    }

    fn set_plan(&mut self, progress: &mut Progress, state: PlanState) {
        let set = self.store.set_plan(progress.plan, state);
        keep_first(&mut progress.failure, set);
    }
}

/// The order of the way back: the last first, but what a program makes from
/// files comes after those, so that it is made from what was put back.
pub(crate) fn back(rows: &[StepRow]) -> Vec<usize> {
    let is_made =
        |at: &usize| matches!(rows[*at].step, Step::Make(_) | Step::Restore(_) | Step::Remake(_));
    let (made, others): (Vec<usize>, Vec<usize>) = (0..rows.len()).rev().partition(is_made);
    others.into_iter().chain(made).collect()
}

fn planned(steps: &[(Step, Option<GroupId>)]) -> Vec<StepRow> {
    let rows = (0_i64..).zip(steps).map(|(seq, (step, group))| StepRow {
        seq,
        step: step.clone(),
        group: *group,
        state: StepState::Planned,
        error: None,
        child: None,
    });
    rows.collect()
}

fn doubtful(row: &StepRow) -> Option<Strand> {
    (row.state == StepState::InDoubt).then(|| Strand::of(row.step.bdf(), row.group))
}

fn in_doubt(doubt: &host::apply::Doubt) -> Mark {
    let stuck = &doubt.stuck;
    Mark::InDoubt(Child { pid: stuck.pid, start_time: stuck.start_time })
}

/// A journal that cannot be written any more stops the plan, but not its
/// undoing: what the machine needs comes first, and `recover` finds the rest.
fn keep_first(failure: &mut Failure, result: Result<(), Error>) {
    if let Err(error) = result
        && failure.journal.is_none()
    {
        failure.journal = Some(Box::new(error));
    }
}

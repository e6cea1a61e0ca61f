//! The journal: every plan, and how far each of its steps came.
//!
//! ```text
//! plan:  applying ──▶ done                      step:  planned ──▶ done ──▶ undone
//!           │  └────▶ in_doubt ──┐                        ├──▶ already   (nothing was changed)
//!           ▼                    ▼                        ├──▶ failed
//!        undoing ──▶ undone, or failed, or in_doubt       └──▶ in_doubt ──▶ undone
//!           any of an earlier boot ──▶ void
//! ```
//!
//! All steps of a plan are written down in one transaction before the first
//! is applied, and each is marked by one small commit after it was. So of a
//! plan that was cut off, the first step still `planned` is the only one of
//! which the journal cannot say whether it was applied.

use std::collections::BTreeSet;

use model::port::Child;
use model::{Bdf, GroupId, Step};
use rusqlite::{Transaction, params};

use super::plans::InEffect;
use super::{Binding, Store, bindings, columns, json, words};
use crate::error::Error;
use crate::store::Assignment;

/// Plans that are settled and whose steps are no longer in effect are kept
/// for people to read, this many of them.
const KEPT: i64 = 200;

/// A plan's number in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub(super) i64);

/// What a plan is for, and so how it is settled when it was cut off: a bind
/// is undone, and so is what changes files (a preparation, what persists), a release is completed, a reset needs neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Bind,
    Release,
    Reset,
    Prepare,
    Persist,
}

words!(Verb {
    Bind = "bind",
    Release = "release",
    Reset = "reset",
    Prepare = "prepare",
    Persist = "persist",
});

/// How far a plan came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlanState {
    Applying,
    Undoing,
    InDoubt,
    Done,
    Undone,
    /// A step could not be undone; the others were.
    Failed,
    /// A reboot took its effects away.
    Void,
}

words!(PlanState {
    Applying = "applying",
    Undoing = "undoing",
    InDoubt = "in_doubt",
    Done = "done",
    Undone = "undone",
    Failed = "failed",
    Void = "void",
});

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    Planned,
    Done,
    /// The machine was so before; there is nothing to undo.
    Already,
    Failed,
    Undone,
    InDoubt,
}

words!(StepState {
    Planned = "planned",
    Done = "done",
    Already = "already",
    Failed = "failed",
    Undone = "undone",
    InDoubt = "in_doubt",
});

/// What is written down before the first step of a plan.
#[derive(Clone, Debug)]
pub struct Entry<'a> {
    pub verb: Verb,
    pub guest: Option<&'a str>,
    pub boot_id: &'a str,
    pub writer: Option<Child>,
    /// Each with the IOMMU group of its function.
    pub steps: &'a [(Step, Option<GroupId>)],
    /// What will be held when the plan is done.
    pub bindings: &'a [Binding],
    pub assignments: &'a [Assignment],
}

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mark {
    Done,
    Already,
    Failed(String),
    Undone,
    InDoubt(Child),
}

impl Store {
    /// Writes a plan down, with what it will hold, in one transaction.
    pub fn begin(&mut self, entry: &Entry<'_>) -> Result<PlanId, Error> {
        self.write(|tx| {
            prune(tx)?;
            let id = insert_plan(tx, entry)?;
            insert_steps(tx, id, entry.steps)?;
            bindings::insert(tx, id, entry.bindings)?;
            bindings::assign(tx, entry.assignments)?;
            Ok(id)
        })
    }

    /// Says how a step ended.
    pub fn mark(&mut self, plan: PlanId, seq: i64, mark: &Mark) -> Result<(), Error> {
        let (state, error, child) = match mark {
            Mark::Done => (StepState::Done, None, None),
            Mark::Already => (StepState::Already, None, None),
            Mark::Failed(text) => (StepState::Failed, Some(text), None),
            Mark::Undone => (StepState::Undone, None, None),
            Mark::InDoubt(child) => (StepState::InDoubt, None, Some(child)),
        };
        self.read(|db| {
            let mut update = db.prepare_cached(
                "UPDATE steps SET state = ?3, error = ?4, child_pid = ?5, child_start = ?6
                 WHERE plan = ?1 AND seq = ?2",
            )?;
            let (pid, start) = columns(child.copied());
            update.execute(params![plan.0, seq, state, error, pid, start]).map(drop)
        })
    }

    /// Puts another step in the place of one that was done, whose way back is
    /// another one now.
    pub fn set_step(&mut self, plan: PlanId, seq: i64, step: &Step) -> Result<(), Error> {
        self.read(|db| {
            db.prepare_cached("UPDATE steps SET step = ?3, text = ?4 WHERE plan = ?1 AND seq = ?2")?
                .execute(params![plan.0, seq, json(step)?, step.to_string()])
                .map(drop)
        })
    }

    /// Adds a step to a plan that was done: its way back belongs to that of
    /// the plan.
    pub fn add_step(&mut self, plan: PlanId, step: &Step) -> Result<(), Error> {
        self.read(|db| {
            db.prepare_cached(
                "INSERT INTO steps (plan, seq, step, text, state)
                 SELECT ?1, max(seq) + 1, ?2, ?3, 'done' FROM steps WHERE plan = ?1",
            )?
            .execute(params![plan.0, json(step)?, step.to_string()])
            .map(drop)
        })
    }

    /// Says how far a plan came.
    pub fn set_plan(&mut self, plan: PlanId, state: PlanState) -> Result<(), Error> {
        self.read(|db| {
            db.prepare_cached("UPDATE plans SET state = ?2 WHERE id = ?1")?
                .execute(params![plan.0, state])
                .map(drop)
        })
    }

    /// The process that writes for a plan from now on.
    pub fn set_writer(&mut self, plan: PlanId, writer: Option<Child>) -> Result<(), Error> {
        self.read(|db| {
            let (pid, start) = columns(writer);
            db.prepare_cached("UPDATE plans SET writer_pid = ?2, writer_start = ?3 WHERE id = ?1")?
                .execute(params![plan.0, pid, start])
                .map(drop)
        })
    }

    /// Ends a plan that was undone, or as far as it could be: nobody holds
    /// what it would have held.
    pub fn finish_undone(&mut self, plan: PlanId, whole: bool) -> Result<(), Error> {
        let state = if whole { PlanState::Undone } else { PlanState::Failed };
        self.write(|tx| {
            tx.execute("UPDATE plans SET state = ?2 WHERE id = ?1", params![plan.0, state])?;
            bindings::drop_plan(tx, plan)
        })
    }

    /// Ends a release: the steps that it took back have no effect any more,
    /// and its functions are free.
    pub fn finish_release(
        &mut self,
        plan: PlanId,
        taken_back: &[InEffect],
        functions: &[Bdf],
    ) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute("UPDATE plans SET state = 'done' WHERE id = ?1", [plan.0])?;
            take_back(tx, taken_back)?;
            bindings::drop_functions(tx, functions)
        })
    }

    /// The same without a release: the kernel took the steps back.
    pub fn take_back(&mut self, steps: &[InEffect], functions: &[Bdf]) -> Result<(), Error> {
        self.write(|tx| {
            take_back(tx, steps)?;
            bindings::drop_functions(tx, functions)
        })
    }

    /// Whether nothing is unfinished or of an earlier boot, and no instance is
    /// live: one look, so that most verbs are spared all others and a commit.
    /// [`Turn::settle`](crate::turn::Turn::settle) proves it in tests.
    pub fn is_settled(&self, boot_id: &str) -> Result<bool, Error> {
        self.read(|db| {
            db.query_row(
                "SELECT NOT EXISTS (SELECT 1 FROM plans
                            WHERE state IN ('applying', 'undoing', 'in_doubt')
                               OR (boot_id != ?1 AND verb = 'bind' AND state IN ('done', 'failed')))
                    AND NOT EXISTS (SELECT 1 FROM assignments WHERE boot_id != ?1)
                    AND NOT EXISTS (SELECT 1 FROM held_groups WHERE boot_id != ?1)
                    AND NOT EXISTS (SELECT 1 FROM bindings WHERE boot_id != ?1)
                    AND NOT EXISTS (SELECT 1 FROM instances WHERE state IN ('preparing', 'starting', 'running'))",
                [boot_id],
                |row| row.get(0),
            )
        })
    }

    /// Voids everything of earlier boots: the kernel made its files anew and
    /// no process of then is left. Returns how many plans that were.
    pub fn void_earlier_boots(&mut self, boot_id: &str) -> Result<usize, Error> {
        self.write(|tx| {
            bindings::drop_earlier_boots(tx, boot_id)?;
            tx.execute(
                "UPDATE plans SET state = 'void' WHERE boot_id != ?1 AND verb NOT IN ('prepare', 'persist')
                 AND (state IN ('applying', 'undoing', 'in_doubt')
                      OR (verb = 'bind' AND state IN ('done', 'failed')))",
                [boot_id],
            )
        })
    }
}

fn take_back(tx: &Transaction<'_>, steps: &[InEffect]) -> rusqlite::Result<()> {
    let mut undone =
        tx.prepare_cached("UPDATE steps SET state = 'undone' WHERE plan = ?1 AND seq = ?2")?;
    // A bind of which nothing is left in effect is undone as a whole.
    let mut whole = tx.prepare_cached(
        "UPDATE plans SET state = 'undone' WHERE id = ?1 AND NOT EXISTS
         (SELECT 1 FROM steps WHERE steps.plan = plans.id AND steps.state = 'done')",
    )?;
    for step in steps {
        undone.execute(params![step.plan.0, step.seq])?;
    }
    for plan in steps.iter().map(|step| step.plan.0).collect::<BTreeSet<_>>() {
        whole.execute([plan])?;
    }
    Ok(())
}

fn insert_plan(tx: &Transaction<'_>, entry: &Entry<'_>) -> rusqlite::Result<PlanId> {
    let (pid, start) = columns(entry.writer);
    tx.prepare_cached(
        "INSERT INTO plans (verb, guest, boot_id, state, writer_pid, writer_start)
         VALUES (?1, ?2, ?3, 'applying', ?4, ?5)",
    )?
    .execute(params![entry.verb, entry.guest, entry.boot_id, pid, start])?;
    Ok(PlanId(tx.last_insert_rowid()))
}

fn insert_steps(
    tx: &Transaction<'_>,
    plan: PlanId,
    steps: &[(Step, Option<GroupId>)],
) -> rusqlite::Result<()> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO steps (plan, seq, bdf, grp, step, text, state)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'planned')",
    )?;
    for (seq, (step, group)) in (0_i64..).zip(steps) {
        let bdf = step.bdf().map(|bdf| bdf.to_string());
        let json = json(step)?;
        let group = group.map(|group| group.0);
        insert.execute(params![plan.0, seq, bdf, group, json, step.to_string()])?;
    }
    Ok(())
}

fn prune(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "DELETE FROM plans WHERE id < (SELECT max(id) FROM plans) - ?1
           AND state IN ('done', 'undone', 'failed', 'void')
           AND id NOT IN (SELECT plan FROM bindings)
           AND (verb NOT IN ('bind', 'prepare') OR state = 'void' OR NOT EXISTS
                (SELECT 1 FROM steps WHERE steps.plan = plans.id AND steps.state = 'done'))",
    )?
    .execute([KEPT])
    .map(drop)
}

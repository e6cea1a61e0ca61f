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

use std::collections::{BTreeMap, BTreeSet};

use model::port::Child;
use model::{Bdf, GroupId, Step};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::{Binding, Store, bindings, columns, process, unreadable, words};
use crate::assignment::Strand;
use crate::error::Error;
use crate::store::Assignment;

/// Plans that are settled and whose steps are no longer in effect are kept
/// for people to read, this many of them.
const KEPT: i64 = 200;

/// A plan's number in the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub(super) i64);

/// What a plan is for, and so how it is settled when it was cut off: a bind
/// is undone, a release is completed, a reset needs neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Bind,
    Release,
    Reset,
}

words!(Verb { Bind = "bind", Release = "release", Reset = "reset" });

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

/// A plan as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    pub id: PlanId,
    pub verb: Verb,
    pub guest: Option<String>,
    pub boot_id: String,
    pub state: PlanState,
    pub writer: Option<Child>,
}

/// A step as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRow {
    pub seq: i64,
    pub step: Step,
    pub group: Option<GroupId>,
    pub state: StepState,
    pub error: Option<String>,
    /// The process that is in the kernel with it, while it is in doubt.
    pub child: Option<Child>,
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

/// A step of a bind that still has its effect on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InEffect {
    pub plan: PlanId,
    pub seq: i64,
    pub step: Step,
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
            let mut undone = tx
                .prepare_cached("UPDATE steps SET state = 'undone' WHERE plan = ?1 AND seq = ?2")?;
            for step in taken_back {
                undone.execute(params![step.plan.0, step.seq])?;
            }
            bindings::drop_functions(tx, functions)
        })
    }

    /// Plans that were cut off, or are in doubt, the oldest first.
    pub fn unfinished(&self) -> Result<Vec<PlanRow>, Error> {
        self.read(|db| {
            db.prepare(&format!(
                "{PLAN} WHERE state IN ('applying', 'undoing', 'in_doubt') ORDER BY id"
            ))?
            .query_map([], plan_row)?
            .collect()
        })
    }

    /// Functions, by group, that a bind moved and could not move back, and
    /// that no later one holds.
    pub fn left_behind(&self, boot_id: &str) -> Result<Vec<Vec<Bdf>>, Error> {
        let mut groups: BTreeMap<Strand, BTreeSet<Bdf>> = BTreeMap::new();
        self.read(|db| {
            let mut select = db.prepare(
                "SELECT DISTINCT steps.bdf, steps.grp
                 FROM steps JOIN plans ON plans.id = steps.plan
                 WHERE plans.state = 'failed' AND plans.verb = 'bind' AND plans.boot_id = ?1
                   AND steps.state = 'done' AND steps.bdf IS NOT NULL
                   AND steps.bdf NOT IN (SELECT bdf FROM bindings)",
            )?;
            let mut rows = select.query([boot_id])?;
            while let Some(row) = rows.next()? {
                let bdf = bindings::bdf(row, 0)?;
                let group = row.get::<_, Option<u32>>(1)?.map(GroupId);
                groups.entry(Strand::of(Some(bdf), group)).or_default().insert(bdf);
            }
            Ok(())
        })?;
        Ok(groups.into_values().map(|group| group.into_iter().collect()).collect())
    }

    /// One plan.
    pub fn plan(&self, id: PlanId) -> Result<Option<PlanRow>, Error> {
        self.read(|db| db.query_row(&format!("{PLAN} WHERE id = ?1"), [id.0], plan_row).optional())
    }

    /// The steps of a plan, in order.
    pub fn steps(&self, plan: PlanId) -> Result<Vec<StepRow>, Error> {
        self.read(|db| {
            db.prepare_cached(
                "SELECT seq, step, grp, state, error, child_pid, child_start
                 FROM steps WHERE plan = ?1 ORDER BY seq",
            )?
            .query_map([plan.0], step_row)?
            .collect()
        })
    }

    /// Steps of binds that still have their effect on these functions, in
    /// the order in which they were done. What was done for several
    /// functions at once (a service that was stopped) is among them when no
    /// other function is left that it was done for.
    pub fn in_effect(&self, functions: &[Bdf], boot_id: &str) -> Result<Vec<InEffect>, Error> {
        let mut found = Vec::new();
        for plan in self.plans_in_effect(functions, boot_id)? {
            let rows = self.steps(plan)?;
            let done = || rows.iter().filter(|row| row.state == StepState::Done);
            let named = |row: &&StepRow| row.step.bdf().is_none_or(|bdf| functions.contains(&bdf));
            let last = done().all(|row| named(&row));
            let taken = done().filter(|row| named(row) && (last || row.step.bdf().is_some()));
            found.extend(taken.map(|row| InEffect { plan, seq: row.seq, step: row.step.clone() }));
        }
        Ok(found)
    }

    fn plans_in_effect(&self, functions: &[Bdf], boot_id: &str) -> Result<Vec<PlanId>, Error> {
        let mut plans = BTreeSet::new();
        self.read(|db| {
            let mut select = db.prepare_cached(
                "SELECT DISTINCT plans.id FROM steps JOIN plans ON plans.id = steps.plan
                 WHERE steps.bdf = ?1 AND steps.state = 'done'
                   AND plans.verb = 'bind' AND plans.boot_id = ?2",
            )?;
            for bdf in functions {
                let rows = select.query_map(params![bdf.to_string(), boot_id], |row| row.get(0))?;
                for id in rows {
                    plans.insert(PlanId(id?));
                }
            }
            Ok(())
        })?;
        Ok(plans.into_iter().collect())
    }

    /// Steps in doubt of this boot, with the function and group they block.
    pub fn in_doubt(&self, boot_id: &str) -> Result<Vec<StepRow>, Error> {
        self.read(|db| {
            db.prepare_cached(
                "SELECT seq, step, grp, steps.state, error, child_pid, child_start
                 FROM steps JOIN plans ON plans.id = steps.plan
                 WHERE steps.state = 'in_doubt' AND plans.boot_id = ?1",
            )?
            .query_map([boot_id], step_row)?
            .collect()
        })
    }

    /// Voids everything of earlier boots: the kernel made its files anew and
    /// no process of then is left. Returns how many plans that were.
    pub fn void_earlier_boots(&mut self, boot_id: &str) -> Result<usize, Error> {
        self.write(|tx| {
            bindings::drop_earlier_boots(tx, boot_id)?;
            tx.execute(
                "UPDATE plans SET state = 'void' WHERE boot_id != ?1 AND state != 'void'
                 AND (state IN ('applying', 'undoing', 'in_doubt') OR id IN
                      (SELECT plan FROM steps WHERE state IN ('done', 'in_doubt')))",
                [boot_id],
            )
        })
    }
}

const PLAN: &str = "SELECT id, verb, guest, boot_id, state, writer_pid, writer_start FROM plans";

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
        let json = serde_json::to_string(step)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
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
           AND (verb != 'bind' OR state = 'void' OR NOT EXISTS
                (SELECT 1 FROM steps WHERE steps.plan = plans.id AND steps.state = 'done'))",
    )?
    .execute([KEPT])
    .map(drop)
}

fn plan_row(row: &Row<'_>) -> rusqlite::Result<PlanRow> {
    Ok(PlanRow {
        id: PlanId(row.get(0)?),
        verb: row.get(1)?,
        guest: row.get(2)?,
        boot_id: row.get(3)?,
        state: row.get(4)?,
        writer: process(row, 5)?,
    })
}

fn step_row(row: &Row<'_>) -> rusqlite::Result<StepRow> {
    let json: String = row.get(1)?;
    let step = serde_json::from_str(&json).map_err(|error| unreadable(1, error))?;
    Ok(StepRow {
        seq: row.get(0)?,
        step,
        group: row.get::<_, Option<u32>>(2)?.map(GroupId),
        state: row.get(3)?,
        error: row.get(4)?,
        child: process(row, 5)?,
    })
}

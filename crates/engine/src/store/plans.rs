//! The journal, read: what was cut off, what still has its effect, what is
//! in doubt.

use std::collections::{BTreeMap, BTreeSet};

use model::port::Child;
use model::{Bdf, GroupId, Step};
use rusqlite::{OptionalExtension, Row, params};

use super::journal::{PlanId, PlanState, StepState, Verb};
use super::{Store, bindings, process, unreadable};
use crate::assignment::Strand;
use crate::error::Error;

/// A plan as the journal has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanRow {
    pub id: PlanId,
    pub verb: Verb,
    pub guest: Option<String>,
    pub boot_id: String,
    pub state: PlanState,
    pub writer: Option<Child>,
    /// Seconds since 1970.
    pub made_at: i64,
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

/// A step of a bind that still has its effect on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InEffect {
    pub plan: PlanId,
    pub seq: i64,
    pub step: Step,
}

const PLAN: &str =
    "SELECT id, verb, guest, boot_id, state, writer_pid, writer_start, made_at FROM plans";

impl Store {
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

    /// Preparations that have an effect still, the latest first.
    pub fn preparations(&self) -> Result<Vec<PlanRow>, Error> {
        self.read(|db| {
            db.prepare(&format!(
                "{PLAN} WHERE verb = 'prepare' AND state IN ('done', 'failed')
                   AND EXISTS (SELECT 1 FROM steps WHERE steps.plan = plans.id
                               AND steps.state = 'done')
                 ORDER BY id DESC"
            ))?
            .query_map([], plan_row)?
            .collect()
        })
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
                "SELECT id FROM plans
                 WHERE verb = 'bind' AND boot_id = ?2 AND state IN ('done', 'failed')
                   AND EXISTS (SELECT 1 FROM steps WHERE steps.plan = plans.id
                               AND steps.bdf = ?1 AND steps.state = 'done')",
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
                 WHERE plans.state IN ('applying', 'undoing', 'in_doubt')
                   AND plans.boot_id = ?1 AND steps.state = 'in_doubt'",
            )?
            .query_map([boot_id], step_row)?
            .collect()
        })
    }
}

fn plan_row(row: &Row<'_>) -> rusqlite::Result<PlanRow> {
    Ok(PlanRow {
        id: PlanId(row.get(0)?),
        verb: row.get(1)?,
        guest: row.get(2)?,
        boot_id: row.get(3)?,
        state: row.get(4)?,
        writer: process(row, 5)?,
        made_at: row.get(7)?,
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

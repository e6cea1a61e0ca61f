//! What is with a guest's driver, and which guest holds what.
//!
//! The tables' keys say the rule once more that `assignment` decides by: one
//! guest per function, one guest per group. A bug there is then an error of
//! the database and not two guests on one device.

use model::identity::Identity;
use model::{Bdf, GroupId};
use rusqlite::types::ValueRef;
use rusqlite::{Row, Transaction, params};

use super::{PlanId, Process, Store, columns, json, process, unreadable, words};
use crate::error::Error;

/// A function that passthru moved to a guest's driver, or found there when
/// it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub bdf: Bdf,
    pub group: GroupId,
    pub boot_id: String,
    pub driver: String,
    /// The guest that it was bound for and is released with. `None`: a
    /// person bound it, and a person releases it.
    pub guest: Option<String>,
    /// What was bound: an address alone may come to mean another device.
    pub identity: Option<Identity>,
}

/// A function that a guest holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub bdf: Bdf,
    pub group: GroupId,
    pub boot_id: String,
    pub guest: String,
    pub state: AssignmentState,
    /// Who sees to it while it is on its way.
    pub owner: Option<Process>,
}

/// How far a hand-over came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AssignmentState {
    /// Asked for on a running guest; whether it arrived, the guest's
    /// hypervisor says.
    Attaching,
    Held,
    /// The running guest was asked to let go.
    Detaching,
}

words!(AssignmentState {
    Attaching = "attaching",
    Held = "held",
    Detaching = "detaching",
});

impl Store {
    /// Everything that is bound.
    pub fn bindings(&self) -> Result<Vec<Binding>, Error> {
        self.read(|db| {
            db.prepare_cached(
                "SELECT bdf, grp, boot_id, driver, guest, identity FROM bindings ORDER BY bdf",
            )?
            .query_map([], |row| {
                let identity: Option<String> = row.get(5)?;
                let identity = identity.map(|text| serde_json::from_str(&text)).transpose();
                Ok(Binding {
                    bdf: bdf(row, 0)?,
                    group: GroupId(row.get(1)?),
                    boot_id: row.get(2)?,
                    driver: row.get(3)?,
                    guest: row.get(4)?,
                    identity: identity.map_err(|error| unreadable(5, error))?,
                })
            })?
            .collect()
        })
    }

    /// Everything that guests hold.
    pub fn assignments(&self) -> Result<Vec<Assignment>, Error> {
        self.read(|db| {
            db.prepare_cached(
                "SELECT bdf, grp, boot_id, guest, state, owner_pid, owner_start
                 FROM assignments ORDER BY bdf",
            )?
            .query_map([], |row| {
                Ok(Assignment {
                    bdf: bdf(row, 0)?,
                    group: GroupId(row.get(1)?),
                    boot_id: row.get(2)?,
                    guest: row.get(3)?,
                    state: row.get(4)?,
                    owner: process(row, 5)?,
                })
            })?
            .collect()
        })
    }

    /// Gives functions that are bound already to a guest.
    pub fn assign(&mut self, assignments: &[Assignment]) -> Result<(), Error> {
        self.write(|tx| assign(tx, assignments))
    }

    /// Says how far the hand-over of functions came, and who sees to it.
    pub fn set_assignments(
        &mut self,
        functions: &[Bdf],
        state: AssignmentState,
        owner: Option<Process>,
    ) -> Result<(), Error> {
        let (pid, start) = columns(owner);
        self.write(|tx| {
            let mut update = tx.prepare(
                "UPDATE assignments SET state = ?2, owner_pid = ?3, owner_start = ?4
                 WHERE bdf = ?1",
            )?;
            for bdf in functions {
                update.execute(params![bdf.to_string(), state, pid, start])?;
            }
            Ok(())
        })
    }

    /// Functions that stay with their driver, but not for passthru's sake.
    pub fn forget(&mut self, functions: &[Bdf]) -> Result<(), Error> {
        self.write(|tx| drop_functions(tx, functions))
    }

    /// A guest holds these functions no longer; they stay bound.
    pub fn unassign(&mut self, functions: &[Bdf]) -> Result<(), Error> {
        self.write(|tx| unassign(tx, functions))
    }
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    plan: PlanId,
    bindings: &[Binding],
) -> rusqlite::Result<()> {
    // What was bound before keeps its plan: the way back is written there. A
    // guest that could not give it back leaves it to the next; what a person
    // bound stays that person's.
    let mut insert = tx.prepare_cached(
        "INSERT INTO bindings (bdf, grp, boot_id, driver, plan, guest, identity)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (bdf) DO UPDATE SET guest = excluded.guest WHERE guest IS NOT NULL",
    )?;
    for binding in bindings {
        let identity = binding.identity.as_ref().map(json).transpose()?;
        insert.execute(params![
            binding.bdf.to_string(),
            binding.group.0,
            binding.boot_id,
            binding.driver,
            plan.0,
            binding.guest,
            identity,
        ])?;
    }
    Ok(())
}

pub(super) fn assign(tx: &Transaction<'_>, assignments: &[Assignment]) -> rusqlite::Result<()> {
    let mut group = tx.prepare_cached(
        "INSERT INTO held_groups (boot_id, grp, guest) VALUES (?1, ?2, ?3)
         ON CONFLICT (boot_id, grp, guest) DO NOTHING",
    )?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO assignments (bdf, boot_id, grp, guest, state, owner_pid, owner_start)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for held in assignments {
        group.execute(params![held.boot_id, held.group.0, held.guest])?;
        let (pid, start) = columns(held.owner);
        insert.execute(params![
            held.bdf.to_string(),
            held.boot_id,
            held.group.0,
            held.guest,
            held.state,
            pid,
            start,
        ])?;
    }
    Ok(())
}

fn unassign(tx: &Transaction<'_>, functions: &[Bdf]) -> rusqlite::Result<()> {
    let mut delete = tx.prepare_cached("DELETE FROM assignments WHERE bdf = ?1")?;
    for bdf in functions {
        delete.execute([bdf.to_string()])?;
    }
    drop_empty_groups(tx)
}

/// A group is held as long as one of its functions is.
fn drop_empty_groups(tx: &Transaction<'_>) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "DELETE FROM held_groups WHERE NOT EXISTS
         (SELECT 1 FROM assignments
          WHERE assignments.boot_id = held_groups.boot_id AND assignments.grp = held_groups.grp)",
    )?
    .execute([])
    .map(drop)
}

/// Frees what a plan bound, the functions' assignments included.
pub(super) fn drop_plan(tx: &Transaction<'_>, plan: PlanId) -> rusqlite::Result<()> {
    tx.execute(
        "DELETE FROM assignments WHERE bdf IN (SELECT bdf FROM bindings WHERE plan = ?1)",
        [plan.0],
    )?;
    tx.execute("DELETE FROM bindings WHERE plan = ?1", [plan.0])?;
    drop_empty_groups(tx)
}

/// Frees functions.
pub(super) fn drop_functions(tx: &Transaction<'_>, functions: &[Bdf]) -> rusqlite::Result<()> {
    let mut delete = tx.prepare_cached("DELETE FROM bindings WHERE bdf = ?1")?;
    for bdf in functions {
        delete.execute([bdf.to_string()])?;
    }
    unassign(tx, functions)
}

pub(super) fn drop_earlier_boots(tx: &Transaction<'_>, boot_id: &str) -> rusqlite::Result<()> {
    tx.execute("DELETE FROM assignments WHERE boot_id != ?1", [boot_id])?;
    tx.execute("DELETE FROM held_groups WHERE boot_id != ?1", [boot_id])?;
    tx.execute("DELETE FROM bindings WHERE boot_id != ?1", [boot_id]).map(drop)
}

/// An address in a column.
pub(super) fn bdf(row: &Row<'_>, column: usize) -> rusqlite::Result<Bdf> {
    let value: ValueRef<'_> = row.get_ref(column)?;
    let text = value.as_str().map_err(|error| unreadable(column, error))?;
    text.parse().map_err(|error| unreadable(column, error))
}

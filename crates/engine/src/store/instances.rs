//! Instances: guests that passthru started, running or not.

use model::port::Child;
use rusqlite::{OptionalExtension, Row, params};

use super::devices::name;
use super::{Store, columns, process, words};
use crate::error::Error;
use crate::name::Name;

/// How far an instance's life came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceState {
    /// Its devices are being bound and its disks made.
    Preparing,
    /// Its hypervisor is being started.
    Starting,
    Running,
    /// It ended, and its devices were released.
    Stopped,
    /// It did not start, or ended in a way that left something to see to.
    Failed,
}

words!(InstanceState {
    Preparing = "preparing",
    Starting = "starting",
    Running = "running",
    Stopped = "stopped",
    Failed = "failed",
});

impl InstanceState {
    /// Whether it holds devices, or soon will.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Preparing | Self::Starting | Self::Running)
    }
}

/// A process of this machine and boot: pid and start time.
pub type Process = Child;

/// An instance as the database has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceRow {
    pub name: Name,
    pub state: InstanceState,
    /// What it was started with, as JSON.
    pub spec: String,
    pub boot_id: String,
    /// Who sees to it: the command that starts it, then its supervisor.
    pub owner: Option<Process>,
    /// The hypervisor.
    pub process: Option<Process>,
    pub exit_status: Option<i32>,
    pub error: Option<String>,
    /// Seconds since 1970.
    pub made_at: i64,
    pub changed_at: i64,
}

const INSTANCE: &str = "SELECT name, state, spec, boot_id, owner_pid, owner_start, pid, start_time,
    exit_status, error, made_at, changed_at FROM instances";

impl Store {
    /// Every instance, by name.
    pub fn instances(&self) -> Result<Vec<InstanceRow>, Error> {
        self.read(|db| {
            db.prepare(&format!("{INSTANCE} ORDER BY name"))?.query_map([], row)?.collect()
        })
    }

    /// One instance.
    pub fn instance(&self, name: &Name) -> Result<Option<InstanceRow>, Error> {
        self.read(|db| {
            db.prepare_cached(&format!("{INSTANCE} WHERE name = ?1"))?
                .query_row([name.as_str()], row)
                .optional()
        })
    }

    /// Writes an instance down that is being prepared by `owner`. One that
    /// ended before, under the same name, is replaced.
    pub fn put_instance(
        &mut self,
        name: &Name,
        spec: &str,
        boot_id: &str,
        owner: Process,
    ) -> Result<(), Error> {
        let (pid, start) = columns(Some(owner));
        self.write_durably(|tx| {
            tx.execute(
                "INSERT INTO instances (name, state, spec, boot_id, owner_pid, owner_start)
                 VALUES (?1, 'preparing', ?2, ?3, ?4, ?5)
                 ON CONFLICT (name) DO UPDATE SET state = 'preparing', spec = excluded.spec,
                     boot_id = excluded.boot_id, owner_pid = excluded.owner_pid,
                     owner_start = excluded.owner_start, pid = NULL, start_time = NULL,
                     exit_status = NULL, error = NULL, changed_at = unixepoch()",
                params![name.as_str(), spec, boot_id, pid, start],
            )
            .map(drop)
        })
    }

    /// Hands an instance from one owner to another. Says whether it was his.
    pub fn take_over(&mut self, name: &Name, from: Process, to: Process) -> Result<bool, Error> {
        let (from, to) = (columns(Some(from)), columns(Some(to)));
        self.write(|tx| {
            tx.execute(
                "UPDATE instances SET owner_pid = ?2, owner_start = ?3
                 WHERE name = ?1 AND owner_pid = ?4 AND owner_start = ?5",
                params![name.as_str(), to.0, to.1, from.0, from.1],
            )
            .map(|rows| rows == 1)
        })
    }

    /// Writes down the hypervisor's process before it becomes one: only
    /// while the instance is starting and `owner` still sees to it. Says
    /// whether it may go on.
    pub fn claim_start(
        &mut self,
        name: &Name,
        owner: Process,
        process: Process,
    ) -> Result<bool, Error> {
        let (owner, process) = (columns(Some(owner)), columns(Some(process)));
        self.write(|tx| {
            tx.execute(
                "UPDATE instances SET pid = ?4, start_time = ?5, changed_at = unixepoch()
                 WHERE name = ?1 AND state = 'starting' AND owner_pid = ?2 AND owner_start = ?3
                   AND pid IS NULL",
                params![name.as_str(), owner.0, owner.1, process.0, process.1],
            )
            .map(|rows| rows == 1)
        })
    }

    /// Takes back the leave to start: no hypervisor of it comes to life any
    /// more. Says whether none had.
    pub fn revoke_start(&mut self, name: &Name) -> Result<bool, Error> {
        self.write(|tx| {
            tx.execute(
                "UPDATE instances SET state = 'preparing', changed_at = unixepoch()
                 WHERE name = ?1 AND pid IS NULL",
                [name.as_str()],
            )
            .map(|rows| rows == 1)
        })
    }

    /// Moves an instance on.
    pub fn set_instance(&mut self, name: &Name, state: InstanceState) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute(
                "UPDATE instances SET state = ?2, changed_at = unixepoch() WHERE name = ?1",
                params![name.as_str(), state],
            )
            .map(drop)
        })
    }

    /// A guest that was starting runs.
    pub fn set_running(&mut self, name: &Name) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute(
                "UPDATE instances SET state = 'running', changed_at = unixepoch()
                 WHERE name = ?1 AND state = 'starting'",
                [name.as_str()],
            )
            .map(drop)
        })
    }

    /// Ends an instance: no owner, no process.
    pub fn end_instance(
        &mut self,
        name: &Name,
        state: InstanceState,
        exit_status: Option<i32>,
        error: Option<&str>,
    ) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute(
                "UPDATE instances SET state = ?2, exit_status = ?3, error = ?4, owner_pid = NULL,
                     owner_start = NULL, pid = NULL, start_time = NULL, changed_at = unixepoch()
                 WHERE name = ?1",
                params![name.as_str(), state, exit_status, error],
            )
            .map(drop)
        })
    }

    /// Forgets an instance.
    pub fn delete_instance(&mut self, name: &Name) -> Result<(), Error> {
        self.write_durably(|tx| {
            tx.execute("DELETE FROM events WHERE subject = ?1", [name.as_str()])?;
            tx.execute("DELETE FROM instances WHERE name = ?1", [name.as_str()]).map(drop)
        })
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<InstanceRow> {
    Ok(InstanceRow {
        name: name(row, 0)?,
        state: row.get(1)?,
        spec: row.get(2)?,
        boot_id: row.get(3)?,
        owner: process(row, 4)?,
        process: process(row, 6)?,
        exit_status: row.get(8)?,
        error: row.get(9)?,
        made_at: row.get(10)?,
        changed_at: row.get(11)?,
    })
}

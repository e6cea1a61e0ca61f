//! The state database. SQL lives below this folder and nowhere else.
//!
//! In: words of `model` and of the engine. Out: the same, and errors that
//! name the file. It never touches the machine and takes no decision.
//!
//! Durability: write-ahead log with `synchronous = NORMAL`, and no checkpoint
//! when the database is closed. A commit is then in the page cache when it
//! returns, which survives every death of the process but not a power cut,
//! and costs microseconds instead of a disk's flush. That is enough for the
//! journal: all steps there are today change sysfs or systemd's units, and a
//! power cut voids them together with the rows that it may lose. What must
//! outlive a power cut (names, instances, and any step of which
//! `Step::void_after_reboot` is false) is written by [`Store::write_durably`].

mod bindings;
mod devices;
mod events;
mod file;
mod instances;
mod journal;
mod plans;
mod schema;
#[cfg(test)]
mod tests;
mod words;

use std::path::PathBuf;
use std::time::Duration;

use model::port::Child;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior};

use crate::error::Error;
use crate::state::StateDir;
use file::{
    create, exists, refuse_damaged, refuse_empty, refuse_orphans, refuse_others, refuse_short,
};
use words::words;

pub use bindings::{Assignment, AssignmentState, Binding};
pub use devices::Registered;
pub use events::Event;
pub use instances::{InstanceRow, InstanceState, Process};
pub use journal::{Entry, Mark, PlanId, PlanState, StepState, Verb};
pub use plans::{InEffect, PlanRow, StepRow};

/// The log goes into the database when it has this many pages: that flushes
/// the disk, but whoever opens the database reads the log first. A bind with
/// its release adds about forty.
const LOG_PAGES: u32 = 128;

/// The state database, open.
#[derive(Debug)]
pub struct Store {
    db: Connection,
    path: PathBuf,
}

impl Store {
    /// Opens the database, makes it if the state directory has none, and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// [`Error::StateDamaged`] for a file that is cut short or no database,
    /// [`Error::StateNewer`] for one of a later passthru. Neither is touched.
    pub fn open(state: &StateDir) -> Result<Self, Error> {
        let path = state.database();
        if !exists(&path)? {
            refuse_orphans(state)?;
            create(&path)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut store = Self::connect(path, flags)?;
        store.migrate()?;
        Ok(store)
    }

    /// Opens the database for reading only. `None` when there is none: then
    /// passthru has never changed anything here.
    pub fn open_reading(state: &StateDir) -> Result<Option<Self>, Error> {
        let path = state.database();
        if state.is_elsewhere() || !exists(&path)? {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let store = Self::connect(path, flags)?;
        let version = store.version()?;
        if version < schema::MIGRATIONS.len() {
            let path = store.path;
            return Err(Error::StateOlder {
                path,
                found: version,
                known: schema::MIGRATIONS.len(),
            });
        }
        Ok(Some(store))
    }

    fn connect(path: PathBuf, flags: OpenFlags) -> Result<Self, Error> {
        refuse_empty(&path)?;
        let opened = Connection::open_with_flags(&path, flags);
        let db = opened.map_err(|source| Error::store(&path, source))?;
        let store = Self { db, path };
        let set = || {
            store.db.busy_timeout(Duration::from_secs(10))?;
            store.db.pragma_update(None, "foreign_keys", true)?;
            store.db.pragma_update(None, "synchronous", "NORMAL")?;
            store.db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
            store.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map(drop)
        };
        set().map_err(|source| Error::store(&store.path, source))?;
        let version = store.version()?;
        // Its header has been read by now: the size of its pages is known.
        refuse_short(&store.db, &store.path)?;
        refuse_others(&store.db, &store.path)?;
        if version > schema::MIGRATIONS.len() {
            let path = store.path;
            return Err(Error::StateNewer {
                path,
                found: version,
                known: schema::MIGRATIONS.len(),
            });
        }
        Ok(store)
    }

    /// Reads all of it: for what is kept longest, and written seldom.
    ///
    /// # Errors
    /// [`Error::StateDamaged`] where pages of it are.
    pub fn look_through(&self) -> Result<(), Error> {
        refuse_damaged(&self.db, &self.path)
    }

    fn version(&self) -> Result<usize, Error> {
        self.read(user_version)
    }

    fn migrate(&mut self) -> Result<(), Error> {
        let version = self.version()?;
        if version == schema::MIGRATIONS.len() {
            return Ok(());
        }
        self.write(|tx| {
            // Asked again inside the transaction: another process may have done it.
            let version = user_version(tx)?;
            for migration in &schema::MIGRATIONS[version.min(schema::MIGRATIONS.len())..] {
                tx.execute_batch(migration)?;
            }
            let known = i64::try_from(schema::MIGRATIONS.len()).unwrap_or(i64::MAX);
            tx.pragma_update(None, "user_version", known)
        })?;
        // The tables are in the file itself from now on: without them and
        // without its log, it could not be told from a new one.
        self.read(|db| db.query_row("PRAGMA wal_checkpoint(FULL)", [], |_| Ok(())))
    }

    /// One transaction that takes the write lock at once: a reader that
    /// becomes a writer in the middle could not wait (`SQLITE_BUSY_SNAPSHOT`).
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        let run = || {
            let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&tx)?;
            tx.commit()?;
            Ok(value)
        };
        run().map_err(|source| Error::store(&self.path, source))
    }

    /// One transaction that is on the disk when it returns.
    fn write_durably<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Error> {
        self.read(|db| db.pragma_update(None, "synchronous", "FULL"))?;
        let written = self.write(work);
        self.read(|db| db.pragma_update(None, "synchronous", "NORMAL"))?;
        written
    }

    /// From now on, each commit is on the disk when it returns: what is
    /// written down outlives a power cut, and so must the journal.
    pub fn make_durable(&self) -> Result<(), Error> {
        self.read(|db| db.pragma_update(None, "synchronous", "FULL"))
    }

    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        work(&self.db).map_err(|source| Error::store(&self.path, source))
    }

    /// Caps the size of the database, in pages: a full disk for tests.
    #[doc(hidden)]
    pub fn limit_pages(&self, pages: u32) -> Result<(), Error> {
        self.read(|db| db.pragma_update(None, "max_page_count", pages))
    }
}

/// A version that no slice of migrations can have reads as one far ahead.
fn user_version(db: &Connection) -> rusqlite::Result<usize> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(usize::try_from(version).unwrap_or(usize::MAX))
}

/// A value that was kept as text and does not read back: another hand wrote
/// it, or a later version did.
fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

/// A value as a column keeps it.
fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A process as two columns hold it. Start times are ticks since boot: they
/// stay below SQLite's 63 bits for millions of years.
fn columns(process: Option<Child>) -> (Option<u32>, Option<i64>) {
    let start = process.map(|process| i64::try_from(process.start_time).unwrap_or(i64::MAX));
    (process.map(|process| process.pid), start)
}

/// A process in two neighbouring columns.
fn process(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Child>> {
    let pid: Option<u32> = row.get(column)?;
    let start: Option<i64> = row.get(column + 1)?;
    let start = start.map(|start| u64::try_from(start).unwrap_or_default());
    Ok(pid.zip(start).map(|(pid, start_time)| Child { pid, start_time }))
}

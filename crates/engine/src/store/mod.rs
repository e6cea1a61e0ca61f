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
mod instances;
mod journal;
mod plans;
mod schema;
#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::port::Child;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior};

use crate::error::Error;
use crate::state::StateDir;

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
        if !exists(&path)? {
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
        refuse_short(&path)?;
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

/// Makes an empty database with write-ahead log under another name and moves
/// it into place, so that an empty `state.db` always means damage and never
/// a start that was cut off.
fn create(path: &Path) -> Result<(), Error> {
    let fresh = path.with_extension(format!("db.{}", std::process::id()));
    let make = || {
        let db = Connection::open(&fresh)?;
        db.pragma_update(None, "journal_mode", "WAL")?;
        db.close().map_err(|(_, error)| error)
    };
    make().map_err(|source| Error::store(&fresh, source))?;
    // link(2) and not rename(2): of two first starts at once, one must win.
    let linked = fs::hard_link(&fresh, path);
    let removed = fs::remove_file(&fresh);
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(Error::file(path, error))
        }
        _ => removed.map_err(|error| Error::file(fresh, error)),
    }
}

/// SQLite takes an empty file for a new database (see [`create`] for why it
/// never is one here), and fills up a last page that was cut short with zeros.
fn refuse_short(path: &Path) -> Result<(), Error> {
    let failed = |error| Error::file(path, error);
    let file = fs::File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut head = [0; 18];
    let begins = match file.read_exact_at(&mut head, 0) {
        Ok(()) => head.starts_with(b"SQLite format 3\0"),
        Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(failed(error)),
    };
    // The page size: two bytes from offset 16 on, big-endian, 1 for 65536
    // (sqlite.org/fileformat.html, 1.3.2).
    let page = match u64::from(u16::from_be_bytes([head[16], head[17]])) {
        1 => 65536,
        page => page,
    };
    if begins && page >= 512 && length.is_multiple_of(page) {
        return Ok(());
    }
    let short = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
    let text = match begins {
        _ if length == 0 => "it is empty".to_owned(),
        true => format!("it holds {length} bytes, which is no whole number of pages"),
        false => format!("its {length} bytes do not begin as a database does"),
    };
    Err(Error::store(path, rusqlite::Error::SqliteFailure(short, Some(text))))
}

/// A state directory that lost its database is not a new one.
fn refuse_orphans(state: &StateDir) -> Result<(), Error> {
    let log = state.database().with_extension("db-wal");
    for left in [log, state.instances()] {
        if exists(&left)? {
            return Err(Error::StateMissing { path: state.database(), left });
        }
    }
    Ok(())
}

fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(|error| Error::file(path, error))
}

/// A value that was kept as text and does not read back: another hand wrote
/// it, or a later version did.
fn unreadable(
    column: usize,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
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

/// Names of a closed set, as they stand in a column.
macro_rules! words {
    ($name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        impl $name {
            /// The word for it in the database and in replies.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.as_str().into())
            }
        }

        impl rusqlite::types::FromSql for $name {
            fn column_result(
                value: rusqlite::types::ValueRef<'_>,
            ) -> rusqlite::types::FromSqlResult<Self> {
                match value.as_str()? {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(rusqlite::types::FromSqlError::InvalidType),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
use words;

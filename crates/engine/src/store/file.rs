//! The database as a file: made, missing, or cut short.
//!
//! In: paths. Out: a file that SQLite may open, or why it may not. Never: a
//! look at its tables.

use std::fs;
use std::path::Path;

use rusqlite::Connection;

use crate::error::{Damage, Error};
use crate::state::StateDir;

/// What tells a database of passthru from others, in its header ("ptru"; `PRAGMA
/// application_id`, sqlite.org/fileformat2.html).
pub(super) const APPLICATION: i32 = 0x7074_7275;

/// Makes an empty database with write-ahead log under another name and moves
/// it into place, so that an empty `state.db` always means damage and never
/// a start that was cut off.
pub(super) fn create(path: &Path) -> Result<(), Error> {
    let fresh = path.with_extension(format!("db.{}", std::process::id()));
    let make = || {
        let db = Connection::open(&fresh)?;
        db.pragma_update(None, "application_id", APPLICATION)?;
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

/// SQLite takes an empty file for a new database; see [`create`] for why it
/// never is one here. The file is not opened for this: closing it would drop
/// the locks that other connections of this process have on it (fcntl(2)
/// locks belong to the process; sqlite.org/howtocorrupt.html, 2.2).
pub(super) fn refuse_empty(path: &Path) -> Result<(), Error> {
    let found = fs::metadata(path).map_err(|error| Error::file(path, error))?;
    // A FIFO would wait for a writer.
    if !found.is_file() {
        return Err(Error::file(path, std::io::Error::other("it is no regular file")));
    }
    match found.len() {
        0 => Err(damaged(path, "it is empty".to_owned())),
        _ => Ok(()),
    }
}

/// SQLite fills up a last page that was cut short with zeros.
pub(super) fn refuse_short(db: &Connection, path: &Path) -> Result<(), Error> {
    let length = fs::metadata(path).map_err(|error| Error::file(path, error))?.len();
    let page: i64 = db
        .pragma_query_value(None, "page_size", |row| row.get(0))
        .map_err(|source| Error::store(path, source))?;
    match u64::try_from(page) {
        Ok(page) if length.is_multiple_of(page) => Ok(()),
        _ => Err(damaged(
            path,
            format!("it holds {length} bytes, which is no whole number of pages"),
        )),
    }
}

/// What another program made is not migrated.
pub(super) fn refuse_others(db: &Connection, path: &Path) -> Result<(), Error> {
    let application = db.pragma_query_value(None, "application_id", |row| row.get(0));
    match application.map_err(|source| Error::store(path, source))? {
        APPLICATION => Ok(()),
        _ => Err(Error::StateOfOthers { path: path.to_owned() }),
    }
}

/// Damage that a query may never come upon.
pub(super) fn refuse_damaged(db: &Connection, path: &Path) -> Result<(), Error> {
    let found: rusqlite::Result<String> =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match found.map_err(|source| Error::store(path, source))? {
        sound if sound == "ok" => Ok(()),
        found => Err(damaged(path, found)),
    }
}

fn damaged(path: &Path, text: String) -> Error {
    Error::StateDamaged { path: path.to_owned(), source: Damage(text) }
}

/// A state directory that lost its database is not a new one.
pub(super) fn refuse_orphans(state: &StateDir) -> Result<(), Error> {
    let log = state.database().with_extension("db-wal");
    for left in [log, state.instances()] {
        if exists(&left)? {
            return Err(Error::StateMissing { path: state.database(), left });
        }
    }
    Ok(())
}

pub(super) fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(|error| Error::file(path, error))
}

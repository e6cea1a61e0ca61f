//! The database as a file: made, missing, or cut short.
//!
//! In: paths. Out: a file that SQLite may open, or why it may not. Never: a
//! look at its tables.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rusqlite::Connection;

use crate::error::Error;
use crate::state::StateDir;

/// Makes an empty database with write-ahead log under another name and moves
/// it into place, so that an empty `state.db` always means damage and never
/// a start that was cut off.
pub(super) fn create(path: &Path) -> Result<(), Error> {
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
pub(super) fn refuse_short(path: &Path) -> Result<(), Error> {
    let failed = |error| Error::file(path, error);
    // Looked at before it is opened: a FIFO would wait for a writer.
    let found = fs::metadata(path).map_err(failed)?;
    if !found.is_file() {
        return Err(failed(std::io::Error::other("it is no regular file")));
    }
    let length = found.len();
    let file = fs::File::open(path).map_err(failed)?;
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

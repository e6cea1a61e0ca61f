//! What happened to devices and instances, for people to read later.

use rusqlite::params;

use super::Store;
use crate::error::Error;

/// Older ones are forgotten.
const KEPT: i64 = 1000;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Seconds since 1970.
    pub at: i64,
    /// An address or an instance's name.
    pub subject: String,
    pub text: String,
}

impl Store {
    /// Writes down what happened.
    pub fn event(&mut self, subject: &str, text: &str) -> Result<(), Error> {
        self.write(|tx| {
            tx.execute("DELETE FROM events WHERE id < (SELECT max(id) FROM events) - ?1", [KEPT])?;
            tx.execute("INSERT INTO events (subject, text) VALUES (?1, ?2)", params![subject, text])
                .map(drop)
        })
    }

    /// What happened to one subject, the oldest first.
    pub fn events(&self, subject: &str) -> Result<Vec<Event>, Error> {
        self.read(|db| {
            db.prepare("SELECT at, subject, text FROM events WHERE subject = ?1 ORDER BY id")?
                .query_map([subject], |row| {
                    Ok(Event { at: row.get(0)?, subject: row.get(1)?, text: row.get(2)? })
                })?
                .collect()
        })
    }
}

//! Registered devices: a name, and the identity that is behind it.

use model::Bdf;
use model::identity::Identity;
use rusqlite::{OptionalExtension, Row, params};

use super::bindings::bdf;
use super::{Store, json, unreadable};
use crate::error::Error;
use crate::name::Name;

/// A device that has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    pub name: Name,
    /// Where it was last seen; what it is stands in `identity`.
    pub bdf: Bdf,
    pub identity: Identity,
}

impl Store {
    /// Every registered device, by name.
    pub fn devices(&self) -> Result<Vec<Registered>, Error> {
        self.read(|db| {
            db.prepare_cached("SELECT name, bdf, identity FROM devices ORDER BY name")?
                .query_map([], registered)?
                .collect()
        })
    }

    /// The device of a name.
    pub fn device(&self, name: &Name) -> Result<Option<Registered>, Error> {
        self.read(|db| {
            db.prepare_cached("SELECT name, bdf, identity FROM devices WHERE name = ?1")?
                .query_row([name.as_str()], registered)
                .optional()
        })
    }

    /// Registers a device. Whether name and address are free is asked before.
    pub fn add_device(&mut self, device: &Registered) -> Result<(), Error> {
        self.write_durably(|tx| {
            let identity = json(&device.identity)?;
            tx.execute(
                "INSERT INTO devices (name, bdf, identity) VALUES (?1, ?2, ?3)",
                params![device.name.as_str(), device.bdf.to_string(), identity],
            )
            .map(drop)
        })
    }

    /// Forgets a name. Says whether there was one.
    pub fn remove_device(&mut self, name: &Name) -> Result<bool, Error> {
        self.write_durably(|tx| {
            tx.execute("DELETE FROM devices WHERE name = ?1", [name.as_str()]).map(|rows| rows > 0)
        })
    }
}

fn registered(row: &Row<'_>) -> rusqlite::Result<Registered> {
    let identity: String = row.get(2)?;
    Ok(Registered {
        name: name(row, 0)?,
        bdf: bdf(row, 1)?,
        identity: serde_json::from_str(&identity).map_err(|error| unreadable(2, error))?,
    })
}

/// A name in a column.
pub(super) fn name(row: &Row<'_>, column: usize) -> rusqlite::Result<Name> {
    let text: String = row.get(column)?;
    text.parse().map_err(|error| unreadable(column, error))
}

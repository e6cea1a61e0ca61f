//! The commands that are used, typed.
//!
//! In: values. Out: QMP commands and what their answers mean. Each function
//! is one command of QEMU's `qapi` schema, by its name there.

use serde_json::{Value, json};

use super::client::{Qmp, QmpError};

/// A device that QEMU holds under a name of its own (`-device …,id=`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peripheral {
    pub id: String,
    /// `pcie-root-port`, `vfio-pci`, …
    pub kind: String,
}

impl Qmp {
    /// The guest's state in QEMU's word (`RunState`): `running`, `paused`,
    /// `prelaunch`, `shutdown`, `internal-error`, …
    pub fn query_status(&mut self) -> Result<String, QmpError> {
        let answer = self.execute("query-status", &Value::Null)?;
        let status = answer.get("status").and_then(Value::as_str);
        status.map(str::to_owned).ok_or_else(|| QmpError::Malformed(answer.to_string()))
    }

    /// Press the power button. The guest shuts down if its operating system
    /// listens; this returns at once.
    pub fn system_powerdown(&mut self) -> Result<(), QmpError> {
        self.execute("system_powerdown", &Value::Null).map(|_| ())
    }

    /// End QEMU. It may close the socket before the answer is through.
    pub fn quit(&mut self) -> Result<(), QmpError> {
        match self.execute("quit", &Value::Null) {
            Ok(_) | Err(QmpError::Closed) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Let a paused guest run.
    pub fn cont(&mut self) -> Result<(), QmpError> {
        self.execute("cont", &Value::Null).map(|_| ())
    }

    /// Add a device: `properties` is what `-device` would be told, `driver` among it.
    pub fn device_add(&mut self, properties: &Value) -> Result<(), QmpError> {
        self.execute("device_add", properties).map(|_| ())
    }

    /// Ask the guest to let go of a device. Done when it is asked:
    /// `DEVICE_DELETED` tells that it has, `DEVICE_UNPLUG_GUEST_ERROR` that it will not.
    pub fn device_del(&mut self, id: &str) -> Result<(), QmpError> {
        self.execute("device_del", &json!({ "id": id })).map(|_| ())
    }

    /// A property of an object in QEMU's tree.
    pub fn qom_get(&mut self, path: &str, property: &str) -> Result<Value, QmpError> {
        self.execute("qom-get", &json!({ "path": path, "property": property }))
    }

    /// The devices that have a name, in the order of their names.
    pub fn peripherals(&mut self) -> Result<Vec<Peripheral>, QmpError> {
        self.children("/machine/peripheral")
    }

    /// The devices that have none; QEMU calls them `device[0]` and so on.
    pub fn nameless(&mut self) -> Result<Vec<Peripheral>, QmpError> {
        self.children("/machine/peripheral-anon")
    }

    fn children(&mut self, path: &str) -> Result<Vec<Peripheral>, QmpError> {
        let answer = self.execute("qom-list", &json!({ "path": path }))?;
        let entries = answer.as_array().into_iter().flatten();
        let mut found: Vec<Peripheral> = entries
            .filter_map(|entry| {
                let kind = entry.get("type")?.as_str()?;
                let kind = kind.strip_prefix("child<")?.strip_suffix('>')?;
                let id = entry.get("name")?.as_str()?;
                Some(Peripheral { id: id.to_owned(), kind: kind.to_owned() })
            })
            .collect();
        found.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(found)
    }
}

/// The path of a named device in QEMU's tree.
pub fn peripheral_path(id: &str) -> String {
    format!("/machine/peripheral/{id}")
}

//! `passthru device`: names for devices.
//!
//! A name stands for the device itself (ids, serial number, place), not for
//! its address: if another device sits there one day, the name is refused.

use std::io::Write;

use clap::{Args, Subcommand};
use engine::{Name, Registered};
use serde::Serialize;

use crate::args::Change;
use crate::context::Context;
use crate::device;
use crate::error::Error;
use crate::output::table::Table;
use crate::output::{json, print};

/// Names for devices
#[derive(Debug, Subcommand)]
pub enum Device {
    Add(Add),
    List(List),
    Remove(Remove),
}

/// Give a device a name that stays with it, whatever its address becomes
#[derive(Debug, Args)]
pub struct Add {
    /// Address, or vendor:device
    #[arg(value_parser = device::parse)]
    device: String,

    /// 1 to 63 of a-z, 0-9, `_`, `.` and `-`, the first a letter or a digit, and no
    /// address
    #[arg(long)]
    name: Name,

    #[command(flatten)]
    change: Change,
}

/// List the names and what they stand for
#[derive(Debug, Args)]
pub struct List {}

/// Forget a name; the device stays as it is
#[derive(Debug, Args)]
pub struct Remove {
    /// A name from `passthru device list`
    name: Name,

    #[command(flatten)]
    change: Change,
}

impl Device {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        match self {
            Self::Add(verb) => verb.exec(cx),
            Self::List(_) => list(cx),
            Self::Remove(verb) => verb.exec(cx),
        }
    }
}

impl Add {
    fn exec(&self, cx: &Context) -> Result<(), Error> {
        let dry_run = self.change.dry_run;
        let registered = match dry_run {
            true => cx.engine().plan_add_device(&self.device, &self.name)?,
            false => cx.changing_engine()?.add_device(&self.device, &self.name)?,
        };
        if cx.json {
            return json::print(&AddedJson { dry_run, device: DeviceJson::of(&registered) });
        }
        let word = if dry_run { "register" } else { "registered" };
        print(|out| writeln!(out, "{word} {} as {}", registered.bdf, registered.name))
    }
}

impl Remove {
    fn exec(&self, cx: &Context) -> Result<(), Error> {
        let (name, dry_run) = (&self.name, self.change.dry_run);
        match dry_run {
            false => cx.changing_engine()?.remove_device(name)?,
            true if cx.engine().registered()?.iter().any(|device| device.name == *name) => {}
            true => return Err(engine::Error::NotRegistered(name.clone()).into()),
        }
        if cx.json {
            return json::print(&RemovedJson { dry_run, name: name.as_str() });
        }
        let word = if dry_run { "forget" } else { "forgot" };
        print(|out| writeln!(out, "{word} {name}"))
    }
}

fn list(cx: &Context) -> Result<(), Error> {
    let devices = cx.engine().registered()?;
    if cx.json {
        let devices = devices.iter().map(DeviceJson::of).collect();
        return json::print(&DevicesJson { devices });
    }
    let mut table = Table::new(["NAME", "ADDRESS", "IDS", "SERIAL", "PLACE"], 4);
    for device in &devices {
        let DeviceJson { name, address, vendor, device, serial, place, .. } =
            DeviceJson::of(device);
        let ids = format!("{vendor}:{device}");
        let serial = serial.unwrap_or_else(|| "-".to_owned());
        table.push([name.into(), address.into(), ids.into(), serial.into(), place.into()]);
    }
    print(|out| match table.is_empty() {
        true => writeln!(out, "no device is registered"),
        false => table.write(out, cx.look),
    })
}

#[derive(Serialize)]
struct DevicesJson {
    devices: Vec<DeviceJson>,
}

#[derive(Serialize)]
struct AddedJson {
    dry_run: bool,
    #[serde(flatten)]
    device: DeviceJson,
}

#[derive(Serialize)]
struct RemovedJson<'a> {
    dry_run: bool,
    name: &'a str,
}

/// A registered device.
#[derive(Serialize)]
struct DeviceJson {
    name: String,
    /// Where it was last seen.
    address: String,
    vendor: String,
    device: String,
    subsystem_vendor: Option<String>,
    subsystem_device: Option<String>,
    serial: Option<String>,
    place: String,
}

impl DeviceJson {
    fn of(registered: &Registered) -> Self {
        let identity = &registered.identity;
        Self {
            name: registered.name.to_string(),
            address: registered.bdf.to_string(),
            vendor: identity.vendor.to_string(),
            device: identity.device.to_string(),
            subsystem_vendor: identity.subsystem.map(|(vendor, _)| vendor.to_string()),
            subsystem_device: identity.subsystem.map(|(_, device)| device.to_string()),
            serial: identity.serial.map(|serial| format!("{serial:016x}")),
            place: identity.place.to_string(),
        }
    }
}

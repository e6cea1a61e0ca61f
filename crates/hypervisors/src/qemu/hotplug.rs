//! Devices that come to and go from a running guest.
//!
//! In: a device and a connection. All functions of a device come together or
//! not at all. The guest looks at a slot when function 0 appears, so that one
//! comes last; POWER also wants it to leave last, and on x86 the whole slot
//! leaves at the first request.

use std::slice;
use std::time::{Duration, Instant};

use model::reason::{Code, Reason};
use serde_json::{Map, Value, json};

use super::client::{Event, Qmp, QmpError};
use super::iommu;
use super::ports::{choose, free_ports};
use crate::device::{HostDevice, HostFunction};
use crate::{ControlError, Patience};

/// How often the list of devices is looked at beside the events: on x86 only
/// the function that was asked for is announced, its siblings go silently.
const LOOK: Duration = Duration::from_millis(200);

/// Whether a running guest that holds these functions has a place for each
/// of these devices.
pub fn may_attach(
    qmp: &mut Qmp,
    devices: &[HostDevice],
    held: &[HostFunction],
) -> Result<(), ControlError> {
    for device in devices {
        refuse_if_there(qmp, device)?;
    }
    iommu::refuse(qmp, devices, held)?;
    let mut free = free_ports(qmp)?;
    for device in devices {
        let port = choose(&free, device).map_err(ControlError::Refused)?.id.clone();
        free.retain(|free| free.id != port);
    }
    Ok(())
}

/// Give a running guest a device. Answers with the names of its functions.
pub fn attach(qmp: &mut Qmp, device: &HostDevice) -> Result<Vec<String>, ControlError> {
    refuse_if_there(qmp, device)?;
    iommu::refuse(qmp, slice::from_ref(device), &[])?;
    let free = free_ports(qmp)?;
    let port = choose(&free, device).map_err(ControlError::Refused)?;
    let iommufd = iommufd(qmp)?;
    let functions = properties(device, &port.bus, iommufd.as_deref());
    let mut added: Vec<String> = Vec::new();
    // Function 0 is the first in the list, and the last to be added.
    for properties in functions.iter().rev() {
        if let Err(error) = qmp.device_add(properties) {
            return Err(take_back(qmp, device, &added, error));
        }
        added.extend(properties.get("id").and_then(Value::as_str).map(str::to_owned));
    }
    added.reverse();
    Ok(added)
}

/// Take a device from a running guest; waits until all of it is gone.
pub fn detach(qmp: &mut Qmp, device: &HostDevice, patience: &Patience) -> Result<(), ControlError> {
    let ids: Vec<String> = device.functions.iter().map(|function| function.id()).collect();
    unplug(qmp, &device.name(), &ids, patience)
}

/// Ask for these to be unplugged, function 0 (the first) last, and wait.
/// Functions that are gone already are done.
pub fn unplug(
    qmp: &mut Qmp,
    name: &str,
    ids: &[String],
    patience: &Patience,
) -> Result<(), ControlError> {
    let wait = patience.wait();
    let until = Instant::now() + wait;
    // What was announced before belongs to an earlier request.
    qmp.take_events();
    for id in ids.iter().rev() {
        match qmp.device_del(id) {
            Ok(()) => {}
            Err(error) if error.is_not_found() => {}
            // "already in the process of unplug", "guest is busy": asked
            // before, by us or by the sibling's request. The wait tells.
            Err(QmpError::Refused { text, .. }) if is_pending(&text) => {}
            Err(error) => return Err(error.into()),
        }
    }
    loop {
        let there = qmp.peripherals()?;
        if !there.iter().any(|device| ids.contains(&device.id)) {
            return Ok(());
        }
        if patience.is_lost() {
            return Err(QmpError::Interrupted.into());
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ControlError::NotLetGo { device: name.to_owned(), waited: wait });
        }
        if let Some(event) = qmp.next_event(left.min(LOOK))? {
            refused_by_guest(&event, name, ids)?;
        }
    }
}

fn is_pending(text: &str) -> bool {
    text.contains("already in the process of unplug") || text.contains("guest is busy")
}

/// `DEVICE_UNPLUG_GUEST_ERROR` since QEMU 6.2; POWER's `MEM_UNPLUG_ERROR` is not about us.
fn refused_by_guest(event: &Event, name: &str, ids: &[String]) -> Result<(), ControlError> {
    let ours = event.text("device").is_some_and(|id| ids.iter().any(|own| own == id));
    if event.name == "DEVICE_UNPLUG_GUEST_ERROR" && ours {
        let text = "its operating system, or a driver there, said no".to_owned();
        return Err(ControlError::GuestRefused { device: name.to_owned(), text });
    }
    Ok(())
}

fn properties(device: &HostDevice, bus: &str, iommufd: Option<&str>) -> Vec<Value> {
    let numbers = device.numbers();
    let many = numbers.len() > 1;
    let each = device.functions.iter().zip(numbers).map(|(host, number)| {
        let mut properties = Map::new();
        let mut set = |key: &str, value: Value| properties.insert(key.to_owned(), value);
        set("driver", json!("vfio-pci"));
        set("id", json!(host.id()));
        set("sysfsdev", json!(host.sysfs.display().to_string()));
        set("bus", json!(bus));
        set("addr", json!(format!("0x0.{number:#x}")));
        if many && number == 0 {
            set("multifunction", json!(true));
        }
        if let Some(iommufd) = iommufd {
            set("iommufd", json!(iommufd));
        }
        if let Some(rom) = &host.rom_file {
            set("romfile", json!(rom.display().to_string()));
        }
        Value::Object(properties)
    });
    each.collect()
}

/// The iommufd object of this guest, if it was started with one.
fn iommufd(qmp: &mut Qmp) -> Result<Option<String>, QmpError> {
    let answer = qmp.execute("qom-list", &json!({ "path": "/objects" }))?;
    let mut entries = answer.as_array().into_iter().flatten();
    let found = entries.find(|entry| entry.get("type") == Some(&json!("child<iommufd>")));
    Ok(found.and_then(|entry| entry.get("name")?.as_str()).map(str::to_owned))
}

fn refuse_if_there(qmp: &mut Qmp, device: &HostDevice) -> Result<(), ControlError> {
    let there = qmp.peripherals()?;
    let twice = device.functions.iter().find(|own| there.iter().any(|have| have.id == own.id()));
    match twice {
        Some(function) => Err(ControlError::Refused(Reason::at(
            Code::Assigned,
            function.bdf,
            "the guest has it already",
            "",
        ))),
        None => Ok(()),
    }
}

/// After a failure half way: function 0 is not there yet, so the guest has
/// seen nothing and what was added can go.
fn take_back(
    qmp: &mut Qmp,
    device: &HostDevice,
    added: &[String],
    error: QmpError,
) -> ControlError {
    if added.is_empty() {
        return error.into();
    }
    let ids: Vec<String> = added.iter().rev().cloned().collect();
    match unplug(qmp, &device.name(), &ids, &Duration::from_secs(2).into()) {
        Ok(()) => error.into(),
        Err(undo) => ControlError::InPart {
            device: device.name(),
            text: error.to_string(),
            source: Box::new(undo),
        },
    }
}

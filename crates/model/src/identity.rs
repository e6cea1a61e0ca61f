//! Which device this is, whatever its address.
//!
//! Bus numbers move when a card is added or the firmware is updated, so an
//! address is where a device was last seen and not what it is. A registered
//! device is known by its ids, its serial number where it has one, and its
//! place: the device and function numbers on the way from the root bus, which
//! are wired on the board and do not move.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bdf::Bdf;
use crate::function::Function;
use crate::ids::{DeviceId, VendorId};
use crate::snapshot::Snapshot;

/// What makes a registered device this one and no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub vendor: VendorId,
    pub device: DeviceId,
    pub subsystem: Option<(VendorId, DeviceId)>,
    /// Device Serial Number (PCI Express capability 0x0003).
    pub serial: Option<u64>,
    pub place: Place,
}

/// The way from the root bus: `0000/01.1/00.0` is function 0 of device 0
/// behind the bridge 01.1 of domain 0.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Place(pub String);

/// How what sits at an address compares with what was registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Likeness {
    Same,
    /// Another device; what differs, in words.
    Other(String),
    /// Ids or place could not be read.
    Unreadable,
}

impl Identity {
    /// The identity of a function; `None` while its ids cannot be read.
    pub fn of(function: &Function) -> Option<Self> {
        Some(Self {
            vendor: *function.vendor.known()?,
            device: *function.device.known()?,
            subsystem: function.subsystem.known().copied(),
            serial: serial(function),
            place: Place::of(function),
        })
    }

    /// Whether this function is the registered device. The serial number
    /// decides only where both sides have one: reading it needs root.
    pub fn compare(&self, function: &Function) -> Likeness {
        let Some(now) = Self::of(function) else { return Likeness::Unreadable };
        if (self.vendor, self.device) != (now.vendor, now.device) {
            return Likeness::Other(format!(
                "it is {}:{}, not {}:{}",
                now.vendor, now.device, self.vendor, self.device
            ));
        }
        if let (Some(was), Some(is)) = (self.subsystem, now.subsystem)
            && was != is
        {
            return Likeness::Other(format!(
                "its subsystem is {}:{}, not {}:{}",
                is.0, is.1, was.0, was.1
            ));
        }
        match (self.serial, now.serial) {
            (Some(was), Some(is)) if was == is => Likeness::Same,
            (Some(was), Some(is)) => {
                Likeness::Other(format!("its serial number is {is:016x}, not {was:016x}"))
            }
            _ if self.place == now.place => Likeness::Same,
            _ => Likeness::Other(format!("it sits at {}, not at {}", now.place, self.place)),
        }
    }

    /// The function that is this device now, wherever it sits. `None` when
    /// there is none, or more than one that could be it.
    pub fn find(&self, snapshot: &Snapshot) -> Option<Bdf> {
        let mut same =
            snapshot.functions.values().filter(|function| self.compare(function) == Likeness::Same);
        let first = same.next()?;
        same.next().is_none().then_some(first.bdf)
    }
}

impl Place {
    /// The place of a function.
    pub fn of(function: &Function) -> Self {
        let mut text = format!("{:04x}", function.bdf.domain());
        for hop in function.upstream.iter().rev().chain([&function.bdf]) {
            text.push_str(&format!("/{:02x}.{:x}", hop.device(), hop.function()));
        }
        Self(text)
    }
}

fn serial(function: &Function) -> Option<u64> {
    // All zeros and all ones stand for "none was programmed".
    let serial = function.extended().known()?.serial?;
    (serial != 0 && serial != u64::MAX).then_some(serial)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

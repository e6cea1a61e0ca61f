//! What a function is called: by the PCI database, and by whoever registered it.
//!
//! In: ids and the registered devices. Out: names that borrow from here.

use std::collections::BTreeMap;

use host::names::Names;
use model::{Bdf, Function};

use crate::context::Context;
use crate::error::Error;

/// Where names come from.
#[derive(Debug)]
pub struct Naming {
    names: Names,
    registered: BTreeMap<Bdf, String>,
}

/// The names of one function; `None` for what nobody named.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    pub vendor: Option<&'a str>,
    pub device: Option<&'a str>,
    pub subsystem: Option<&'a str>,
    pub class: Option<&'a str>,
    /// The name that it is registered under.
    pub registered: Option<&'a str>,
}

impl Naming {
    /// Names for the machine that is looked at.
    pub fn load(cx: &Context) -> Result<Self, Error> {
        let devices = cx.engine().registered()?;
        let registered = devices.into_iter().map(|device| (device.bdf, device.name.to_string()));
        Ok(Self { names: Names::load(&cx.root), registered: registered.collect() })
    }

    /// The names of one function.
    pub fn of(&self, function: &Function) -> Named<'_> {
        let vendor = function.vendor.known().copied();
        let device = function.device.known().copied();
        let ids = vendor.zip(device);
        let subsystem = function.subsystem.known().copied();
        Named {
            vendor: vendor.and_then(|vendor| self.names.vendor(vendor)),
            device: ids.and_then(|(vendor, device)| self.names.device(vendor, device)),
            subsystem: ids.zip(subsystem).and_then(|(ids, sub)| self.names.subsystem(ids, sub)),
            class: function.class.known().and_then(|class| self.names.class(*class)),
            registered: self.registered.get(&function.bdf).map(String::as_str),
        }
    }
}

impl Named<'_> {
    /// The class in words, else its number.
    pub fn class_text(&self, function: &Function) -> String {
        match (self.class, function.class.known()) {
            (Some(name), _) => name.to_owned(),
            (None, Some(class)) => format!("class {class}"),
            (None, None) => "unknown class".to_owned(),
        }
    }

    /// Vendor and device in words, else their numbers.
    pub fn device_text(&self, function: &Function) -> String {
        match (self.vendor, self.device) {
            (Some(vendor), Some(device)) => format!("{vendor} {device}"),
            (Some(vendor), None) => match function.device.known() {
                Some(device) => format!("{vendor} device {device}"),
                None => vendor.to_owned(),
            },
            _ => format!("device {}", function.ids_text()),
        }
    }
}

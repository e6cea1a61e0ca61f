//! What a function is called, by numbers and by whoever registered it.
//!
//! In: ids, and what the state knows. Out: names that borrow from here.

use host::names::Names;
use model::Function;

use crate::context::Context;
use crate::known::Known;

/// Where names come from.
#[derive(Debug)]
pub struct Naming {
    names: Names,
    pub known: Known,
}

/// The names of one function; `None` for what nobody named.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    pub vendor: Option<&'a str>,
    pub device: Option<&'a str>,
    pub class: Option<&'a str>,
    /// The name that it is registered under.
    pub registered: Option<&'a str>,
}

impl Naming {
    /// Names for the machine that is looked at.
    pub fn load(cx: &Context) -> Self {
        Self { names: Names::load(&cx.root), known: Known::load(cx) }
    }

    /// The names of one function.
    pub fn of(&self, function: &Function) -> Named<'_> {
        let vendor = function.vendor.known().copied();
        let device = function.device.known().copied();
        let ids = vendor.zip(device);
        Named {
            vendor: vendor.and_then(|vendor| self.names.vendor(vendor)),
            device: ids.and_then(|(vendor, device)| self.names.device(vendor, device)),
            class: function.class.known().and_then(|class| self.names.class(*class)),
            registered: self.known.name(function),
        }
    }

    /// The name of the card that a function is on, which no listing needs.
    pub fn card(&self, function: &Function) -> Option<&str> {
        let ids = function.vendor.known().copied().zip(function.device.known().copied());
        self.names.subsystem(ids?, *function.subsystem.known()?)
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

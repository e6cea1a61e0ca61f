//! The rules by which udev hands functions to a guest's driver, early at boot.
//!
//! In: a file of ours, and functions. Out: the rules in it, and the file with
//! others. Never: a rule that somebody else wrote; a file with one is left
//! alone.
//!
//! A rule knows a function by its ids and its place below a root bus, as
//! buses further down are counted anew when a card is added. It says
//! `driver_override` before udev loads the driver of the host (`RUN` comes
//! after all assignments, udev(7)), so that none takes the device in between.

use std::fmt;

use super::source::{EditError, Problem, Source};
use crate::bdf::Bdf;
use crate::function::{Function, module_of};
use crate::ids::{DeviceId, VendorId};
use crate::ours::PERSISTED;

/// A function that is handed to a driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub driver: String,
    vendor: VendorId,
    device: DeviceId,
    subsystem: Option<(VendorId, DeviceId)>,
    /// The root bus, and device and function numbers on the way from it.
    root: (u32, u8),
    way: Vec<(u8, u8)>,
    /// Where it was when the rule was made.
    pub seen: Bdf,
    /// Ids and place do not tell it from another: only what sits at this
    /// very address is meant.
    pub only_there: bool,
}

impl Rule {
    /// The rule for a function; `None` while its ids cannot be read.
    pub fn of(function: &Function, driver: &str) -> Option<Self> {
        let bdf = function.bdf;
        let first = function.upstream.last().unwrap_or(&bdf);
        let way = function.upstream.iter().rev().chain([&bdf]);
        Some(Self {
            driver: driver.to_owned(),
            vendor: *function.vendor.known()?,
            device: *function.device.known()?,
            subsystem: function.subsystem.known().copied(),
            root: (bdf.domain(), first.bus()),
            way: way.map(|hop| (hop.device(), hop.function())).collect(),
            seen: bdf,
            only_there: false,
        })
    }

    /// Whether this is the function that is meant.
    pub fn is_about(&self, function: &Function) -> bool {
        let is_there = !self.only_there || function.bdf == self.seen;
        let same = |now: Self| {
            (now.vendor, now.device, now.root) == (self.vendor, self.device, self.root)
                && now.way == self.way
                && (self.subsystem.is_none() || now.subsystem == self.subsystem)
        };
        is_there && Self::of(function, &self.driver).is_some_and(same)
    }
}

/// As udev takes it (udev(7)).
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (domain, bus) = self.root;
        write!(f, "ACTION==\"add\", SUBSYSTEM==\"pci\"")?;
        write!(f, ", DEVPATH==\"*/pci{domain:04x}:{bus:02x}")?;
        for (device, function) in &self.way {
            write!(f, "/{domain:04x}:??:{device:02x}.{function:x}")?;
        }
        write!(f, "\"")?;
        if self.only_there {
            write!(f, ", KERNEL==\"{}\"", self.seen)?;
        }
        write!(
            f,
            ", ATTR{{vendor}}==\"0x{}\", ATTR{{device}}==\"0x{}\"",
            self.vendor, self.device
        )?;
        if let Some((vendor, device)) = self.subsystem {
            write!(f, ", ATTR{{subsystem_vendor}}==\"0x{vendor}\"")?;
            write!(f, ", ATTR{{subsystem_device}}==\"0x{device}\"")?;
        }
        let Self { driver, seen, .. } = self;
        write!(f, ", ENV{{PASSTHRU}}=\"{seen}\", ATTR{{driver_override}}=\"{driver}\"")?;
        write!(f, ", RUN{{builtin}}+=\"kmod load {}\"", module_of(driver))
    }
}

/// The rules of a file of ours.
///
/// # Errors
///
/// Where a line is none of ours.
pub fn parse(source: Source<'_>) -> Result<Vec<Rule>, EditError> {
    let mut rules = Vec::new();
    let mut offset = 0;
    for line in source.text.split_inclusive('\n') {
        let text = line.trim();
        if !text.is_empty() && !text.starts_with('#') {
            let other = || source.error_at(offset, Problem::Unexpected(text.to_owned()));
            rules.push(rule(text).ok_or_else(other)?);
        }
        offset += line.len();
    }
    Ok(rules)
}

/// A rule, if it is one of ours: read, and written again it is the same.
fn rule(line: &str) -> Option<Rule> {
    let value = |key: &str, is: &str| {
        let (_, rest) = line.split_once(&format!(", {key}{is}\""))?;
        Some(rest.split_once('"')?.0)
    };
    let id = |key: &str| u16::from_str_radix(value(key, "==")?.strip_prefix("0x")?, 16).ok();
    let (vendor, device) = (VendorId(id("ATTR{vendor}")?), DeviceId(id("ATTR{device}")?));
    let subsystem = id("ATTR{subsystem_vendor}").zip(id("ATTR{subsystem_device}"));
    let mut hops = value("DEVPATH", "==")?.strip_prefix("*/pci")?.split('/');
    let (domain, bus) = hops.next()?.split_once(':')?;
    let root = (u32::from_str_radix(domain, 16).ok()?, u8::from_str_radix(bus, 16).ok()?);
    let hop = |text: &str| {
        let (_, place) = text.split_once(":??:")?;
        let (device, function) = place.split_once('.')?;
        Some((u8::from_str_radix(device, 16).ok()?, u8::from_str_radix(function, 16).ok()?))
    };
    let rule = Rule {
        driver: value("ATTR{driver_override}", "=")?.to_owned(),
        vendor,
        device,
        subsystem: subsystem.map(|(vendor, device)| (VendorId(vendor), DeviceId(device))),
        root,
        way: hops.map(hop).collect::<Option<_>>()?,
        seen: value("ENV{PASSTHRU}", "=")?.parse().ok()?,
        only_there: value("KERNEL", "==").is_some(),
    };
    (rule.to_string() == line).then_some(rule)
}

/// A file of ours with these rules; `None` is no file.
pub fn file(rules: &[Rule]) -> Option<String> {
    let lines: String = rules.iter().map(|rule| format!("{rule}\n")).collect();
    (!rules.is_empty()).then(|| format!("{PERSISTED}{lines}"))
}

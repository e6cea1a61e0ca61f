//! The text format of `umockdev-record`: devices with their attributes.
//!
//! In: the text of a `*.umockdev` file. Out: [`Device`]s, and back to text
//! that `umockdev-run --device` takes. Never: files, or a judgement about
//! what an attribute means.
//!
//! The grammar is that of `umockdev_testbed_add_from_string()` in umockdev
//! 0.17 (`src/umockdev.vala`): paragraphs separated by empty lines, each
//! starting with a `P:` line; no comments.
//!
//! ```text
//! P: /devices/pci0000:00/0000:00:02.0     path below /sys
//! N: dri/card0[=HEX]                      device node, perhaps with content
//! S: dri/by-path/pci-0000:00:02.0-card    link to the node
//! E: SUBSYSTEM=pci                        udev property, required this one
//! A: vendor=0x8086\n                      attribute, escaped text
//! H: config=86801234…                     attribute, bytes in hex
//! L: driver=../../../bus/pci/drivers/i915 attribute that is a link
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::recording::{
    LineError, Problem, check_link, check_relative, escape, from_hex, is_text, key_value, shorten,
    to_hex, unescape,
};

/// The folder below which device paths stand: one more for links to leave.
const SYSFS: &str = "sys";

/// One device: a folder below `/sys/devices`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Starts with `/devices/`.
    pub path: String,
    pub subsystem: String,
    /// The device node below `/dev`, with its content if that was recorded.
    pub node: Option<Node>,
    /// Links to the node below `/dev`.
    pub node_links: Vec<String>,
    /// Properties in order, `SUBSYSTEM` left out. The kernel's own are also
    /// the lines of the attribute `uevent`.
    pub properties: Vec<(String, String)>,
    /// By path below the device; a part of it may be a folder (`power/control`).
    pub attributes: BTreeMap<String, Attribute>,
}

/// A device node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub content: Vec<u8>,
}

/// An attribute's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attribute {
    File(Vec<u8>),
    Link(String),
}

impl Device {
    /// A device without attributes yet.
    pub fn new(path: impl Into<String>, subsystem: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            subsystem: subsystem.into(),
            node: None,
            node_links: Vec::new(),
            properties: Vec::new(),
            attributes: BTreeMap::new(),
        }
    }

    /// Its last path part, the kernel's name for it.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// An attribute as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name)? {
            Attribute::File(bytes) => std::str::from_utf8(bytes).ok(),
            Attribute::Link(_) => None,
        }
    }

    /// Where an attribute that is a link points to.
    pub fn link(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name)? {
            Attribute::Link(target) => Some(target),
            Attribute::File(_) => None,
        }
    }
}

/// Reads all devices of a text.
pub fn parse(text: &str) -> Result<Vec<Device>, LineError> {
    let mut devices = Vec::new();
    let mut paths = BTreeSet::new();
    let mut open: Option<Paragraph> = None;
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        match (&mut open, line.strip_suffix('\r').unwrap_or(line)) {
            (Some(_), "") => devices.extend(close(&mut open)?),
            (None, "") => {}
            (Some(paragraph), line) => paragraph.line(line).map_err(|p| p.at(number))?,
            (None, line) => {
                let path = device_path(line).map_err(|problem| problem.at(number))?;
                if !paths.insert(path.to_owned()) {
                    return Err(Problem::Duplicate(shorten(path)).at(number));
                }
                open = Some(Paragraph::new(path, number));
            }
        }
    }
    devices.extend(close(&mut open)?);
    Ok(devices)
}

/// A device whose lines are being read.
struct Paragraph {
    device: Device,
    has_subsystem: bool,
    line: usize,
}

fn device_path(line: &str) -> Result<&str, Problem> {
    let path = line.strip_prefix("P: ").ok_or_else(|| Problem::NoDevice(shorten(line)))?;
    let Some(rest) = path.strip_prefix("/devices/") else {
        return Err(Problem::NotADevicePath(shorten(path)));
    };
    check_relative(rest)?;
    Ok(path)
}

fn close(open: &mut Option<Paragraph>) -> Result<Option<Device>, LineError> {
    match open.take() {
        Some(Paragraph { device, has_subsystem: false, line }) => {
            Err(Problem::NoSubsystem(device.path).at(line))
        }
        Some(paragraph) => Ok(Some(paragraph.device)),
        None => Ok(None),
    }
}

impl Paragraph {
    fn new(path: &str, line: usize) -> Self {
        Self { device: Device::new(path, ""), has_subsystem: false, line }
    }

    fn line(&mut self, line: &str) -> Result<(), Problem> {
        let Some((kind, rest)) = line.split_once(": ") else {
            return Err(Problem::UnknownLine(shorten(line)));
        };
        match kind {
            "E" => self.property(rest),
            "A" => {
                let (key, value) = key_value(rest)?;
                self.file(key, unescape(value))
            }
            "H" => {
                let (key, value) = key_value(rest)?;
                self.file(key, from_hex(value)?)
            }
            "L" => self.link(rest),
            "N" => self.node(rest),
            "S" => {
                check_relative(rest)?;
                self.device.node_links.push(rest.to_owned());
                Ok(())
            }
            "P" => Err(Problem::SecondPath),
            // Lines of `udevadm info` since systemd 250, which older
            // versions of umockdev-record pass on.
            "M" | "R" | "J" | "U" | "T" | "D" | "I" | "Q" | "V" | "B" => Ok(()),
            _ => Err(Problem::UnknownLine(shorten(line))),
        }
    }

    fn property(&mut self, rest: &str) -> Result<(), Problem> {
        let (key, value) = key_value(rest)?;
        if key != "SUBSYSTEM" {
            self.device.properties.push((key.to_owned(), value.to_owned()));
            return Ok(());
        }
        if self.has_subsystem {
            return Err(Problem::TwoSubsystems(self.device.path.clone()));
        }
        check_relative(value)?;
        if value.contains('/') {
            return Err(Problem::Path { path: shorten(value), why: "is no single name" });
        }
        self.has_subsystem = true;
        self.device.subsystem = value.to_owned();
        Ok(())
    }

    /// A file named twice holds what was written last, as in umockdev:
    /// umockdev-record repeats `power/…` of folders inside a device.
    fn file(&mut self, key: &str, bytes: Vec<u8>) -> Result<(), Problem> {
        check_relative(key)?;
        match self.device.attributes.insert(key.to_owned(), Attribute::File(bytes)) {
            Some(Attribute::Link(_)) => Err(Problem::Duplicate(key.to_owned())),
            _ => Ok(()),
        }
    }

    fn link(&mut self, rest: &str) -> Result<(), Problem> {
        let (key, target) = key_value(rest)?;
        check_relative(key)?;
        check_link(&format!("/{SYSFS}{}/{key}", self.device.path), target)?;
        let new = Attribute::Link(target.to_owned());
        match self.device.attributes.insert(key.to_owned(), new.clone()) {
            Some(old) if old != new => Err(Problem::Duplicate(key.to_owned())),
            _ => Ok(()),
        }
    }

    fn node(&mut self, rest: &str) -> Result<(), Problem> {
        let (name, hex) = rest.split_once('=').unwrap_or((rest, ""));
        check_relative(name)?;
        if self.device.node.is_some() {
            return Err(Problem::Duplicate(name.to_owned()));
        }
        self.device.node = Some(Node { name: name.to_owned(), content: from_hex(hex)? });
        Ok(())
    }
}

/// Writes devices as text, in their order.
pub fn print(devices: &[Device]) -> String {
    let mut out = String::new();
    for (index, device) in devices.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        print_device(device, &mut out);
    }
    out
}

fn print_device(device: &Device, out: &mut String) {
    let mut line = |kind: char, text: &str, value: Option<&str>| {
        out.push(kind);
        out.push_str(": ");
        out.push_str(text);
        if let Some(value) = value {
            out.push('=');
            out.push_str(value);
        }
        out.push('\n');
    };
    line('P', &device.path, None);
    if let Some(Node { name, content }) = &device.node {
        let mut hex = String::new();
        to_hex(content, &mut hex);
        line('N', name, (!hex.is_empty()).then_some(&hex));
    }
    device.node_links.iter().for_each(|link| line('S', link, None));
    for (key, value) in &device.properties {
        line('E', key, Some(value));
    }
    line('E', "SUBSYSTEM", Some(&device.subsystem));
    let mut value = String::new();
    for (key, attribute) in &device.attributes {
        value.clear();
        match attribute {
            Attribute::Link(target) => line('L', key, Some(target)),
            Attribute::File(bytes) if is_text(bytes) => {
                escape(bytes, &mut value);
                line('A', key, Some(&value));
            }
            Attribute::File(bytes) => {
                to_hex(bytes, &mut value);
                line('H', key, Some(&value));
            }
        }
    }
}

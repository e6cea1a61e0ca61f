//! Which devices are recorded, and what of each.
//!
//! In: a machine. Out: umockdev devices, sorted by path: all PCI functions,
//! what hangs below them with a use or a device node, the devices of a few
//! classes, and the ancestors of these. What could not be read is put into
//! the sidecar. Never: a read that wakes a device or reaches its registers.

use std::collections::BTreeSet;

use model::Bdf;
use model::parse::sidecar::{Content, Sidecar};
use model::parse::umockdev::{Attribute, Device, Node};

use super::attributes::{
    CLASSES, EVERY, FRAMEBUFFERS, LOCKED, PROPERTIES, WAITING, WRITE_ONLY, kept,
};
use super::source::{Found, Source};
use crate::paths::Root;

/// All devices of a machine.
pub(super) fn devices(source: Source, sidecar: &mut Sidecar) -> Vec<Device> {
    let mut paths = BTreeSet::new();
    for path in functions(source) {
        below(source, &path, &mut paths);
        paths.insert(path);
    }
    for path in of_classes(source).into_iter().chain(framebuffers(source)) {
        paths.insert(path);
    }
    for path in paths.clone() {
        ancestors(source, &path, &mut paths);
    }
    let read = |path: &String| device(source, path, sidecar);
    paths.iter().filter_map(read).collect()
}

/// The folders of all PCI functions.
fn functions(source: Source) -> Vec<String> {
    let Some(bus) = source.name(&source.root().pci_devices()) else { return Vec::new() };
    members(source, &bus)
}

/// The folders that the links in a folder lead to, if they are devices.
fn members(source: Source, folder: &str) -> Vec<String> {
    let names = source.names(folder).here().unwrap_or_default();
    let paths = names.iter().filter_map(|name| source.resolve(&format!("{folder}/{name}")));
    paths.filter(|path| is_device_path(path)).collect()
}

fn of_classes(source: Source) -> Vec<String> {
    let folders = CLASSES.iter().filter_map(|class| source.name(&source.root().class(class)));
    folders.flat_map(|folder| members(source, &folder)).collect()
}

fn framebuffers(source: Source) -> Vec<String> {
    let platform = Root::sysfs_text("/devices/platform");
    let names = source.names(&platform).here().unwrap_or_default();
    let is_one = |name: &&String| FRAMEBUFFERS.iter().any(|known| name.starts_with(known));
    names.iter().filter(is_one).map(|name| format!("{platform}/{name}")).collect()
}

fn is_device_path(path: &str) -> bool {
    path.starts_with(&Root::sysfs_text("/devices/"))
}

/// Devices below a function: those with a device node or of a listed
/// subsystem. Functions below a bridge are listed by themselves.
fn below(source: Source, folder: &str, paths: &mut BTreeSet<String>) {
    for name in source.names(folder).here().unwrap_or_default() {
        let path = format!("{folder}/{name}");
        let elsewhere = name.parse::<Bdf>().is_ok() || is_host_bridge(&name);
        if elsewhere || name == "power" || !source.is_folder(&path) {
            continue;
        }
        if let Some(subsystem) = subsystem(source, &path)
            && (kept(&subsystem).is_some() || source.exists(&format!("{path}/dev")))
        {
            paths.insert(path.clone());
        }
        below(source, &path, paths);
    }
}

/// `pci0000:00`: the folder of a root bus, below a VMD controller as well.
fn is_host_bridge(name: &str) -> bool {
    name.strip_prefix("pci").is_some_and(|rest| rest.contains(':'))
}

fn ancestors(source: Source, path: &str, paths: &mut BTreeSet<String>) {
    let mut rest = path;
    while let Some((above, _)) = rest.rsplit_once('/') {
        if !is_device_path(above) || paths.contains(above) {
            return;
        }
        if subsystem(source, above).is_some() {
            paths.insert(above.to_owned());
        }
        rest = above;
    }
}

/// The name that the link `subsystem` ends in; `None` where there is no device.
fn subsystem(source: Source, folder: &str) -> Option<String> {
    let target = source.link(&format!("{folder}/subsystem")).here()?;
    target.rsplit('/').next().map(str::to_owned)
}

/// One device with the attributes that are kept of it.
fn device(source: Source, folder: &str, sidecar: &mut Sidecar) -> Option<Device> {
    let path = folder.strip_prefix(&Root::sysfs_text(""))?;
    let subsystem = subsystem(source, folder)?;
    if is_spare(source, folder, &subsystem) {
        return None;
    }
    let mut device = Device::new(path, &subsystem);
    let spared = source.spares(folder);
    // Newer kernels take the device's lock for it (`uevent_show()` in drivers/base/core.c).
    if !spared {
        properties(source, folder, &mut device);
    }
    let listed = kept(&subsystem).unwrap_or_default();
    let names = EVERY.iter().chain(listed).filter(|name| subsystem != "pci" || **name != "dev");
    let names = names.filter(|name| !spared || !WAITING.contains(name));
    for name in names.flat_map(|name| expand(source, folder, name)) {
        attribute(source, folder, &name, &mut device, sidecar);
    }
    Some(device)
}

/// A virtual disk that nobody set up; most kernels make eight of them.
fn is_spare(source: Source, folder: &str, subsystem: &str) -> bool {
    let is_virtual = folder.starts_with(&Root::sysfs_text("/devices/virtual/"));
    subsystem == "block"
        && is_virtual
        && source.word(&format!("{folder}/size")).as_deref() == Some("0")
}

/// The lines of `uevent`, and the device node that they name.
fn properties(source: Source, folder: &str, device: &mut Device) {
    let text = source.word(&format!("{folder}/uevent")).unwrap_or_default();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if !PROPERTIES.contains(&key) {
            continue;
        }
        if key == "DEVNAME" {
            device.node = Some(Node { name: value.to_owned(), content: Vec::new() });
            device.properties.push((key.to_owned(), Root::node_text(value)));
        } else {
            device.properties.push((key.to_owned(), value.to_owned()));
        }
    }
}

/// The names that an entry of the table stands for.
fn expand(source: Source, folder: &str, name: &str) -> Vec<String> {
    let Some(start) = name.strip_suffix('*') else { return vec![name.to_owned()] };
    match start.strip_suffix('/') {
        Some(inner) => files_below(source, folder, inner),
        None => {
            let names = source.names(folder).here().unwrap_or_default();
            names.into_iter().filter(|name| name.starts_with(start)).collect()
        }
    }
}

/// Files and links of a folder and the folders in it.
fn files_below(source: Source, folder: &str, inner: &str) -> Vec<String> {
    let names = source.names(&format!("{folder}/{inner}")).here().unwrap_or_default();
    let paths = names.iter().map(|name| format!("{inner}/{name}"));
    let inside = |path: String| {
        if source.is_folder(&format!("{folder}/{path}")) {
            files_below(source, folder, &path)
        } else {
            vec![path]
        }
    };
    paths.flat_map(inside).collect()
}

fn attribute(source: Source, folder: &str, name: &str, device: &mut Device, sidecar: &mut Sidecar) {
    let path = format!("{folder}/{name}");
    if let Found::Here(target) = source.link(&path) {
        // A refused read of a replay is a link to itself.
        if target != name.rsplit('/').next().unwrap_or(name) {
            device.attributes.insert(name.to_owned(), Attribute::Link(target));
            return;
        }
    }
    if source.is_folder(&path) {
        return;
    }
    if WRITE_ONLY.contains(&name) {
        if source.exists(&path) {
            device.attributes.insert(name.to_owned(), Attribute::File(Vec::new()));
        }
        return;
    }
    if name == "config" && !may_read_config(source, folder) {
        return;
    }
    let found = if LOCKED.contains(&name) { source.locked(&path) } else { source.bytes(&path) };
    match found {
        Found::Here(bytes) => {
            device.attributes.insert(name.to_owned(), Attribute::File(bytes));
        }
        Found::Refused(number) => {
            sidecar.insert(path, Content::Refused(number));
        }
        Found::Missing => {}
    }
}

/// Reading the configuration space of a suspended device wakes it.
fn may_read_config(source: Source, folder: &str) -> bool {
    let status = source.word(&format!("{folder}/power/runtime_status"));
    let status = status.as_deref().and_then(model::function::RuntimeStatus::from_word);
    status.is_none_or(model::function::RuntimeStatus::may_read_config)
}

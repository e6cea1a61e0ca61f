//! Which files, folders and links a recording stands for.
//!
//! In: a [`Recording`]. Out: a [`Tree`] of absolute paths. The umockdev
//! format has devices only, so that the links which the kernel makes from
//! them are made up here: `subsystem`, `/sys/bus`, `/sys/class`, `/sys/dev`,
//! the drivers' folders and the members of IOMMU groups. What the recording
//! says itself comes first. Never: a file system.
//!
//! ```text
//! /sys/devices/pci0000:00/0000:00:02.0/    the device, its attributes
//!     subsystem -> ../../../bus/pci
//! /sys/bus/pci/devices/0000:00:02.0        -> the device
//! /sys/bus/pci/drivers/i915/0000:00:02.0   -> the device, from its `driver`
//! /sys/kernel/iommu_groups/1/devices/…     -> the device, from its `iommu_group`
//! /sys/class/drm/card0, /sys/dev/char/226:0, /dev/dri/card0
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use model::parse::sidecar::Content;
use model::parse::umockdev::{Attribute, Device};
use thiserror::Error;

use crate::paths::Root;
use crate::record::Recording;

/// What stands at each path. Paths are absolute on the recorded machine.
pub(super) type Tree<'a> = BTreeMap<String, Entry<'a>>;

/// What stands at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Folder,
    File(Cow<'a, [u8]>),
    Link(Cow<'a, str>),
    /// The read was refused when it was recorded; the error's number.
    Refused(i32),
}

/// Two parts of a recording that cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Conflict {
    #[error("`{0}` is recorded as a device's attribute and in the sidecar")]
    Twice(String),
    #[error("`{0}` is recorded as a folder and as something else")]
    FolderAndFile(String),
}

/// Subsystems that are a bus. All others are classes; umockdev has a longer
/// list (`umockdev.vala`), these are the ones that a PC or server shows.
const BUSES: &[&str] = &[
    "acpi",
    "ata",
    "auxiliary",
    "cpu",
    "cxl",
    "dax",
    "event_source",
    "hdaudio",
    "hid",
    "i2c",
    "machinecheck",
    "mdev",
    "mdio_bus",
    "mei",
    "memory",
    "nd",
    "node",
    "nvmem",
    "of_platform",
    "pci",
    "pci_express",
    "platform",
    "pnp",
    "scsi",
    "serial",
    "serio",
    "spi",
    "thunderbolt",
    "typec",
    "usb",
    "usb-serial",
    "vdpa",
    "vio",
    "virtio",
    "vmbus",
    "wmi",
    "workqueue",
    "xen",
];

/// The folder of sysfs with a link for each device number.
const NUMBERS: &str = "dev";

/// The whole tree of a recording.
pub(super) fn tree(recording: &Recording) -> Result<Tree<'_>, Conflict> {
    let mut tree = Tree::new();
    for device in &recording.devices {
        add_recorded(&mut tree, device);
    }
    for (path, content) in &recording.sidecar {
        let entry = match content {
            Content::Folder => Entry::Folder,
            Content::File(bytes) => Entry::File(bytes.into()),
            Content::Link(target) => Entry::Link(target.into()),
            Content::Refused(number) => Entry::Refused(*number),
        };
        if tree.insert(path.clone(), entry).is_some_and(|old| old != Entry::Folder) {
            return Err(Conflict::Twice(path.clone()));
        }
    }
    for device in &recording.devices {
        add_derived(&mut tree, device);
    }
    check_folders(&tree)?;
    Ok(tree)
}

/// What the recording says of a device.
fn add_recorded<'a>(tree: &mut Tree<'a>, device: &'a Device) {
    let at = Root::sysfs_text(&device.path);
    tree.insert(at.clone(), Entry::Folder);
    for (name, attribute) in &device.attributes {
        let entry = match attribute {
            Attribute::File(bytes) => Entry::File(bytes.into()),
            Attribute::Link(target) => Entry::Link(target.into()),
        };
        tree.insert(format!("{at}/{name}"), entry);
    }
}

/// What the kernel makes of a device, where the recording does not say it.
fn add_derived<'a>(tree: &mut Tree<'a>, device: &'a Device) {
    let at = Root::sysfs_text(&device.path);
    let mut add = |path: String, entry: Entry<'a>| {
        tree.entry(path).or_insert(entry);
    };
    let subsystem = &device.subsystem;
    let (home, members) = if BUSES.contains(&subsystem.as_str()) {
        let bus = Root::sysfs_text(&format!("/bus/{subsystem}"));
        let members = format!("{bus}/devices");
        (bus, members)
    } else {
        let class = Root::sysfs_text(&format!("/class/{subsystem}"));
        (class.clone(), class)
    };
    add(format!("{at}/subsystem"), link(&format!("{at}/subsystem"), &home));
    let mut point = |from: String| {
        let entry = link(&from, &at);
        add(from, entry);
    };
    point(format!("{members}/{}", device.name()));
    let place = |name: &str, folder: String| {
        let place = device.link(name).and_then(|target| resolve(&at, target))?;
        place.starts_with(&folder).then_some(place)
    };
    if let Some(driver) = place("driver", format!("{home}/drivers/")) {
        point(format!("{driver}/{}", device.name()));
    }
    if let Some(group) = place("iommu_group", Root::sysfs_text("/kernel/iommu_groups/")) {
        point(format!("{group}/devices/{}", device.name()));
    }
    if let Some(number) = device.text("dev").map(str::trim).filter(|text| is_dev_number(text)) {
        let kind = if subsystem == "block" { "block" } else { "char" };
        point(Root::sysfs_text(&format!("/{NUMBERS}/{kind}/{number}")));
    }
    add_files(tree, device, &at);
}

/// Files that follow from the others, and the device node.
fn add_files<'a>(tree: &mut Tree<'a>, device: &'a Device, at: &str) {
    let mut add = |path: String, entry: Entry<'a>| {
        tree.entry(path).or_insert(entry);
    };
    add(format!("{at}/uevent"), Entry::File(uevent(device).into()));
    if device.attributes.contains_key("sriov_totalvfs") {
        let active = device.attributes.keys().filter(|name| name.starts_with("virtfn")).count();
        add(format!("{at}/sriov_numvfs"), Entry::File(format!("{active}\n").into_bytes().into()));
    }
    if let Some(node) = &device.node {
        add(Root::node_text(&node.name), Entry::File((&node.content).into()));
    }
}

/// The file `uevent`: udev's properties without the ones that only udev has.
fn uevent(device: &Device) -> Vec<u8> {
    let mut text = String::new();
    for (key, value) in &device.properties {
        // udev prints the node's whole path, the kernel its name.
        let value = match key.as_str() {
            "DEVNAME" => value.strip_prefix(&Root::node_text("")).unwrap_or(value),
            _ => value,
        };
        text.extend([key, "=", value, "\n"]);
    }
    text.into_bytes()
}

/// A relative link from one absolute path to another.
fn link(from: &str, to: &str) -> Entry<'static> {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut target = String::new();
    let same = folder.split('/').zip(to.split('/')).take_while(|(a, b)| a == b).count();
    for _ in folder.split('/').skip(same) {
        target.push_str("../");
    }
    let rest: Vec<&str> = to.split('/').skip(same).collect();
    target.push_str(&rest.join("/"));
    Entry::Link(Cow::Owned(target))
}

/// The absolute path that a link in a folder leads to; `None` when it leaves
/// the tree.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.len() <= 1 => return None,
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    (parts.len() > 1).then(|| parts.join("/"))
}

/// `major:minor`.
fn is_dev_number(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.split_once(':').is_some_and(|(major, minor)| number(major) && number(minor))
}

/// Nothing stands below a file or a link.
fn check_folders(tree: &Tree) -> Result<(), Conflict> {
    for path in tree.keys() {
        let above = Path::new(path).ancestors().skip(1).filter_map(Path::to_str);
        for folder in above {
            if tree.get(folder).is_some_and(|entry| *entry != Entry::Folder) {
                return Err(Conflict::FolderAndFile(folder.to_owned()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative() {
        for (from, to, want) in [
            ("/sys/bus/pci/devices/a", "/sys/devices/pci/a", "../../../devices/pci/a"),
            ("/sys/devices/pci/a/subsystem", "/sys/bus/pci", "../../../bus/pci"),
            ("/sys/class/net/eth0", "/sys/class/net/b", "b"),
        ] {
            assert_eq!(link(from, to), Entry::Link(want.into()), "{from}");
            let folder = from.rsplit_once('/').unwrap().0;
            assert_eq!(resolve(folder, want).as_deref(), Some(to));
        }
        assert_eq!(resolve("/sys/a", "../../.."), None);
    }
}

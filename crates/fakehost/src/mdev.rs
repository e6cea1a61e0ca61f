//! Mediated devices: slices that a driver offers by type.
//!
//! The rules are `create_store()` in drivers/vfio/mdev/mdev_sysfs.c and
//! `mdev_device_create()` in mdev_core.c.

use model::Bdf;
use rustix::io::Errno;

use crate::machine::Machine;

/// A kind of slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MdevType {
    /// The folder's name, as in `nvidia-222`.
    pub id: String,
    /// As in `GRID T4-1Q`.
    pub name: String,
    /// How many can be made.
    pub available: u32,
}

impl Machine {
    pub(crate) fn add_mdev_type(&self, parent: Bdf, kind: &MdevType) {
        let folder = format!("{}/mdev_supported_types/{}", self.folder(parent), kind.id);
        for (name, text) in [
            ("create", ""),
            ("name", &format!("{}\n", kind.name)),
            ("available_instances", &format!("{}\n", kind.available)),
            ("device_api", "vfio-pci\n"),
        ] {
            self.tree.put(format!("{folder}/{name}"), text);
        }
        self.tree.dir(format!("{folder}/devices"));
        let class = format!("sys/class/mdev_bus/{parent}");
        if !self.tree.exists(&class) {
            self.tree.link(class, self.folder(parent));
        }
    }

    pub(crate) fn create_mdev(&self, parent: Bdf, kind: &str, uuid: &str) -> Result<(), Errno> {
        let uuid = uuid.trim();
        if !is_uuid(uuid) {
            return Err(Errno::INVAL);
        }
        let bus = format!("sys/bus/mdev/devices/{uuid}");
        if self.tree.exists(&bus) {
            return Err(Errno::EXIST);
        }
        let types = format!("{}/mdev_supported_types/{kind}", self.folder(parent));
        self.count(&types, -1)?;
        let folder = format!("{}/{uuid}", self.folder(parent));
        self.tree.put(format!("{folder}/remove"), "");
        self.tree.link(format!("{folder}/mdev_type"), &types);
        self.tree.link(format!("{types}/devices/{uuid}"), &folder);
        self.tree.link(bus, folder);
        Ok(())
    }

    /// Remove the mediated device in this folder.
    pub(crate) fn remove_mdev(&self, folder: &str, value: &str) -> Result<(), Errno> {
        if value.trim() != "1" {
            return Err(Errno::INVAL);
        }
        let uuid = folder.rsplit('/').next().unwrap_or_default();
        let kind = self.tree.real(&self.tree.at(format!("{folder}/mdev_type")));
        let kind = kind.ok_or(Errno::NODEV)?.to_string_lossy().into_owned();
        self.tree.remove(format!("sys/bus/mdev/devices/{uuid}"));
        self.tree.remove(format!("{kind}/devices/{uuid}"));
        self.tree.remove(folder);
        self.count(&kind, 1)
    }

    fn count(&self, kind: &str, change: i64) -> Result<(), Errno> {
        let path = format!("{kind}/available_instances");
        let left: i64 = self.tree.text(&path).and_then(|text| text.parse().ok()).unwrap_or(0);
        if left + change < 0 {
            return Err(Errno::USERS);
        }
        self.tree.put(path, format!("{}\n", left + change));
        Ok(())
    }
}

/// As `uuid_parse()` of lib/uuid.c takes them.
pub(crate) fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let digits = text.chars().all(|letter| letter == '-' || letter.is_ascii_hexdigit());
    digits && groups == [8, 4, 4, 4, 12]
}

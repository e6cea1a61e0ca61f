//! What the kernel does when an attribute is written.
//!
//! In: a path below the root, all links followed, and the bytes. Out: the
//! tree changed as the kernel changes it, or its error number. Attributes
//! that nobody here knows keep what is written.

use std::path::Path;

use model::Bdf;
use rustix::io::Errno;

use crate::machine::Machine;
use crate::mdev::is_uuid;

/// What an attribute belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Bus,
    Driver(String),
    Function(Bdf),
    /// `power/` of a function.
    Power(Bdf),
    MdevType(Bdf, String),
    Mdev(String),
    Other,
}

impl Owner {
    /// Whose attribute is in this folder (below the root).
    pub(crate) fn of(folder: &Path) -> Self {
        let text = folder.to_string_lossy();
        let parts: Vec<&str> = text.split('/').collect();
        let function = |part: &str| part.parse::<Bdf>().ok();
        match parts[..] {
            ["sys", "bus", "pci"] => Self::Bus,
            ["sys", "bus", "pci", "drivers", name] => Self::Driver(name.to_owned()),
            ["sys", "devices", .., name, "power"] => {
                function(name).map_or(Self::Other, Self::Power)
            }
            ["sys", "devices", .., parent, "mdev_supported_types", kind] => function(parent)
                .map_or(Self::Other, |parent| Self::MdevType(parent, kind.to_owned())),
            ["sys", "devices", .., uuid] if is_uuid(uuid) => Self::Mdev(text.clone().into_owned()),
            ["sys", "devices", .., name] => function(name).map_or(Self::Other, Self::Function),
            _ => Self::Other,
        }
    }
}

impl Machine {
    /// One write to the attribute `name` of `owner`, which is at `path`.
    pub(crate) fn react(&mut self, path: &Path, value: &str) -> Result<(), Errno> {
        // sysfs_kf_write() (fs/sysfs/file.c) never hands on a write of no bytes.
        if value.is_empty() {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // Kept attributes end with a line feed when they are shown.
        let word = value.strip_suffix('\n').unwrap_or(value);
        match (Owner::of(folder), name) {
            (Owner::Bus, "drivers_probe") => self.probe_by_bus(word),
            (Owner::Bus, "rescan") => Ok(()),
            (Owner::Driver(driver), "bind") => self.bind_by_hand(&driver, word),
            (Owner::Driver(driver), "unbind") => self.unbind_by_hand(&driver, word),
            (Owner::Driver(driver), "new_id") => self.new_id(&driver, word),
            (Owner::Driver(driver), "remove_id") => self.remove_id(&driver, word),
            (Owner::Function(bdf), "driver_override") => self.override_driver(bdf, value),
            (Owner::Function(bdf), "sriov_numvfs") => self.set_numvfs(bdf, word),
            (Owner::Function(bdf), "reset") => self.reset(bdf, word),
            (Owner::Function(bdf), "remove") => {
                self.remove_function(bdf);
                Ok(())
            }
            (Owner::Function(bdf), "d3cold_allowed" | "sriov_drivers_autoprobe") => {
                self.set_flag(bdf, name, word)
            }
            (Owner::Power(bdf), "control") => self.control_power(bdf, word),
            (Owner::MdevType(parent, kind), "create") => self.create_mdev(parent, &kind, word),
            (Owner::Mdev(folder), "remove") => self.remove_mdev(&folder, word),
            (Owner::Other, "control") if folder.ends_with("cpu/smt") => {
                let active = format!("{}\n", u8::from(word == "on"));
                self.tree.put(path.with_file_name("active"), active);
                self.tree.put(path, format!("{word}\n"));
                Ok(())
            }
            (Owner::Function(_), _) if READ_ONLY.contains(&name) => Err(Errno::ACCESS),
            _ => {
                self.tree.put(path, format!("{word}\n"));
                Ok(())
            }
        }
    }

    fn named(&self, word: &str) -> Result<Bdf, Errno> {
        let bdf: Option<Bdf> = word.parse().ok();
        bdf.filter(|bdf| self.has(*bdf)).ok_or(Errno::NODEV)
    }

    /// `drivers_probe_store()`, drivers/base/bus.c: well, whether or not a
    /// driver took the device.
    fn probe_by_bus(&mut self, word: &str) -> Result<(), Errno> {
        let bdf = self.named(word)?;
        if self.driver_of(bdf).is_none() {
            self.attach(bdf);
        }
        Ok(())
    }

    /// `bind_store()`: a device that does not match is "no such device".
    fn bind_by_hand(&mut self, driver: &str, word: &str) -> Result<(), Errno> {
        let bdf = self.named(word)?;
        if !self.matches(driver, bdf) {
            return Err(Errno::NODEV);
        }
        if self.driver_of(bdf).is_some() {
            return Err(Errno::BUSY);
        }
        self.probe(driver, bdf)
    }

    /// `unbind_store()`.
    fn unbind_by_hand(&mut self, driver: &str, word: &str) -> Result<(), Errno> {
        let bdf = self.named(word)?;
        if self.driver_of(bdf).as_deref() != Some(driver) {
            return Err(Errno::NODEV);
        }
        self.detach(bdf);
        Ok(())
    }

    /// `new_id_store()`, drivers/pci/pci-driver.c: vendor and device, more
    /// numbers are optional and of no matter here.
    fn new_id(&mut self, driver: &str, word: &str) -> Result<(), Errno> {
        let ids = numbers(word)?;
        let known = self.drivers.iter_mut().find(|known| known.name == driver);
        let known = known.ok_or(Errno::NODEV)?;
        if known.ids.contains(&ids) {
            return Err(Errno::EXIST);
        }
        known.ids.push(ids);
        self.offer_all(driver);
        Ok(())
    }

    fn remove_id(&mut self, driver: &str, word: &str) -> Result<(), Errno> {
        let ids = numbers(word)?;
        let known = self.drivers.iter_mut().find(|known| known.name == driver);
        let known = known.ok_or(Errno::NODEV)?;
        let position = known.ids.iter().position(|known| *known == ids).ok_or(Errno::NODEV)?;
        known.ids.remove(position);
        Ok(())
    }

    /// `driver_set_override()`, drivers/base/driver.c: up to the first line
    /// feed; a line feed alone clears it. Any name is taken.
    fn override_driver(&mut self, bdf: Bdf, value: &str) -> Result<(), Errno> {
        if value.len() >= 4095 {
            return Err(Errno::INVAL);
        }
        let word = value.split('\n').next().unwrap_or_default();
        let shown = if word.is_empty() { "(null)" } else { word };
        self.set_attribute(bdf, "driver_override", shown);
        Ok(())
    }

    /// `reset_store()`, drivers/pci/pci-sysfs.c.
    fn reset(&mut self, bdf: Bdf, word: &str) -> Result<(), Errno> {
        if word.trim() != "1" {
            return Err(Errno::INVAL);
        }
        match self.attribute(bdf, "reset_method").as_deref() {
            None | Some("") => Err(Errno::NOTTY),
            Some(_) => Ok(()),
        }
    }

    fn set_flag(&mut self, bdf: Bdf, name: &str, word: &str) -> Result<(), Errno> {
        let number: u64 = word.trim().parse().map_err(|_| Errno::INVAL)?;
        self.set_attribute(bdf, name, if number == 0 { "0" } else { "1" });
        Ok(())
    }

    /// `control_store()`, drivers/base/power/sysfs.c: `on` wakes the device,
    /// `auto` lets one that slept before sleep again.
    fn control_power(&mut self, bdf: Bdf, word: &str) -> Result<(), Errno> {
        match word {
            "on" => {
                let status = self.attribute(bdf, "power/runtime_status");
                if status.as_deref() == Some("suspended") {
                    self.dozing.insert(bdf);
                    self.set_attribute(bdf, "power/runtime_status", "active");
                }
            }
            "auto" if self.dozing.remove(&bdf) => {
                self.set_attribute(bdf, "power/runtime_status", "suspended");
            }
            "auto" => {}
            _ => return Err(Errno::INVAL),
        }
        self.set_attribute(bdf, "power/control", word);
        Ok(())
    }
}

/// Attributes of a function without a store.
const READ_ONLY: &[&str] = &[
    "boot_vga",
    "class",
    "device",
    "irq",
    "modalias",
    "resource",
    "revision",
    "sriov_totalvfs",
    "subsystem_device",
    "subsystem_vendor",
    "vendor",
];

fn numbers(word: &str) -> Result<(u16, u16), Errno> {
    let mut words = word.split_whitespace();
    let mut number = || {
        let text = words.next().ok_or(Errno::INVAL)?;
        u16::from_str_radix(text.trim_start_matches("0x"), 16).map_err(|_| Errno::INVAL)
    };
    Ok((number()?, number()?))
}

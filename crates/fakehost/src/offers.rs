//! What a driver offers while it has a device: block devices, interfaces, cards.
//!
//! The kernel takes these away with the driver and makes them again with it.
//! Here they are moved to a shelf outside the tree and back, with every link
//! that led to them, whatever they are: a recorded tree has kinds of its own.

use std::fs;
use std::path::{Path, PathBuf};

use model::Bdf;

use crate::machine::Machine;
use crate::spec::Offer;

/// Folders of a function that stay when its driver goes.
const STAYS: &[&str] = &["power", "link", "wakeup", "pci_bus"];

/// What one driver made for one function, while it is put away.
#[derive(Debug, Default)]
pub(crate) struct Shelved {
    folders: Vec<String>,
    /// Links elsewhere that led there, with their targets.
    links: Vec<(PathBuf, PathBuf)>,
}

impl Machine {
    pub(crate) fn put_offer(&mut self, bdf: Bdf, offer: &Offer) {
        match offer {
            Offer::Nvme { controller, serial, bytes } => {
                self.put_nvme(bdf, controller, serial, *bytes);
            }
            Offer::Interface { name, mac } => self.put_interface(bdf, name, mac),
            Offer::Card { index, connector, enabled } => {
                self.put_card(bdf, *index, connector, *enabled);
            }
        }
    }

    fn put_nvme(&mut self, bdf: Bdf, controller: &str, serial: &str, bytes: u64) {
        let folder = format!("{}/nvme/{controller}", self.folder(bdf));
        let disk = format!("{controller}n1");
        self.put_class(&folder, "nvme", &self.folder(bdf));
        for (name, text) in [("serial", serial), ("model", "Pretended NVMe"), ("state", "live")] {
            self.tree.put(format!("{folder}/{name}"), format!("{text}\n"));
        }
        let disk_folder = format!("{folder}/{disk}");
        self.put_block(&disk_folder, &folder, bytes);
    }

    /// A block device of so many bytes, in the folder of that name.
    pub(crate) fn put_block(&mut self, folder: &str, device: &str, bytes: u64) {
        let name = last(folder);
        let number = format!("259:{}", self.next_minor());
        self.put_class(folder, "block", device);
        self.tree.put(format!("{folder}/dev"), format!("{number}\n"));
        // In sectors of 512 bytes, whatever the device's own are.
        self.tree.put(format!("{folder}/size"), format!("{}\n", bytes / 512));
        self.tree.put(format!("{folder}/ro"), "0\n");
        self.tree.dir(format!("{folder}/holders"));
        self.tree.dir(format!("{folder}/slaves"));
        self.tree.link(format!("sys/dev/block/{number}"), folder);
        self.tree.link(format!("sys/block/{name}"), folder);
        self.tree.put_new(format!("dev/{name}"), "");
    }

    fn put_interface(&mut self, bdf: Bdf, name: &str, mac: &str) {
        let folder = format!("{}/net/{name}", self.folder(bdf));
        self.put_class(&folder, "net", &self.folder(bdf));
        let index = self.next_minor() + 2;
        for (attribute, text) in [
            ("address", mac),
            ("operstate", "up"),
            ("carrier", "1"),
            ("flags", "0x1003"),
            ("type", "1"),
            ("ifindex", &index.to_string()),
        ] {
            self.tree.put(format!("{folder}/{attribute}"), format!("{text}\n"));
        }
    }

    fn put_card(&mut self, bdf: Bdf, index: u32, connector: &str, enabled: bool) {
        let device = self.folder(bdf);
        let card = format!("{device}/drm/card{index}");
        let render = format!("{device}/drm/renderD{}", 128 + index);
        self.put_class(&card, "drm", &device);
        self.put_class(&render, "drm", &device);
        self.tree.put(format!("{card}/dev"), format!("226:{index}\n"));
        self.tree.put(format!("{render}/dev"), format!("226:{}\n", 128 + index));
        let port = format!("{card}/card{index}-{connector}");
        self.put_class(&port, "drm", &card);
        let (enabled, status) =
            if enabled { ("enabled", "connected") } else { ("disabled", "disconnected") };
        self.tree.put(format!("{port}/enabled"), format!("{enabled}\n"));
        self.tree.put(format!("{port}/status"), format!("{status}\n"));
        self.tree.put_new(format!("dev/dri/card{index}"), "");
        self.tree.put_new(format!("dev/dri/renderD{}", 128 + index), "");
    }

    /// A device of a class, with its links to the class and to its parent.
    fn put_class(&self, folder: &str, class: &str, device: &str) {
        self.tree.dir(folder);
        self.tree.dir(format!("sys/class/{class}"));
        self.tree.link(format!("{folder}/subsystem"), format!("sys/class/{class}"));
        self.tree.link(format!("{folder}/device"), device);
        self.tree.link(format!("sys/class/{class}/{}", last(folder)), folder);
    }

    /// Put away what a driver made for a function.
    pub(crate) fn shelve(&mut self, bdf: Bdf, driver: &str) {
        let folder = self.folder(bdf);
        let made: Vec<String> =
            self.tree.names(&folder).into_iter().filter(|name| self.goes(&folder, name)).collect();
        if made.is_empty() {
            return;
        }
        let mut shelved = Shelved::default();
        for link in self.links_elsewhere() {
            let Some(real) = self.tree.real(&link) else { continue };
            let inside = made.iter().any(|name| real.starts_with(format!("{folder}/{name}")));
            if let (true, Ok(target)) = (inside, fs::read_link(&link)) {
                shelved.links.push((link, target));
            }
        }
        shelved.links.iter().for_each(|(link, _)| self.tree.remove(link));
        for name in made {
            self.tree.move_to(format!("{folder}/{name}"), &self.shelf_for(bdf, driver, &name));
            shelved.folders.push(name);
        }
        self.shelved.insert((bdf, driver.to_owned()), shelved);
    }

    /// Bring back what a driver made for a function when it had it last.
    pub(crate) fn unshelve(&mut self, bdf: Bdf, driver: &str) {
        let Some(shelved) = self.shelved.remove(&(bdf, driver.to_owned())) else { return };
        let folder = self.folder(bdf);
        for name in shelved.folders {
            self.tree.bring_from(&self.shelf_for(bdf, driver, &name), format!("{folder}/{name}"));
        }
        for (link, target) in shelved.links {
            self.tree.raw_link(link, &target);
        }
    }

    /// A folder that the driver made: not one of the bus's own, and not
    /// another function (behind a bridge) or domain (behind a VMD).
    fn goes(&self, folder: &str, name: &str) -> bool {
        let made_by_bus = STAYS.contains(&name)
            || name.parse::<Bdf>().is_ok()
            || name.starts_with("pci")
            || name.contains(":pcie");
        let path = self.tree.at(format!("{folder}/{name}"));
        !made_by_bus && path.symlink_metadata().is_ok_and(|meta| meta.is_dir())
    }

    /// Every link of the kinds that lead to devices of a class or bus.
    fn links_elsewhere(&self) -> Vec<PathBuf> {
        let mut folders = vec!["sys/block".to_owned()];
        for (above, below) in [("sys/class", ""), ("sys/dev", ""), ("sys/bus", "/devices")] {
            let names = self.tree.names(above).into_iter();
            folders.extend(names.map(|name| format!("{above}/{name}{below}")));
        }
        let links = folders.iter().flat_map(|folder| {
            self.tree.names(folder).into_iter().map(move |name| format!("{folder}/{name}"))
        });
        links.map(|link| self.tree.at(link)).filter(|link| link.is_symlink()).collect()
    }

    /// Nothing is kept for a function that is gone.
    pub(crate) fn clear_shelf(&mut self, bdf: Bdf) {
        self.shelved.retain(|(owner, _), _| *owner != bdf);
        // There may be none.
        let _ = fs::remove_dir_all(self.shelf.path().join(bdf.to_string()));
    }

    fn shelf_for(&self, bdf: Bdf, driver: &str, name: &str) -> PathBuf {
        self.shelf.path().join(bdf.to_string()).join(driver).join(name)
    }

    fn next_minor(&mut self) -> u32 {
        self.minors += 1;
        self.minors - 1
    }
}

fn last(folder: &str) -> &str {
    Path::new(folder).file_name().and_then(|name| name.to_str()).unwrap_or(folder)
}

//! Drivers: which devices they know, and what binding one does to the tree.
//!
//! The rules are `pci_match_device()` in drivers/pci/pci-driver.c,
//! `device_attach()` in drivers/base/dd.c, and for VFIO
//! `vfio_pci_core_register_device()` and `vfio_group_find_or_alloc()`.

use model::Bdf;
use model::plan::is_vfio_driver;
use rustix::io::Errno;

use crate::config_space::{HEADER_TYPE, MULTIFUNCTION};
use crate::machine::Machine;

/// One driver of the PCI bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Driver {
    pub name: String,
    pub module: String,
    /// Vendor and device numbers that it knows, `new_id`'s among them.
    pub ids: Vec<(u16, u16)>,
    /// Takes whatever `driver_override` gives it, and nothing without.
    pub any: bool,
}

impl Driver {
    pub(crate) fn new(name: &str, ids: &[(u16, u16)]) -> Self {
        let module = name.replace('-', "_");
        Self { name: name.to_owned(), module, ids: ids.to_vec(), any: false }
    }

    pub(crate) fn for_any(name: &str, module: &str) -> Self {
        Self { any: true, module: module.to_owned(), ..Self::new(name, &[]) }
    }
}

impl Machine {
    /// The driver that owns a function.
    pub(crate) fn driver_of(&self, bdf: Bdf) -> Option<String> {
        self.tree.link_name(format!("{}/driver", self.folder(bdf)))
    }

    pub(crate) fn driver(&self, name: &str) -> Option<&Driver> {
        self.drivers.iter().find(|driver| driver.name == name)
    }

    /// Load a driver that is not there yet; the kernel then offers it every
    /// function without a driver.
    pub(crate) fn load(&mut self, driver: Driver) {
        let name = driver.name.clone();
        self.register(driver);
        self.offer_all(&name);
    }

    /// Unload a driver: it lets go of what it has, and is gone.
    pub(crate) fn unload(&mut self, name: &str) {
        for bdf in self.functions() {
            if self.driver_of(bdf).as_deref() == Some(name) {
                self.detach(bdf);
            }
        }
        let Some(at) = self.drivers.iter().position(|driver| driver.name == name) else { return };
        let driver = self.drivers.remove(at);
        self.tree.remove(format!("sys/bus/pci/drivers/{name}"));
        self.tree.remove(format!("sys/module/{}", driver.module));
    }

    /// A driver that is there, and has what it has: nothing is offered to it.
    pub(crate) fn register(&mut self, driver: Driver) {
        let folder = format!("sys/bus/pci/drivers/{}", driver.name);
        let module = format!("sys/module/{}", driver.module);
        for file in ["bind", "unbind", "new_id", "remove_id"] {
            self.tree.put_new(format!("{folder}/{file}"), "");
        }
        self.tree.put_new(format!("{module}/initstate"), "live\n");
        for (at, to) in [
            (format!("{folder}/module"), &module),
            (format!("{module}/drivers/pci:{}", driver.name), &folder),
        ] {
            if !self.tree.exists(&at) {
                self.tree.link(at, to);
            }
        }
        if is_vfio_driver(&driver.name) {
            self.tree.put_new("dev/vfio/vfio", "");
        }
        self.drivers.push(driver);
    }

    /// Offer a driver every function that has none (`driver_attach()`).
    pub(crate) fn offer_all(&mut self, driver: &str) {
        if self.tree.text("sys/bus/pci/drivers_autoprobe").as_deref() == Some("0") {
            return;
        }
        for bdf in self.functions() {
            if self.driver_of(bdf).is_none() && self.matches(driver, bdf) {
                let _ = self.probe(driver, bdf);
            }
        }
    }

    /// See that a driver is loaded and knows these numbers.
    pub(crate) fn know_driver(&mut self, name: &str, ids: (u16, u16)) {
        if self.driver(name).is_none() {
            let loadable = self.loadable.values().flatten();
            let known = loadable.into_iter().find(|driver| driver.name == name).cloned();
            self.load(known.unwrap_or_else(|| Driver::new(name, &[])));
        }
        if let Some(driver) = self.drivers.iter_mut().find(|driver| driver.name == name)
            && !driver.any
            && !driver.ids.contains(&ids)
        {
            driver.ids.push(ids);
        }
    }

    /// Vendor and device of a function.
    pub(crate) fn ids(&self, bdf: Bdf) -> (u16, u16) {
        let number = |name: &str| {
            let text = self.attribute(bdf, name).unwrap_or_default();
            u16::from_str_radix(text.trim_start_matches("0x"), 16).unwrap_or_default()
        };
        (number("vendor"), number("device"))
    }

    pub(crate) fn driver_override(&self, bdf: Bdf) -> Option<String> {
        let text = self.attribute(bdf, "driver_override")?;
        (!text.is_empty() && text != "(null)").then_some(text)
    }

    /// Whether the bus would give a function to a driver. With an override
    /// it is that driver, known or not.
    pub(crate) fn matches(&self, driver: &str, bdf: Bdf) -> bool {
        match self.driver_override(bdf) {
            Some(chosen) => chosen == driver,
            None => {
                let ids = self.ids(bdf);
                self.driver(driver).is_some_and(|driver| driver.ids.contains(&ids))
            }
        }
    }

    /// Ask the drivers in turn; a probe that fails lets the next one try.
    pub(crate) fn attach(&mut self, bdf: Bdf) {
        let names: Vec<String> = self.drivers.iter().map(|driver| driver.name.clone()).collect();
        for name in names {
            if self.matches(&name, bdf) && self.probe(&name, bdf).is_ok() {
                return;
            }
        }
    }

    /// Let a driver probe a function that matched.
    pub(crate) fn probe(&mut self, driver: &str, bdf: Bdf) -> Result<(), Errno> {
        if let Some(errno) = self.refused_probes.get(&(bdf, driver.to_owned())) {
            return Err(*errno);
        }
        let known = self.driver(driver).ok_or(Errno::NODEV)?;
        if !known.any && !known.ids.contains(&self.ids(bdf)) {
            return Err(Errno::NODEV);
        }
        if is_vfio_driver(driver) {
            self.vfio_accepts(bdf)?;
        }
        self.bind_at_boot(bdf, driver);
        Ok(())
    }

    fn vfio_accepts(&self, bdf: Bdf) -> Result<(), Errno> {
        let config = self.tree.bytes(format!("{}/config", self.folder(bdf))).unwrap_or_default();
        let header = config.get(HEADER_TYPE).map_or(0, |header| header & !MULTIFUNCTION);
        if header != 0 || self.group_of(bdf).is_none() {
            return Err(Errno::INVAL);
        }
        match self.attribute(bdf, "sriov_numvfs").as_deref() {
            None | Some("0") => Ok(()),
            Some(_) => Err(Errno::BUSY),
        }
    }

    /// Make the links and files of a bound function.
    pub(crate) fn bind_at_boot(&mut self, bdf: Bdf, driver: &str) {
        let folder = self.folder(bdf);
        self.tree.link(format!("{folder}/driver"), format!("sys/bus/pci/drivers/{driver}"));
        self.tree.link(format!("sys/bus/pci/drivers/{driver}/{bdf}"), &folder);
        let uevent = self.attribute(bdf, "uevent").unwrap_or_default();
        self.set_attribute(bdf, "uevent", format!("DRIVER={driver}\n{uevent}").trim_end());
        self.unshelve(bdf, driver);
        if is_vfio_driver(driver) {
            // vfio_pci_core_register_device() calls pm_runtime_allow().
            self.set_attribute(bdf, "power/control", "auto");
            if let Some(group) = self.group_of(bdf) {
                self.tree.put_new(format!("dev/vfio/{group}"), "");
            }
        }
    }

    /// Take a function from its driver, which takes along what it made.
    pub(crate) fn detach(&mut self, bdf: Bdf) {
        let Some(driver) = self.driver_of(bdf) else { return };
        self.remove_virtual_functions(bdf);
        self.shelve(bdf, &driver);
        if is_vfio_driver(&driver) {
            // vfio_pci_core_unregister_device() calls pm_runtime_forbid().
            self.set_attribute(bdf, "power/control", "on");
        }
        let folder = self.folder(bdf);
        self.tree.remove(format!("{folder}/driver"));
        self.tree.remove(format!("sys/bus/pci/drivers/{driver}/{bdf}"));
        let uevent = self.attribute(bdf, "uevent").unwrap_or_default();
        let lines: Vec<&str> = uevent.lines().filter(|line| !line.starts_with("DRIVER=")).collect();
        self.set_attribute(bdf, "uevent", &lines.join("\n"));
        self.drop_vfio_node(bdf, &driver);
    }

    /// `dev/vfio/GROUP` goes with the last member that VFIO has.
    fn drop_vfio_node(&self, bdf: Bdf, driver: &str) {
        let Some(group) = self.group_of(bdf).filter(|_| is_vfio_driver(driver)) else { return };
        let members = self.tree.names(format!("sys/kernel/iommu_groups/{group}/devices"));
        let mut members = members.iter().filter_map(|name| name.parse().ok());
        let held = |member| self.driver_of(member).is_some_and(|name| is_vfio_driver(&name));
        if !members.any(held) {
            self.tree.remove(format!("dev/vfio/{group}"));
        }
    }
}

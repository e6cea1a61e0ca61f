//! Making a recorded tree react: what a recording does not say is derived.
//!
//! Attributes that can only be written are in no recording, and which devices
//! a driver knows stands nowhere in sysfs: those that it has, at least.

use crate::driver::Driver;
use crate::machine::{Machine, RELEASE};

impl Machine {
    /// Take over a tree that is there.
    pub(crate) fn adopt(&mut self) {
        self.iommu = self.tree.exists("sys/kernel/iommu_groups");
        for name in self.tree.names("sys/bus/pci/drivers") {
            let driver = self.loadable.values().flatten().find(|driver| driver.name == name);
            let driver = driver.cloned().unwrap_or_else(|| Driver::new(&name, &[]));
            // Taking over changes nothing: a device without a driver may be on
            // its way from one to another.
            self.register(driver);
        }
        for bdf in self.functions() {
            let folder = self.folder(bdf);
            self.tree.put_new(format!("{folder}/driver_override"), "(null)\n");
            self.tree.put_new(format!("{folder}/remove"), "");
            if self.attribute(bdf, "reset_method").is_some_and(|methods| !methods.is_empty()) {
                self.tree.put_new(format!("{folder}/reset"), "");
            }
            if let Some(driver) = self.driver_of(bdf) {
                let ids = self.ids(bdf);
                self.know_driver(&driver, ids);
                let link = format!("sys/bus/pci/drivers/{driver}/{bdf}");
                if !self.tree.exists(&link) {
                    self.tree.link(link, folder);
                }
            }
        }
    }

    /// What `modprobe` would find, as depmod(8) lists it.
    pub(crate) fn put_modules(&self) {
        let folder = format!("lib/modules/{RELEASE}");
        // With `-` where the kernel's own makefiles have it.
        let file = |module: &String| module.replace("vfio_pci", "vfio-pci");
        let line = |module: &String| format!("kernel/drivers/{}.ko:\n", file(module));
        let list: String = self.loadable.keys().map(line).collect();
        self.tree.put(format!("{folder}/modules.dep"), list);
        self.tree.put(format!("{folder}/modules.builtin"), "");
    }
}

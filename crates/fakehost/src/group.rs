//! IOMMU groups: `sys/kernel/iommu_groups/N`, and each function's link to its own.

use model::Bdf;

use crate::machine::Machine;

const GROUPS: &str = "sys/kernel/iommu_groups";

impl Machine {
    /// The number of a function's group.
    pub(crate) fn group_of(&self, bdf: Bdf) -> Option<u32> {
        self.tree.link_name(format!("{}/iommu_group", self.folder(bdf)))?.parse().ok()
    }

    /// Put a function into a group, or into a new one of its own. Behind a
    /// VMD it is the controller's, whose requester id all its drives use.
    pub(crate) fn join_group(&mut self, bdf: Bdf, group: Option<u32>) {
        if !self.iommu {
            return;
        }
        self.leave_group(bdf);
        let controller = self.controllers.get(&bdf.domain()).copied();
        let group = group
            .or_else(|| controller.and_then(|controller| self.group_of(controller)))
            .unwrap_or_else(|| self.unused_group());
        let folder = format!("{GROUPS}/{group}");
        self.tree.put_new(format!("{folder}/type"), "DMA-FQ\n");
        // The interrupt window of x86 (Documentation/ABI/testing/sysfs-kernel-iommu_groups).
        let window = "0x00000000fee00000 0x00000000feefffff msi\n";
        self.tree.put_new(format!("{folder}/reserved_regions"), window);
        self.tree.link(format!("{folder}/devices/{bdf}"), self.folder(bdf));
        self.tree.link(format!("{}/iommu_group", self.folder(bdf)), folder);
    }

    /// Take a function out of its group; the last one takes the group along.
    pub(crate) fn leave_group(&mut self, bdf: Bdf) {
        let Some(group) = self.group_of(bdf) else { return };
        let members = format!("{GROUPS}/{group}/devices");
        self.tree.remove(format!("{}/iommu_group", self.folder(bdf)));
        self.tree.remove(format!("{members}/{bdf}"));
        if self.tree.names(&members).is_empty() {
            self.tree.remove(format!("{GROUPS}/{group}"));
        }
    }

    fn unused_group(&self) -> u32 {
        let used: Vec<u32> =
            self.tree.names(GROUPS).iter().filter_map(|name| name.parse().ok()).collect();
        (0..).find(|number| !used.contains(number)).unwrap_or_default()
    }
}

//! What is recorded of a device, by its subsystem.
//!
//! Tables, not "everything": reading `resource0` of an I/O range reads real
//! ports, `vpd` takes seconds on some cards, and unknown attributes may name
//! people. What is listed here has no side effect; who adds a read to
//! `observe` adds its attribute here.

/// Attributes of one subsystem. A name that ends in `/*` stands for all files
/// and links of that folder, one that ends in `*` for all names that begin so.
pub(super) struct Kept {
    pub subsystem: &'static str,
    pub names: &'static [&'static str],
}

/// Kept of every device.
pub(super) const EVERY: &[&str] = &["dev", "device", "driver", "iommu_group"];

/// Kept by subsystem. Devices of other subsystems are recorded if they have a
/// device node (a process may hold it) or are an ancestor of a recorded one.
pub(super) const KEPT: &[Kept] = &[
    Kept { subsystem: "pci", names: PCI },
    Kept { subsystem: "block", names: BLOCK },
    Kept { subsystem: "net", names: NET },
    Kept { subsystem: "drm", names: &["status", "enabled", "dpms"] },
    Kept { subsystem: "graphics", names: &["name"] },
    Kept { subsystem: "vtconsole", names: &["name", "bind"] },
    Kept { subsystem: "iommu", names: IOMMU },
    Kept { subsystem: "nvme", names: &["model", "serial", "address", "state", "transport"] },
    Kept { subsystem: "nvme-subsystem", names: &["nvme*"] },
    Kept { subsystem: "mdev", names: &["mdev_type", "driver"] },
    Kept { subsystem: "infiniband", names: &["node_type"] },
    Kept { subsystem: "kfd", names: &[] },
    Kept { subsystem: "virtio", names: &[] },
    Kept { subsystem: "scsi", names: &["model", "vendor", "state", "type"] },
    Kept { subsystem: "platform", names: &["driver_override"] },
];

const PCI: &[&str] = &[
    "acpi_index",
    "ari_enabled",
    "boot_vga",
    "class",
    "config",
    "current_link_speed",
    "current_link_width",
    "d3cold_allowed",
    "devspec",
    "dma_mask_bits",
    "driver_override",
    "enable",
    "irq",
    "label",
    "local_cpulist",
    "max_link_speed",
    "max_link_width",
    "mdev_supported_types/*",
    "modalias",
    "msi_bus",
    "numa_node",
    "physfn",
    "power/control",
    "power/runtime_status",
    "power_state",
    "reset",
    "reset_method",
    "resource",
    "revision",
    "rom",
    "sriov_drivers_autoprobe",
    "sriov_offset",
    "sriov_stride",
    "sriov_totalvfs",
    "sriov_vf_device",
    "subsystem_device",
    "subsystem_vendor",
    "vendor",
    "virtfn*",
];

const BLOCK: &[&str] = &[
    "dm/name",
    "dm/uuid",
    "holders/*",
    "loop/backing_file",
    "md/array_state",
    "md/level",
    "partition",
    "removable",
    "ro",
    "serial",
    "size",
    "slaves/*",
    "start",
];

const NET: &[&str] = &[
    "address",
    "bonding_slave/state",
    "bridge/bridge_id",
    "brport/bridge",
    "carrier",
    "dev_port",
    "flags",
    "ifindex",
    "iflink",
    "lower_*",
    "master",
    "mtu",
    "operstate",
    "phys_port_name",
    "type",
    "upper_*",
];

const IOMMU: &[&str] = &[
    "amd-iommu/cap",
    "amd-iommu/features",
    "devices/*",
    "intel-iommu/address",
    "intel-iommu/cap",
    "intel-iommu/domains_supported",
    "intel-iommu/domains_used",
    "intel-iommu/ecap",
    "intel-iommu/version",
];

/// Written only: that they exist is the fact, reading them gives an error.
pub(super) const WRITE_ONLY: &[&str] = &["reset", "rom"];

/// Showing these takes the device's lock, which a stuck unbind holds for ever
/// (`driver_override_show()` in drivers/pci/pci-sysfs.c). `sriov_numvfs` is
/// another; it is the number of `virtfn` links.
pub(super) const LOCKED: &[&str] = &["driver_override"];

/// Not read of a device that a change is stuck with: they might wait for it.
pub(super) const WAITING: &[&str] = &["config", "driver_override"];

/// Lines of `uevent` that are kept. `PARTNAME`, `UNIQ` and the like name
/// people's things.
pub(super) const PROPERTIES: &[&str] = &[
    "DEVNAME",
    "DEVTYPE",
    "DRIVER",
    "IFINDEX",
    "INTERFACE",
    "MAJOR",
    "MINOR",
    "MODALIAS",
    "OF_COMPATIBLE_0",
    "OF_FULLNAME",
    "OF_NAME",
    "PARTN",
    "PCI_CLASS",
    "PCI_ID",
    "PCI_SLOT_NAME",
    "PCI_SUBSYS_ID",
    "PRODUCT",
];

/// Classes whose devices are recorded wherever they are, virtual ones too.
pub(super) const CLASSES: &[&str] = &[
    "accel",
    "block",
    "drm",
    "graphics",
    "infiniband",
    "iommu",
    "kfd",
    "mdev_bus",
    "net",
    "nvme",
    "nvme-generic",
    "nvme-subsystem",
    "vfio",
    "vfio-dev",
    "vtconsole",
];

/// Platform devices that hold a firmware framebuffer.
pub(super) const FRAMEBUFFERS: &[&str] =
    &["efi-framebuffer", "simple-framebuffer", "vesa-framebuffer"];

/// What is kept of a subsystem, `None` for one that is not listed.
pub(super) fn kept(subsystem: &str) -> Option<&'static [&'static str]> {
    KEPT.iter().find(|kept| kept.subsystem == subsystem).map(|kept| kept.names)
}

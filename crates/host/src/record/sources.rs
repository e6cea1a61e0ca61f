//! What is recorded besides devices: the tables.
//!
//! Files and folders by their place, and what is kept of the longer ones.
//! Who adds a read to `observe` adds its place here. Never: a machine id, a
//! serial number of the machine, a file of a user.

use model::parse::mounts;

/// Where an entry is. The first part of each path is known to `paths` alone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Proc(&'static str),
    Sys(&'static str),
    Dev(&'static str),
}

/// Files that are recorded as they are.
pub(super) const FILES: &[Place] = &[
    Place::Proc("cmdline"),
    Place::Proc("driver/nvidia/version"),
    Place::Proc("iomem"),
    Place::Proc("mdstat"),
    Place::Proc("net/fib_trie"),
    Place::Proc("net/if_inet6"),
    Place::Proc("net/ipv6_route"),
    Place::Proc("net/route"),
    Place::Proc("swaps"),
    Place::Proc("sys/kernel/arch"),
    Place::Proc("sys/kernel/hostname"),
    Place::Proc("sys/kernel/osrelease"),
    Place::Proc("sys/kernel/ostype"),
    Place::Proc("sys/kernel/random/boot_id"),
    Place::Sys("devices/virtual/dmi/id/bios_date"),
    Place::Sys("devices/virtual/dmi/id/bios_version"),
    Place::Sys("devices/virtual/dmi/id/board_name"),
    Place::Sys("devices/virtual/dmi/id/board_vendor"),
    Place::Sys("devices/virtual/dmi/id/product_name"),
    Place::Sys("devices/virtual/dmi/id/sys_vendor"),
    Place::Sys("devices/virtual/tty/console/active"),
    Place::Sys("firmware/devicetree/base/compatible"),
    Place::Sys("firmware/devicetree/base/model"),
];

/// Files of each folder inside of a folder.
pub(super) const FOLDERS: &[(Place, &[&str])] = &[
    (Place::Sys("kernel/iommu_groups"), &["type", "reserved_regions"]),
    (Place::Sys("kernel/mm/hugepages"), &["free_hugepages", "nr_hugepages", "resv_hugepages"]),
    (Place::Proc("driver/nvidia/gpus"), &["information"]),
    (Place::Sys("devices/virtual/kfd/kfd/topology/nodes"), &["gpu_id", "properties"]),
];

/// Parameters of these modules decide about passthrough.
pub(super) const MODULES: &[&str] = &[
    "amdgpu",
    "i915",
    "iommufd",
    "kvm",
    "kvm_amd",
    "kvm_intel",
    "nouveau",
    "nvidia",
    "nvme_core",
    "vfio",
    "vfio_iommu_spapr_tce",
    "vfio_iommu_type1",
    "vfio_pci",
    "vfio_pci_core",
    "xen_pciback",
];

/// That they exist is the fact; some cannot be read without an effect.
pub(super) const NODES: &[Place] =
    &[Place::Dev("kvm"), Place::Dev("vfio/vfio"), Place::Dev("iommu")];

/// Lists of modules that come with the kernel; lines about other modules are
/// left out.
pub(super) const LISTS: &[&str] = &["modules.builtin", "modules.dep"];
pub(super) const LISTED: &[&str] =
    &["iommu", "irqbypass", "kvm", "mdev", "pci-stub", "pciback", "vfio", "vhost"];

/// ACPI tables and device tree nodes that tell of IOMMUs.
pub(super) const TABLES: &[&str] = &["DMAR", "IORT", "IVRS", "VIOT"];
pub(super) const NODES_OF_TREE: &[&str] = &["iommu", "pciex", "smmu", "soc", "vdevice"];

/// Properties that udev keeps of block devices.
pub(super) const UDEV_KEPT: &[&str] = &["E:ID_FS_LABEL=", "E:ID_FS_TYPE=", "E:ID_FS_USAGE="];

/// Lines of `meminfo` and of `cpuinfo` (the first processor's) that are kept.
pub(super) const MEMORY: &[&str] =
    &["MemTotal", "MemFree", "MemAvailable", "HugePages", "Hugepagesize"];
pub(super) const PROCESSOR: &[&str] = &[
    "vendor_id",
    "cpu family",
    "model",
    "stepping",
    "flags",
    "address sizes",
    "cpu",
    "platform",
    "CPU implementer",
    "CPU architecture",
    "isa",
];
pub(super) const FLAGS: &[&str] = &["hypervisor", "la57", "lm", "svm", "vmx"];

/// Lines that start with one of the words.
pub(super) fn lines(text: &str, starts: &[&str]) -> String {
    let kept = |line: &&str| starts.iter().any(|start| line.starts_with(start));
    text.lines().filter(kept).flat_map(|line| [line, "\n"]).collect()
}

/// What is in a NUMA node's memory (`Node 0 MemFree: 8 kB`).
pub(super) fn node_memory(text: &str) -> String {
    let rows = text.lines().filter(|line| {
        let row = line.trim_start().splitn(3, ' ').nth(2).unwrap_or_default();
        MEMORY.iter().any(|start| row.starts_with(start))
    });
    rows.flat_map(|line| [line, "\n"]).collect()
}

/// The first processor, with the flags that matter here.
pub(super) fn first_processor(text: &str) -> String {
    let first = text.split("\n\n").next().unwrap_or_default();
    let short = |line: &str| match line.split_once(':') {
        Some((key, flags)) if key.trim_end() == "flags" => {
            let kept: Vec<&str> = flags.split(' ').filter(|flag| FLAGS.contains(flag)).collect();
            format!("{key}: {}\n", kept.join(" "))
        }
        _ => format!("{line}\n"),
    };
    lines(first, PROCESSOR).lines().map(short).collect()
}

/// Mounts with a device behind them, and what makes no sense.
pub(super) fn device_mounts(text: &str) -> String {
    let told = mounts::mounts(text).map(|mount| mount.is_ok_and(|mount| !mount.tells_of_device()));
    let kept = text.lines().zip(told).filter(|(_, other)| !other);
    kept.flat_map(|(line, _)| [line, "\n"]).collect()
}

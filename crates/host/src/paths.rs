//! Where things are on a Linux machine.
//!
//! In: a root directory as a value. Out: paths below it. Never: I/O. This is
//! the only file that knows the kernel's and the distribution's folders, so
//! that every read works on a recording or a pretended machine as well.

mod setup;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use model::{Bdf, GroupId};

/// The directory that stands for `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    dir: PathBuf,
    /// What people know it by, if not by its directory.
    name: Option<PathBuf>,
}

impl Root {
    /// The machine that this program runs on.
    pub fn real() -> Self {
        Self::new("/")
    }

    /// Another machine's tree, below `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), name: None }
    }

    /// The same tree, which messages call by the name of what it was made
    /// from: the directory of a recording is nobody's business.
    #[must_use]
    pub fn called(self, name: impl Into<PathBuf>) -> Self {
        Self { name: Some(name.into()), ..self }
    }

    /// Whether this is the machine that the program runs on. Only then may a
    /// system call stand in for a file that the kernel does not offer.
    pub fn is_real(&self) -> bool {
        self.dir == Path::new("/")
    }

    /// Whether it was made from a recording.
    pub fn is_recorded(&self) -> bool {
        self.name.is_some()
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// A path below this root, for a message.
    pub fn shown(&self, path: &Path) -> String {
        match (&self.name, path.strip_prefix(&self.dir)) {
            (Some(name), Ok(rest)) => format!("{}:/{}", name.display(), rest.display()),
            _ => path.display().to_string(),
        }
    }

    /// A path as seen on that machine (`/dev/nvidia0`), below this root.
    pub fn at(&self, absolute: impl AsRef<Path>) -> PathBuf {
        let absolute = absolute.as_ref();
        self.dir.join(absolute.strip_prefix("/").unwrap_or(absolute))
    }

    /// Whether a path that is there is below this root, wherever links lead.
    pub(crate) fn holds(&self, path: &Path) -> bool {
        let places = self.dir.canonicalize().and_then(|dir| Ok((dir, path.canonicalize()?)));
        self.is_real() || places.is_ok_and(|(dir, path)| path.starts_with(dir))
    }

    /// Whether a kernel shows anything there: there is nothing in the tree of
    /// a machine that is not running, as on a disk that is mounted.
    pub(crate) fn runs(&self) -> bool {
        self.is_real() || self.is_recorded() || self.proc("sys").exists()
    }

    pub(crate) fn sys(&self, rest: impl AsRef<Path>) -> PathBuf {
        self.at("/sys").join(rest)
    }

    pub(crate) fn proc(&self, rest: impl AsRef<Path>) -> PathBuf {
        self.at("/proc").join(rest)
    }
}

/// PCI functions and their drivers.
impl Root {
    /// One link per PCI function.
    pub fn pci_devices(&self) -> PathBuf {
        self.sys("bus/pci/devices")
    }

    /// The folder of one function, through its link.
    pub fn pci_device(&self, bdf: Bdf) -> PathBuf {
        self.pci_devices().join(bdf.to_string())
    }

    /// One folder per driver of the PCI bus.
    pub fn drivers(&self) -> PathBuf {
        self.sys("bus/pci/drivers")
    }

    /// The folder of one driver: `bind`, `unbind`, `new_id`.
    pub fn driver(&self, name: &str) -> PathBuf {
        self.drivers().join(name)
    }

    /// Writing an address here makes the kernel look for its driver.
    pub fn drivers_probe(&self) -> PathBuf {
        self.sys("bus/pci/drivers_probe")
    }

    /// The folder of a driver of the virtio bus, with a link per device.
    pub fn virtio_driver(&self, name: &str) -> PathBuf {
        self.sys("bus/virtio/drivers").join(name)
    }

    /// One folder per virtiofs that this machine is offered.
    pub fn virtiofs(&self) -> PathBuf {
        self.sys("fs/virtiofs")
    }

    /// Names of PCI vendors and devices, in the order in which to try them.
    pub fn pci_ids(&self) -> [PathBuf; 3] {
        ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/var/lib/pciutils/pci.ids"]
            .map(|path| self.at(path))
    }
}

/// The IOMMU and its groups.
impl Root {
    /// One folder per IOMMU group; empty without an IOMMU.
    pub fn iommu_groups(&self) -> PathBuf {
        self.sys("kernel/iommu_groups")
    }

    /// The folder of one group.
    pub fn iommu_group(&self, id: GroupId) -> PathBuf {
        self.iommu_groups().join(id.to_string())
    }

    /// One link per IOMMU unit.
    pub fn iommu_units(&self) -> PathBuf {
        self.class("iommu")
    }

    /// The firmware's ACPI tables.
    pub fn acpi_tables(&self) -> PathBuf {
        self.sys("firmware/acpi/tables")
    }

    /// The firmware's device tree (POWER, many Arm machines).
    pub fn device_tree(&self) -> PathBuf {
        self.sys("firmware/devicetree/base")
    }
}

/// Device classes, through which a device's uses are found.
impl Root {
    /// One link per device of a class: `block`, `net`, `drm`, …
    pub fn class(&self, class: &str) -> PathBuf {
        self.sys("class").join(class)
    }

    /// One folder per mounted btrfs, each with its devices.
    pub fn btrfs(&self) -> PathBuf {
        self.sys("fs/btrfs")
    }

    /// What udev knows of a block device, by `major:minor`.
    pub fn udev_block(&self, number: impl Display) -> PathBuf {
        self.at(format!("/run/udev/data/b{number}"))
    }

    /// Who has a graphics card open, by the card's number.
    pub fn drm_clients(&self, minor: u32) -> PathBuf {
        self.sys(format!("kernel/debug/dri/{minor}/clients"))
    }

    /// Compute nodes of amdgpu.
    pub fn kfd_nodes(&self) -> PathBuf {
        self.class("kfd").join("kfd/topology/nodes")
    }

    /// One folder per NVIDIA card, named by its address.
    pub fn nvidia_gpus(&self) -> PathBuf {
        self.proc("driver/nvidia/gpus")
    }
}

/// Processes, memory, mounts and the network, as the kernel prints them.
impl Root {
    /// One folder per process, among others.
    pub fn processes(&self) -> PathBuf {
        self.at("/proc")
    }

    /// The folder of one process.
    pub fn process(&self, pid: impl Display) -> PathBuf {
        self.proc(pid.to_string())
    }

    /// The program that runs now, even if its file was replaced since.
    pub fn own_program(&self) -> PathBuf {
        self.proc("self/exe")
    }

    /// One link per file that this process has open.
    pub fn own_files(&self) -> PathBuf {
        self.proc("self/fd")
    }

    /// Ranges of physical memory and who claims them.
    pub fn proc_iomem(&self) -> PathBuf {
        self.proc("iomem")
    }

    pub fn meminfo(&self) -> PathBuf {
        self.proc("meminfo")
    }

    /// Where the kernel's messages go: `tty0`, `ttyS0`.
    pub fn active_consoles(&self) -> PathBuf {
        self.sys("devices/virtual/tty/console/active")
    }

    /// What the kernel was started with.
    pub fn cmdline(&self) -> PathBuf {
        self.proc("cmdline")
    }

    /// The processors, a paragraph each.
    pub fn cpuinfo(&self) -> PathBuf {
        self.proc("cpuinfo")
    }

    pub fn swaps(&self) -> PathBuf {
        self.proc("swaps")
    }

    /// Mounts, in the order in which to try: those of the first process are
    /// the host's even where this one runs in a mount namespace.
    pub fn mountinfo(&self) -> [PathBuf; 2] {
        ["1/mountinfo", "self/mountinfo"].map(|path| self.proc(path))
    }

    /// A table of the network: `route`, `fib_trie`, `if_inet6`, `ipv6_route`.
    pub fn net_table(&self, name: &str) -> PathBuf {
        self.proc("net").join(name)
    }

    /// Another random number at each read, in the form of a UUID.
    pub fn random_uuid(&self) -> PathBuf {
        self.sysctl("kernel/random/uuid")
    }

    /// A value of the kernel, as in `kernel/osrelease`.
    pub fn sysctl(&self, name: &str) -> PathBuf {
        self.proc("sys").join(name)
    }
}

/// Kernel modules and what they offer.
impl Root {
    /// The folder of a module that is loaded, or built in with parameters.
    pub fn module(&self, name: &str) -> PathBuf {
        self.sys("module").join(name)
    }

    /// The modules that belong to a kernel release.
    pub fn modules_of(&self, release: &str) -> PathBuf {
        self.at("/lib/modules").join(release)
    }

    /// There when virtual machines can run with hardware support.
    pub fn kvm(&self) -> PathBuf {
        self.dev("kvm")
    }

    /// A device node, by its name below the folder of device nodes.
    pub fn dev(&self, name: &str) -> PathBuf {
        self.at("/dev").join(name)
    }
}

/// Paths as a recording writes them: text, absolute on the recorded machine.
impl Root {
    /// A place in sysfs, as in `/devices/pci0000:00`.
    pub fn sysfs_text(place: &str) -> String {
        format!("/sys{place}")
    }

    /// A device node, as in `dri/card0`.
    pub fn node_text(name: &str) -> String {
        format!("/dev/{name}")
    }
}

/// What guests are started with.
impl Root {
    /// There while systemd is the first process (sd_booted(3)).
    pub fn systemd(&self) -> PathBuf {
        self.at("/run/systemd/system")
    }

    /// One file per login.
    pub fn logins(&self) -> PathBuf {
        self.at("/run/systemd/sessions")
    }

    /// Descriptors of the UEFIs that are installed for QEMU.
    pub fn qemu_firmware(&self) -> PathBuf {
        self.at("/usr/share/qemu/firmware")
    }

    /// One folder per size of hugepages, as in `hugepages-2048kB`.
    pub fn hugepage_sizes(&self) -> PathBuf {
        self.sys("kernel/mm/hugepages")
    }

    /// Pages of this size in bytes: `free_hugepages`, `nr_hugepages`, ….
    pub fn hugepages(&self, bytes: u64) -> PathBuf {
        self.hugepage_sizes().join(hugepages(bytes))
    }

    /// One folder per NUMA node, as in `node0`.
    pub fn numa_nodes(&self) -> PathBuf {
        self.sys("devices/system/node")
    }

    /// The folder of one NUMA node: `meminfo`, ….
    pub fn numa_node(&self, node: u32) -> PathBuf {
        self.numa_nodes().join(format!("node{node}"))
    }

    /// Pages of this size in bytes on one node: `free_hugepages`, ….
    pub fn node_hugepages(&self, node: u32, bytes: u64) -> PathBuf {
        self.numa_node(node).join("hugepages").join(hugepages(bytes))
    }
}

fn hugepages(bytes: u64) -> String {
    format!("hugepages-{}kB", bytes / 1024)
}

#[cfg(test)]
mod tests;

//! What a lab host is made of: a TOML file in `topologies/` goes in, a value and QEMU's arguments come out.
//! Nothing is started here.

use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::error::{AtPath, Error, Result};
use crate::platform::Platform;

/// One lab host, as data. The devices are QEMU's own words: the lab adds no language on top.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// The file's name without `.toml`.
    #[serde(skip)]
    pub name: String,
    /// One line for `lab ls`.
    pub about: String,
    #[serde(default)]
    pub platform: Platform,
    pub memory: String,
    pub cpus: u8,
    /// TCG emulates SVM, not VMX: an AMD processor beside an Intel IOMMU is deliberate, it gives the lab host
    /// both a working IOMMU and a working `/dev/kvm`.
    #[serde(default = "default_cpu")]
    pub cpu: String,
    #[serde(default = "default_machine")]
    pub machine: String,
    /// A QEMU device; none is a machine without an IOMMU.
    pub iommu: Option<String>,
    /// The parts of the disk that the machine boots from by itself: a boot loader and what makes the initramfs, each
    /// a directory in `image/disk/`. With none, QEMU loads the kernel and the initramfs.
    #[serde(default)]
    pub boot_disk: Vec<String>,
    /// Kernel arguments beyond those that every lab host has, where QEMU loads the kernel.
    #[serde(default)]
    pub cmdline: String,
    /// The device that holds the root disk (`drive=root`).
    #[serde(default = "default_root")]
    pub root: String,
    /// Each is an option and its value, before the devices: memory, NUMA nodes, network back ends.
    #[serde(default)]
    pub args: Vec<[String; 2]>,
    /// Each is a `-device`, in this order.
    pub devices: Vec<String>,
    /// Shell lines run in the lab host at each of its starts.
    #[serde(default)]
    pub boot: Vec<String>,
    #[serde(default, rename = "disk")]
    pub disks: Vec<Disk>,
}

/// A data disk: a raw file of its own for each run, with known content (see [`crate::disk`]).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    pub id: String,
    pub mib: u64,
}

fn default_cpu() -> String {
    "EPYC-v4,+svm,+npt".to_owned()
}

fn default_machine() -> String {
    "q35,kernel-irqchip=split".to_owned()
}

fn default_root() -> String {
    "virtio-blk-pci,drive=root,bus=pcie.0,addr=0x2".to_owned()
}

impl Topology {
    /// Reads one of `topologies/*.toml` by its name.
    pub fn named(name: &str) -> Result<Self> {
        let path = folder().join(format!("{name}.toml"));
        if name.contains('/') || !path.is_file() {
            let known = names()?.join(", ");
            return Err(Error::UnknownTopology { name: name.to_owned(), known });
        }
        let text = fs::read_to_string(&path).at("read", &path)?;
        let mut topology: Self =
            toml::from_str(&text).map_err(|source| Error::BadTopology { path, source })?;
        name.clone_into(&mut topology.name);
        Ok(topology)
    }

    /// QEMU's arguments for everything that differs between lab hosts; paths are relative to the run directory.
    pub fn qemu_args(&self) -> Vec<String> {
        let mut args = vec!["-m".into(), self.memory.clone()];
        args.extend(["-smp".into(), self.cpus.to_string()]);
        args.extend(self.args.iter().flatten().cloned());
        // The IOMMU comes first: QEMU wants it before the devices that it serves.
        let disks = self.disks.iter().map(|disk| {
            let id = &disk.id;
            ["-drive".into(), format!("file={id}.raw,if=none,id={id},format=raw,cache=unsafe")]
        });
        args.extend(disks.flatten());
        let devices = self.iommu.iter().chain(&self.devices).chain([&self.root]);
        args.extend(devices.flat_map(|device| ["-device".into(), device.clone()]));
        args
    }
}

/// All topologies, by name.
pub fn names() -> Result<Vec<String>> {
    let folder = folder();
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).at("list", &folder)? {
        let path = entry.at("list", &folder)?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("topologies")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_topology_reads() {
        let names = names().unwrap();
        assert!(names.iter().any(|name| name == "basic"), "{names:?}");
        for name in names {
            let topology = Topology::named(&name).unwrap();
            let args = topology.qemu_args().join(" ");
            assert!(args.contains("drive=root"), "{name}: {args}");
            // Who boots from a disk has its arguments there.
            assert!(topology.boot_disk.is_empty() || topology.cmdline.is_empty(), "{name}");
            for disk in &topology.disks {
                assert!(args.contains(&format!("drive={}", disk.id)), "{name}: disk {}", disk.id);
            }
        }
    }

    #[test]
    fn the_parts_of_boot_disks_are_there() {
        let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("image/disk");
        let booting = names().unwrap().into_iter().map(|name| Topology::named(&name).unwrap());
        let booting: Vec<_> = booting.filter(|topology| !topology.boot_disk.is_empty()).collect();
        assert!(!booting.is_empty());
        for Topology { name, boot_disk, .. } in booting {
            assert!(boot_disk.iter().all(|part| parts.join(part).is_dir()), "{name}");
            let makes_it = boot_disk.iter().filter(|part| parts.join(part).join("disk").is_file());
            assert_eq!(makes_it.count(), 1, "{name}: one part partitions the disk");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        for name in ["no-such", "../topologies/basic", ""] {
            let error = Topology::named(name).unwrap_err().to_string();
            assert!(error.contains("basic"), "{error}");
        }
    }
}

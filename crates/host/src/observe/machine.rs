//! Facts about the machine that belong to no single function.
//!
//! In: a root directory. Out: [`Machine`], each fact for itself. Where a
//! recording lacks a file, the fact is unknown: this machine's system calls
//! say nothing about another one.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::function::module_of;
use model::parse::machine::{lists_module, meminfo, processor_arch};
use model::snapshot::{Machine, ModuleState};
use model::{Fact, Why};

use super::groups;
use crate::paths::Root;
use crate::read;

pub(super) fn machine(root: &Root) -> Machine {
    let kernel = line(root, "kernel/osrelease");
    let memory = read::text(&root.meminfo());
    let bytes = |key| memory.as_deref().map_err(Why::clone).and_then(|text| meminfo(text, key));
    Machine {
        arch: arch(root),
        hostname: line(root, "kernel/hostname"),
        boot_id: line(root, "kernel/random/boot_id"),
        iommu: groups::iommu(root),
        guest_drivers: BTreeMap::from([(
            "vfio-pci".to_owned(),
            driver_state(root, "vfio-pci", &kernel),
        )]),
        kvm: root.kvm().exists().into(),
        memory_available: bytes("MemAvailable").into(),
        memory_total: bytes("MemTotal").into(),
        kernel,
    }
}

fn line(root: &Root, name: &str) -> Fact<String> {
    read::text(&root.sysctl(name)).map(|text| text.trim().to_owned()).into()
}

/// As in `uname -m`. The file is there since Linux 6.1.
fn arch(root: &Root) -> Fact<String> {
    match line(root, "kernel/arch") {
        Fact::Unknown(Why::NotProvided) if root.is_real() => {
            rustix::system::uname().machine().to_string_lossy().into_owned().into()
        }
        Fact::Unknown(Why::NotProvided) => arch_by_traces(root),
        fact => fact,
    }
}

/// By what only machines of one architecture have: the form of `cpuinfo`,
/// POWER's device tree, the firmware's table about the IOMMU (DMAR is Intel's,
/// IVRS AMD's, IORT Arm's).
fn arch_by_traces(root: &Root) -> Fact<String> {
    let by_processor = read::text(&root.cpuinfo()).and_then(|text| processor_arch(&text));
    let power = |text: &str| text.split('\0').any(|name| name.to_lowercase().starts_with("ibm,"));
    let compatible = read::text(&root.device_tree().join("compatible"));
    let tables = [("DMAR", "x86_64"), ("IVRS", "x86_64"), ("IORT", "aarch64")];
    let has = |(name, _): &(&str, _)| root.acpi_tables().join(name).exists();
    let found = match by_processor {
        Err(_) if compatible.is_ok_and(|text| power(&text)) => Ok("ppc64"),
        Err(why) => tables.into_iter().find(has).map(|(_, arch)| arch).ok_or(why),
        found => found,
    };
    found.map(str::to_owned).into()
}

/// Whether a driver for guests can be used: it is there, or its module is.
pub fn guest_driver(root: &Root, driver: &str) -> Fact<ModuleState> {
    driver_state(root, driver, &line(root, "kernel/osrelease"))
}

/// Whether the PCI bus has this driver now; not known of a tree without drivers.
pub fn has_driver(root: &Root, driver: &str) -> Fact<bool> {
    match root.drivers().exists() {
        true => root.driver(driver).exists().into(),
        false => Fact::Unknown(Why::NotProvided),
    }
}

fn driver_state(root: &Root, driver: &str, kernel: &Fact<String>) -> Fact<ModuleState> {
    match root.driver(driver).exists() {
        true => present(root, module_of(driver)).into(),
        false => module(root, module_of(driver), kernel),
    }
}

/// Whether the kernel has what a module brings: by it, or built in.
pub fn kernel_module(root: &Root, name: &str) -> Fact<ModuleState> {
    module(root, name, &line(root, "kernel/osrelease"))
}

/// The kernel writes `-` in module names as `_`.
fn module_folder(root: &Root, name: &str) -> PathBuf {
    root.module(&name.replace('-', "_"))
}

/// How something that is there came in: what was loaded has a state
/// (`modinfo_initstate`, kernel/module/sysfs.c).
fn present(root: &Root, module: &str) -> ModuleState {
    match module_folder(root, module).join("initstate").exists() {
        true => ModuleState::Loaded,
        false => ModuleState::BuiltIn,
    }
}

fn module(root: &Root, name: &str, kernel: &Fact<String>) -> Fact<ModuleState> {
    if module_folder(root, name).exists() {
        return present(root, name).into();
    }
    let release = match kernel {
        Fact::Known(release) => release,
        Fact::Unknown(why) => return Fact::Unknown(why.clone()),
    };
    let lists = |list: &str| {
        let text = read::text(&root.modules_of(release).join(list));
        text.map(|text| lists_module(&text, name))
    };
    // Without the folder (in a container) it is the host's that counts, and
    // that one is out of sight.
    match (lists("modules.builtin"), lists("modules.dep")) {
        (Ok(true), _) => ModuleState::BuiltIn.into(),
        (_, Ok(true)) => ModuleState::Loadable.into(),
        (_, Ok(false)) => ModuleState::Missing.into(),
        (_, Err(why)) => Fact::Unknown(why),
    }
}

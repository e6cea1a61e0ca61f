//! Kernel modules: which there are, their parameters, which want a device.

use std::collections::{BTreeMap, BTreeSet};

use model::parse::modalias::claims;
use model::setup::Modules;
use model::snapshot::{ModuleState, Snapshot};
use model::{Bdf, Fact, Why};

use crate::observe::kernel_module;
use crate::paths::Root;
use crate::read;

/// Modules that decide about passthrough.
pub(crate) const ASKED: &[&str] = &[
    "iommufd",
    "irqbypass",
    "kvm",
    "kvm_amd",
    "kvm_hv",
    "kvm_intel",
    "vfio",
    "vfio_iommu_spapr_tce",
    "vfio_iommu_type1",
    "vfio_pci",
];
/// Parameters of theirs.
const PARAMETERS: &[(&str, &str)] = &[
    ("kvm_amd", "nested"),
    ("kvm_hv", "nested"),
    ("kvm_intel", "nested"),
    ("vfio_iommu_type1", "allow_unsafe_interrupts"),
    ("vfio_pci", "disable_idle_d3"),
    ("vfio_pci", "ids"),
];

pub(super) fn modules(root: &Root, snapshot: &Snapshot, devices: &[Bdf]) -> Modules {
    let mut functions: Vec<_> = devices.iter().flat_map(|bdf| snapshot.movers(*bdf)).collect();
    functions.dedup_by_key(|function| function.bdf);
    let parameters = PARAMETERS.iter().map(|(module, name)| {
        let path = root.module(module).join("parameters").join(name);
        let value = read::text(&path).map(|text| text.trim().to_owned());
        (((*module).to_owned(), (*name).to_owned()), Fact::from(value))
    });
    let table = match (functions.is_empty(), snapshot.machine.kernel.known()) {
        (true, _) => Err(Why::NotObserved),
        (false, Some(release)) => {
            super::text(root, &root.modules_of(release).join("modules.alias"))
        }
        (false, None) => Err(Why::NotProvided),
    };
    let claimed = functions.iter().map(|function| {
        let table = table.as_deref().map_err(Why::clone);
        let found = table.and_then(|table| {
            let modalias = read::text(&root.pci_device(function.bdf).join("modalias"))?;
            Ok(claims(table, modalias.trim_end()))
        });
        (function.bdf, Fact::from(found))
    });
    let claims: BTreeMap<_, _> = claimed.collect();
    let claimers = claims.values().filter_map(Fact::known).flatten().map(String::as_str);
    let drivers = functions.iter().filter_map(|function| function.driver_name());
    let drivers: BTreeSet<&str> = drivers.collect();
    let of_drivers: BTreeMap<String, String> = drivers
        .iter()
        .filter_map(|driver| Some(((*driver).to_owned(), module_of(root, driver)?)))
        .collect();
    let modules = of_drivers.values().map(String::as_str);
    let named: BTreeSet<&str> = drivers.iter().copied().chain(modules).chain(claimers).collect();
    let states = named.iter().map(|name| (*name, of_driver(root, name)));
    let states = states.chain(ASKED.iter().map(|name| (*name, kernel_module(root, name))));
    let states = states.map(|(name, state)| (name.to_owned(), state)).collect();
    Modules { states, parameters: parameters.collect(), claims, of_drivers }
}

/// The module that a driver came in (`module_add_driver()` in kernel/module/sysfs.c).
fn module_of(root: &Root, driver: &str) -> Option<String> {
    let target = std::fs::read_link(root.driver(driver).join("module")).ok()?;
    target.file_name()?.to_str().map(str::to_owned)
}

/// A module of a driver. Older recordings do not have how most of them came in.
fn of_driver(root: &Root, name: &str) -> Fact<ModuleState> {
    match kernel_module(root, name) {
        Fact::Known(ModuleState::BuiltIn) if root.is_recorded() => Fact::Unknown(Why::NotRecorded),
        state => state,
    }
}

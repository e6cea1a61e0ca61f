//! Memory for guests: which hugepages, what is free, what may be locked.
//!
//! In: the machine that is looked at, a guest. Out: numbers for
//! [`hypervisors::memory`], which decides. Limits are those of processes on
//! this machine; another one's are not known.

use host::memory::{free_hugepages, free_on_node, hugepage_sizes, usual_hugepage};
use host::paths::Root;
use host::process::{self, has_systemd, resident};
use hypervisors::machine::{GuestIommu, Machine, Numa};
use hypervisors::memory::{self, HostMemory};
use hypervisors::{GuestSpec, HostDevice};
use model::reason::Reason;

use super::{Observed, host_devices};
use crate::instances::{Instance, InstanceSpec};
use crate::request::{Hugepages, RunRequest};

/// What most kernels take for the size of a hugepage.
const USUAL: u64 = 2 << 20;

/// The size of the hugepages that a guest's memory is made of. Nobody has to
/// ask for those that were set aside and are free: the largest whose pool, on
/// the guest's own node if it has one, holds all of its memory.
pub(super) fn hugepages(root: &Root, request: &RunRequest, numa: Option<Numa>) -> Option<u64> {
    let memory = request.memory;
    let node = numa.map(|numa| numa.node);
    let free = |size: u64| free_hugepages(root, size, node).known().copied();
    let holds = |size: &u64| free(*size).is_some_and(|free| free >= memory);
    match request.hugepages {
        Hugepages::Off => None,
        Hugepages::Size(size) => Some(size),
        Hugepages::On => Some(usual_hugepage(root).known().copied().unwrap_or(USUAL)),
        Hugepages::Auto => {
            let whole = |size: &u64| memory > 0 && memory.is_multiple_of(*size);
            let sizes = hugepage_sizes(root);
            sizes.known()?.iter().copied().filter(whole).filter(holds).max()
        }
    }
}

/// What to know, and what speaks against it, in the memory of a guest that is
/// to be started.
pub(crate) fn memory_for(at: Observed<'_>, spec: &GuestSpec) -> (Option<Reason>, Vec<Reason>) {
    let host = host_memory(at, spec);
    (memory::notes(spec, &host), memory::check(spec, &host))
}

/// What the machine has for it.
fn host_memory(at: Observed<'_>, spec: &GuestSpec) -> HostMemory {
    let Observed { root, snapshot } = at;
    let own = spec.memory.numa.map(|numa| numa.node);
    // Only a guest that is bound to its node has nothing of the others.
    let bound = spec.memory.numa.filter(|numa| numa.strict).map(|numa| numa.node);
    let available = snapshot.machine.memory_available.known().copied();
    let free_on = |node| free_on_node(root, node).known().copied();
    let free_pages = |size, node| free_hugepages(root, size, node).known().copied();
    let near = bound.and_then(free_on);
    let sizes = hugepage_sizes(root);
    let sizes = sizes.known().filter(|sizes| !sizes.is_empty());
    HostMemory {
        makes_pages: spec.memory.hugepages.zip(sizes).map(|(size, sizes)| sizes.contains(&size)),
        available: available.map(|all| near.map_or(all, |near| all.min(near))),
        free_hugepages: spec.memory.hugepages.and_then(|size| free_pages(size, bound)),
        lock_limit: lock_limit(root, None),
        near: own.and_then(|node| match spec.memory.hugepages {
            Some(size) => free_pages(size, Some(node)),
            None => free_on(node),
        }),
    }
}

/// What speaks in memory against giving a running guest devices: the first
/// one makes the hypervisor pin all of it, with a virtual IOMMU each does.
/// What the guest's process has already counts as available; hugepages were
/// taken at its start.
pub(crate) fn against_memory(
    at: Observed<'_>,
    instance: &Instance,
    devices: &[HostDevice],
) -> Vec<Reason> {
    let Some(spec) = with_devices(at, instance, devices) else { return Vec::new() };
    let pid = instance.process.map(|process| process.pid);
    let resident = pid.and_then(|pid| resident(&Root::real(), pid)).unwrap_or_default();
    let host = host_memory(at, &spec);
    let host = HostMemory {
        makes_pages: None,
        available: host.available.map(|free| free.saturating_add(resident)),
        free_hugepages: None,
        lock_limit: pid.and_then(|pid| lock_limit(at.root, Some(pid))),
        near: None,
    };
    memory::check(&spec, &host)
}

/// What a running guest would be with these devices. Its virtual IOMMU, which
/// makes its memory count for each of them, came or did not come at its start.
fn with_devices(
    at: Observed<'_>,
    instance: &Instance,
    devices: &[HostDevice],
) -> Option<GuestSpec> {
    let machine = machine_of(at, &instance.spec)?;
    let held = host_devices(at.snapshot, &instance.devices);
    let InstanceSpec { memory, hugepages, viommu, .. } = instance.spec;
    let mut spec = GuestSpec::new(instance.name.as_str(), "", machine, memory);
    spec.memory.hugepages = hugepages;
    spec.iommu = match viommu {
        Some(true) => GuestIommu::On,
        Some(false) => GuestIommu::Off,
        None => GuestIommu::Auto,
    };
    spec.devices = held.into_iter().chain(devices.iter().cloned()).collect();
    Some(spec)
}

/// What it was started as; instances of older versions did not keep it.
fn machine_of(at: Observed<'_>, spec: &InstanceSpec) -> Option<Machine> {
    let arch = at.snapshot.machine.arch.known().map_or(std::env::consts::ARCH, String::as_str);
    Machine::named(&spec.machine).or_else(|_| Machine::for_arch(arch)).ok()
}

/// The limit on locked memory of a hypervisor's process, or of one that this
/// process is to start. Where systemd starts it, its unit sets none (`spawn`).
fn lock_limit(root: &Root, pid: Option<u32>) -> Option<u64> {
    if !root.is_real() || (pid.is_none() && has_systemd(root)) {
        return None;
    }
    process::lock_limit(root, pid).known().copied().flatten()
}

#[cfg(test)]
mod tests;

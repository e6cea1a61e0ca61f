//! Memory for guests: which hugepages, what is free, what may be locked.
//!
//! In: the machine that is looked at, a guest. Out: numbers for
//! [`hypervisors::memory`], which decides. Limits are those of processes on
//! this machine; another one's are not known.

use std::fs;
use std::path::Path;

use host::paths::Root;
use host::process::resident;
use hypervisors::machine::{GuestIommu, Machine, Numa};
use hypervisors::memory::{self, HostMemory};
use hypervisors::{GuestSpec, HostDevice};
use model::parse::machine::{meminfo, node_meminfo};
use model::parse::process::{CAP_IPC_LOCK, has_capability, locked_memory};
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
    let holds = |size: &u64| free_hugepages(root, *size, node).is_some_and(|free| free >= memory);
    match request.hugepages {
        Hugepages::Off => None,
        Hugepages::Size(size) => Some(size),
        Hugepages::On => Some(usual(root)),
        Hugepages::Auto => {
            let whole = |size: &u64| memory > 0 && memory.is_multiple_of(*size);
            sizes(root).into_iter().filter(whole).filter(holds).max()
        }
    }
}

/// The size that the kernel takes when it is told none.
fn usual(root: &Root) -> u64 {
    let text = fs::read_to_string(root.meminfo()).unwrap_or_default();
    meminfo(&text, "Hugepagesize").unwrap_or(USUAL)
}

/// Sizes that there are pools of, in bytes.
fn sizes(root: &Root) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(root.hugepage_sizes()) else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let size = |name: String| {
        let number = name.strip_prefix("hugepages-")?.strip_suffix("kB")?;
        number.parse::<u64>().ok()?.checked_mul(1024).filter(|size| size.is_power_of_two())
    };
    names.filter_map(size).collect()
}

/// Bytes of free pages of this size that nobody reserved: on one node, or in
/// all. What is reserved is counted for the whole machine only
/// (Documentation/admin-guide/mm/hugetlbpage.rst).
fn free_hugepages(root: &Root, size: u64, node: Option<u32>) -> Option<u64> {
    let pool = root.hugepages(size);
    let reserved = number(&pool.join("resv_hugepages")).unwrap_or_default();
    let free = number(&pool.join("free_hugepages"))?.saturating_sub(reserved);
    let near = match node {
        Some(node) => number(&root.node_hugepages(node, size).join("free_hugepages"))?,
        None => free,
    };
    free.min(near).checked_mul(size)
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

fn free_on(root: &Root, node: u32) -> Option<u64> {
    let text = fs::read_to_string(root.numa_node(node).join("meminfo")).ok()?;
    node_meminfo(&text, "MemFree").ok()
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
    let near = bound.and_then(|node| free_on(root, node));
    let sizes = sizes(root);
    HostMemory {
        makes_pages: (spec.memory.hugepages.filter(|_| !sizes.is_empty()))
            .map(|size| sizes.contains(&size)),
        available: available.map(|all| near.map_or(all, |near| all.min(near))),
        free_hugepages: spec.memory.hugepages.and_then(|size| free_hugepages(root, size, bound)),
        lock_limit: lock_limit(root, None),
        near: own.and_then(|node| match spec.memory.hugepages {
            Some(size) => free_hugepages(root, size, Some(node)),
            None => free_on(root, node),
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
    if !root.is_real() || (pid.is_none() && root.systemd().exists()) {
        return None;
    }
    let folder = pid.map_or_else(|| root.process("self"), |pid| root.process(pid));
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    limit(&text("status"), &text("limits"))
}

/// Whoever has CAP_IPC_LOCK has no limit, root in a container often has not.
fn limit(status: &str, limits: &str) -> Option<u64> {
    let limitless = has_capability(status, CAP_IPC_LOCK) == Some(true);
    locked_memory(limits).filter(|limit| !limitless && *limit != u64::MAX)
}

#[cfg(test)]
mod tests;

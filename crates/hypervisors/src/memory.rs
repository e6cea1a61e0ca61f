//! Is there memory for the guest: what VFIO will pin, against what may be
//! locked and what is free.
//!
//! A guest with a passed-through device cannot be swapped: VFIO pins every
//! page that the device may reach, at the start. In: the guest and three
//! numbers. Out: nothing, or the reasons why it would fail, before it does.

use std::collections::BTreeSet;

use model::reason::{Code, Reason};

use crate::machine::GuestSpec;

/// What the machine has, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostMemory {
    /// What can be handed out now (`MemAvailable`); `None` when unknown.
    pub available: Option<u64>,
    /// Whether the kernel makes hugepages of the size that the guest asks for;
    /// `None` when unknown, or when it asks for none.
    pub makes_pages: Option<bool>,
    /// Free hugepages of the size that the guest asks for, in bytes.
    pub free_hugepages: Option<u64>,
    /// The limit on locked memory (`RLIMIT_MEMLOCK`) of the hypervisor's
    /// process; `None` when it does not count: no limit, or CAP_IPC_LOCK
    /// (`vfio_lock_acct()` in `drivers/vfio/vfio_iommu_type1.c`).
    pub lock_limit: Option<u64>,
    /// What the guest's own node ([`Memory::numa`](crate::machine::Memory))
    /// can hand out at once, of hugepages if they are asked for; `None` when
    /// there is no such node, or it is unknown.
    pub near: Option<u64>,
}

/// Beside the guest's memory: libvirt's allowance for MMIO and the
/// hypervisor itself (`qemuDomainGetMemLockLimitBytes()`).
const MARGIN: u64 = 1 << 30;
/// What a QEMU process itself needs, roughly.
const PROCESS: u64 = 256 << 20;

/// Bytes that count against the limit on locked memory; 0 without devices.
/// The guest's memory counts once for each address space. Without a virtual
/// IOMMU all devices share one; with it, each has its own and may map all.
pub fn locked(spec: &GuestSpec) -> u64 {
    let spaces = address_spaces(spec);
    if spaces == 0 {
        return 0;
    }
    spec.memory.bytes.saturating_mul(spaces).saturating_add(MARGIN)
}

/// Every reason why the guest's memory would not be had.
pub fn check(spec: &GuestSpec, host: &HostMemory) -> Vec<Reason> {
    let mut reasons = Vec::new();
    reasons.extend(hugepages(spec, host));
    reasons.extend(free(spec, host));
    reasons.extend(lock_limit(spec, host));
    reasons
}

/// What the user should know although the guest can be started.
pub fn notes(spec: &GuestSpec, host: &HostMemory) -> Option<Reason> {
    let node = spec.memory.numa?.node;
    let near = host.near.filter(|near| *near < spec.memory.bytes)?;
    let what = if spec.memory.hugepages.is_some() { "of hugepages free" } else { "free" };
    let text = format!(
        "node {node}, to which its devices belong, has {} {what}: the guest's memory will in part be another node's, and slower",
        mib(near)
    );
    Some(Reason::machine(Code::MemoryFar, text, "free memory of that node, or give the guest less"))
}

/// Functions of one group share an address space whatever the guest's
/// topology is; functions of no known group have their own.
fn address_spaces(spec: &GuestSpec) -> u64 {
    let functions: Vec<_> = spec.devices.iter().flat_map(|device| &device.functions).collect();
    if functions.is_empty() {
        return 0;
    }
    if !spec.has_iommu() {
        return 1;
    }
    let groups: BTreeSet<_> = functions.iter().filter_map(|function| function.group).collect();
    let alone = functions.iter().filter(|function| function.group.is_none()).count();
    (groups.len() + alone) as u64
}

fn hugepages(spec: &GuestSpec, host: &HostMemory) -> Option<Reason> {
    let size = spec.memory.hugepages?;
    if host.makes_pages == Some(false) {
        let text = format!("the host's kernel makes no hugepages of {} KiB", size >> 10);
        let hint = "`--hugepages on` takes the size that is usual there";
        return Some(Reason::machine(Code::Unsupported, text, hint));
    }
    let free = host.free_hugepages?;
    let want = spec.memory.bytes;
    (want > free).then(|| {
        let text = format!("the guest wants {} of hugepages, {} are free", mib(want), mib(free));
        let hint = format!(
            "reserve {} more pages of {} KiB (nr_hugepages), best at boot",
            (want - free).div_ceil(size.max(1)),
            size / 1024
        );
        Reason::machine(Code::NotEnoughMemory, text, hint)
    })
}

/// Memory that is only lent can be less than promised; pinned memory cannot.
fn free(spec: &GuestSpec, host: &HostMemory) -> Option<Reason> {
    let available = host.available?;
    if address_spaces(spec) == 0 {
        return None;
    }
    let own = if spec.memory.hugepages.is_some() { 0 } else { spec.memory.bytes };
    let want = own.saturating_add(PROCESS);
    (want > available).then(|| {
        let text = format!(
            "the guest pins {} (memory that a device may reach cannot be swapped), {} are available",
            mib(want),
            mib(available)
        );
        Reason::machine(Code::NotEnoughMemory, text, "give the guest less memory, or stop others")
    })
}

fn lock_limit(spec: &GuestSpec, host: &HostMemory) -> Option<Reason> {
    let limit = host.lock_limit?;
    let want = locked(spec);
    (want > limit).then(|| {
        let spaces = address_spaces(spec);
        let each = match spaces {
            1 => String::new(),
            _ => format!(", the guest's memory counted for each of {spaces} address spaces"),
        };
        let text = format!("VFIO locks {}{each}; the limit is {}", mib(want), mib(limit));
        let hint = "raise the limit (LimitMEMLOCK= of the service, or `ulimit -l`), or run as root";
        Reason::machine(Code::NotEnoughMemory, text, hint)
    })
}

fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

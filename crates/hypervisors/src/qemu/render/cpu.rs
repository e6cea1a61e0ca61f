//! Accelerator, processor and memory: the same words on every machine.

use std::path::Path;

use crate::machine::{GuestSpec, HostFacts, Kernel, MachineKind};

use super::arg::{Arg, Size};
use super::uses_kvm;

/// The id of the memory backend.
pub(super) const MEMORY: &str = "ram0";

/// `-accel`.
pub(super) fn accel(spec: &GuestSpec, facts: &HostFacts) -> Arg {
    Arg::new("-accel", if uses_kvm(spec, facts) { "kvm" } else { "tcg" })
}

/// `-cpu`: the host's own under KVM, all that can be emulated without. `limit`
/// narrows the physical address to what the host's IOMMU translates. An
/// emulated processor has what it is told (QEMU 6.0 and newer), 40 bits else.
pub(super) fn model(spec: &GuestSpec, facts: &HostFacts, limit: Option<u8>) -> Arg {
    let kvm = uses_kvm(spec, facts);
    let cpu = match (kvm, spec.machine.kind()) {
        (true, _) => Arg::new("-cpu", "host"),
        (false, MachineKind::Q35) => Arg::new("-cpu", "max"),
        (false, MachineKind::Pseries) => return Arg::new("-cpu", "power9"),
    };
    if spec.machine.kind() == MachineKind::Pseries {
        return cpu;
    }
    let cpu = if spec.hide_kvm { cpu.with("kvm", "off") } else { cpu };
    match limit {
        Some(bits) if kvm => cpu.with("host-phys-bits", "on").with("host-phys-bits-limit", bits),
        Some(bits) => cpu.with("phys-bits", bits),
        None => cpu,
    }
}

/// `-smp`: cores of one socket, as desktop systems count sockets for licences.
pub(super) fn smp(spec: &GuestSpec) -> Arg {
    let cpus = spec.cpus;
    Arg::new("-smp", &cpus.to_string()).with("sockets", 1).with("cores", cpus).with("threads", 1)
}

/// `-m`.
pub(super) fn memory(spec: &GuestSpec) -> Arg {
    Arg::new("-m", "").with("size", Size(spec.memory.bytes))
}

/// Whether the memory is made by an object of its own.
pub(super) fn has_backend(spec: &GuestSpec) -> bool {
    spec.memory.hugepages.is_some() || spec.memory.numa.is_some()
}

/// `-object memory-backend-…`. Hugepages come from a memfd: no mount of
/// hugetlbfs is needed and nothing is left behind. They are taken at once:
/// a page that is missing later would end the guest by SIGBUS.
pub(super) fn backend(spec: &GuestSpec) -> Option<Arg> {
    if !has_backend(spec) {
        return None;
    }
    let kind = match spec.memory.hugepages {
        Some(_) => "memory-backend-memfd",
        None => "memory-backend-ram",
    };
    let mut arg =
        Arg::new("-object", kind).with("id", MEMORY).with("size", Size(spec.memory.bytes));
    if let Some(size) = spec.memory.hugepages {
        arg = arg.with("hugetlb", "on").with("hugetlbsize", Size(size)).with("share", "off");
    }
    if let Some(numa) = spec.memory.numa {
        let policy = if numa.strict { "bind" } else { "preferred" };
        arg = arg.with("host-nodes", numa.node).with("policy", policy);
    }
    Some(arg.with_on("prealloc", spec.memory.hugepages.is_some()))
}

/// `-kernel`, `-initrd`, `-append`: whole words to QEMU, no options in them.
/// `console` is the machine's serial line as its kernel calls it: without
/// that word on its command line the kernel says nothing there.
pub(super) fn kernel(kernel: &Kernel, console: &str) -> Vec<(&'static str, String)> {
    let text = |path: &Path| path.display().to_string();
    let mut words = vec![("-kernel", text(&kernel.kernel))];
    words.extend(kernel.initrd.as_deref().map(|path| ("-initrd", text(path))));
    let append = kernel.append.clone().unwrap_or_else(|| format!("console={console}"));
    words.push(("-append", append));
    words
}

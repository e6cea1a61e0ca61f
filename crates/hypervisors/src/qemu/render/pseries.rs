//! A pseries guest on POWER: a PCI host bridge of its own for each group.
//!
//! PAPR gives every host bridge (PHB) its own DMA window, and error recovery
//! (EEH) works for a PHB with one IOMMU group behind it only
//! (`vfio_eeh_as_ok()` in QEMU's `hw/ppc/spapr_pci_vfio.c`). Such a guest has
//! an IOMMU always, and 1 TiB of 64-bit window for each PHB.

use std::collections::BTreeMap;

use model::reason::{Code, Reason};

use crate::device::{HostDevice, clusters};
use crate::machine::{GuestSpec, HostFacts};

use super::arg::Arg;
use super::io::RootBus;
use super::topology::Placed;
use super::{Argv, cpu, io, uses_kvm};

/// PHBs in all, the default one (`pci.0`) among them
/// (`spapr_phb_placement()`: 31 of 2 TiB below 64 TiB).
const MAX_PHBS: usize = 31;
/// The 64-bit window of a PHB (`SPAPR_PCI_MEM64_WIN_SIZE`).
const WINDOW: u64 = 1 << 40;
/// Slots of a PHB's bus.
const MAX_SLOTS: usize = 32;

/// Host bridges, from index 1, and the devices behind them.
#[derive(Debug, Default)]
struct Bridges<'a> {
    used: usize,
    functions: Vec<Placed<'a>>,
    reasons: Vec<Reason>,
}

pub(super) fn render(spec: &GuestSpec, facts: &HostFacts) -> Result<Argv, Vec<Reason>> {
    let bridges = place(spec);
    if !bridges.reasons.is_empty() {
        return Err(bridges.reasons);
    }
    let mut argv = Argv::default();
    argv.head(spec, facts);
    let backend = cpu::has_backend(spec).then_some(cpu::MEMORY);
    let machine = Arg::new("-machine", spec.machine.name()).with_some("memory-backend", backend);
    let machine = machine.with("dump-guest-core", "off");
    argv.push(if uses_kvm(spec, facts) { machine } else { unmitigated(machine) });
    argv.push(cpu::accel(spec, facts));
    argv.push(cpu::model(spec, facts, None));
    argv.push(cpu::smp(spec));
    argv.push(cpu::memory(spec));
    argv.extend(cpu::backend(spec));
    match &spec.kernel {
        Some(kernel) => {
            cpu::kernel(kernel, "hvc0").iter().for_each(|(flag, value)| argv.plain(flag, value));
        }
        None => argv.plain("-boot", "strict=on"),
    }
    argv.extend(io::iommufd(spec));
    let all = bridges.used + spec.spare.count as usize;
    argv.extend((1..=all).map(host_bridge));
    argv.extend(bridges.functions.iter().map(|placed| io::vfio(placed, spec.container)));
    let mut root = RootBus::new("pci.0");
    argv.extend(io::disks(spec, &mut root));
    argv.extend(io::network(spec, &mut root));
    argv.tail(spec);
    Ok(argv)
}

/// What a real processor does against speculation (cache flushes, indirect
/// branches), the emulated one cannot and need not do; unless it is left out,
/// QEMU warns at each start (`hw/ppc/spapr_caps.c`).
fn unmitigated(machine: Arg) -> Arg {
    let broken = ["cap-cfpc", "cap-sbbc", "cap-ibs"];
    let machine = broken.into_iter().fold(machine, |machine, cap| machine.with(cap, "broken"));
    machine.with("cap-ccf-assist", "off")
}

fn host_bridge(index: usize) -> Arg {
    Arg::new("-device", "spapr-pci-host-bridge")
        .with("index", index)
        .with("id", format_args!("phb{index}"))
}

fn place(spec: &GuestSpec) -> Bridges<'_> {
    let mut bridges = Bridges::default();
    let mut indexes = BTreeMap::new();
    let mut slots: BTreeMap<usize, (usize, u64)> = BTreeMap::new();
    for (device, cluster) in spec.devices.iter().zip(clusters(&spec.devices)) {
        let index = *indexes.entry(cluster).or_insert_with(|| bridges.open());
        let (slot, wide) = slots.entry(index).or_default();
        *wide = wide.saturating_add(device.needs().wide);
        bridges.add(device, index, *slot);
        *slot += 1;
        if *wide > WINDOW {
            let text = format!(
                "its group needs {} GiB of 64-bit memory, a host bridge of a pseries guest has 1024 GiB",
                *wide >> 30
            );
            bridges.refuse(device, &text);
        }
        if *slot > MAX_SLOTS {
            bridges.refuse(device, "its group has more than 32 devices");
        }
    }
    if bridges.used + spec.spare.count as usize >= MAX_PHBS {
        let text = format!("more than {} host bridges, spare ones included", MAX_PHBS - 1);
        let hint = "pass fewer devices, or ask for fewer spare ports";
        bridges.reasons.push(Reason::machine(Code::Unsupported, text, hint));
    }
    bridges
}

impl<'a> Bridges<'a> {
    fn open(&mut self) -> usize {
        self.used += 1;
        self.used
    }

    fn add(&mut self, device: &'a HostDevice, index: usize, slot: usize) {
        let numbers = device.numbers();
        let many = numbers.len() > 1;
        for (host, function) in device.functions.iter().zip(numbers) {
            self.functions.push(Placed {
                host,
                bus: format!("phb{index}.0"),
                slot,
                function,
                multifunction: many && function == 0,
            });
        }
    }

    fn refuse(&mut self, device: &HostDevice, text: &str) {
        if let Some(first) = device.functions.first() {
            self.reasons.push(Reason::at(Code::Unsupported, first.bdf, text, ""));
        }
    }
}

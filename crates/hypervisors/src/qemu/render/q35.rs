//! A q35 guest: root ports, a virtual IOMMU where needed, the 64-bit window.

use std::cmp::Reverse;

use model::reason::{Code, Reason};

use crate::machine::{Firmware, GuestSpec, HostFacts, MachineKind};

use super::arg::{Arg, Size};
use super::io::RootBus;
use super::topology::{self, Port, Topology};
use super::window::{self, TooLarge, Window};
use super::{Argv, cpu, io, uses_kvm};

/// Physical address bits of an emulated processor
/// (`TCG_PHYS_ADDR_BITS` in `target/i386/cpu.h`).
const TCG_BITS: u8 = 40;

pub(super) fn render(spec: &GuestSpec, facts: &HostFacts) -> Result<Argv, Vec<Reason>> {
    debug_assert_eq!(spec.machine.kind(), MachineKind::Q35);
    let topology = topology::place(spec);
    let mut reasons = topology.refusals(&spec.firmware);
    let bits = address_bits(spec, facts);
    if let Some(reason) = bits.and_then(|bits| too_much(spec, bits)) {
        reasons.push(reason);
        return Err(reasons);
    }
    let window = window::fit(&topology, spec.memory.bytes, bits);
    let window = match window.map_err(|error| too_large(spec, error)) {
        Ok(window) if reasons.is_empty() => window,
        Ok(_) => return Err(reasons),
        Err(reason) => {
            reasons.push(reason);
            return Err(reasons);
        }
    };
    if let Some(reason) = ovmf_limit(spec, window) {
        return Err(vec![reason]);
    }
    let mut argv = Argv::default();
    argv.head(spec, facts);
    machine(&mut argv, spec, facts);
    boot(&mut argv, spec, window);
    argv.extend(viommu(spec, facts));
    argv.extend(io::iommufd(spec));
    devices(&mut argv, spec, &topology, window);
    argv.tail(spec);
    argv.notes.extend(topology.notes());
    argv.notes.extend(less_room(spec, window));
    Ok(argv)
}

fn machine(argv: &mut Argv, spec: &GuestSpec, facts: &HostFacts) {
    // Interrupt remapping needs the IOAPIC in QEMU, not in the kernel.
    let split = spec.has_iommu() && uses_kvm(spec, facts);
    let machine = Arg::new("-machine", spec.machine.name())
        .with_some("kernel-irqchip", split.then_some("split"))
        .with_some("memory-backend", cpu::has_backend(spec).then_some(cpu::MEMORY));
    // A core file would hold all that the guest knows.
    argv.push(machine.with("dump-guest-core", "off"));
    argv.push(cpu::accel(spec, facts));
    argv.push(cpu::model(spec, facts, phys_bits_limit(spec, facts)));
    argv.push(cpu::smp(spec));
    argv.push(cpu::memory(spec));
    argv.extend(cpu::backend(spec));
}

fn boot(argv: &mut Argv, spec: &GuestSpec, window: Window) {
    argv.extend(io::flash(&spec.firmware));
    argv.extend(tell_window(&spec.firmware, window));
    match &spec.kernel {
        Some(kernel) => {
            for (flag, value) in cpu::kernel(kernel, "ttyS0") {
                argv.plain(flag, &value);
            }
        }
        // Nothing but what has a boot index: no wait for the network.
        None => argv.plain("-boot", "strict=on"),
    }
}

/// The size of the window, to whoever places device memory: OVMF reads it
/// from a file of QEMU's, SeaBIOS takes it from the host bridge.
fn tell_window(firmware: &Firmware, window: Window) -> Option<Arg> {
    let size = window.told.then_some(window.size)?;
    Some(match firmware {
        Firmware::Ovmf { .. } => Arg::new("-fw_cfg", "")
            .with("name", "opt/ovmf/X-PciMmio64Mb")
            .with("string", size >> 20),
        Firmware::Default => {
            Arg::new("-global", &format!("q35-pcihost.pci-hole64-size={}", Size(size)))
        }
    })
}

/// The virtual IOMMU. `caching-mode` is what lets QEMU see the guest's
/// mappings and pass them to VFIO (QEMU: "we need to set caching-mode=on for
/// intel-iommu to enable device assignment").
fn viommu(spec: &GuestSpec, facts: &HostFacts) -> Option<Arg> {
    spec.has_iommu().then(|| {
        Arg::new("-device", "intel-iommu")
            .with("intremap", "on")
            .with("caching-mode", "on")
            .with_some("aw-bits", facts.iommu_bits.map(viommu_bits))
    })
}

/// The address width of the virtual IOMMU, 39 or 48 bits in legacy mode; it
/// may not be wider than the host's (`vtd_check_hiod()` in QEMU).
fn viommu_bits(host: u8) -> u8 {
    if host >= 48 { 48 } else { 39 }
}

fn devices(argv: &mut Argv, spec: &GuestSpec, topology: &Topology<'_>, window: Window) {
    let mut root = RootBus::new("pcie.0");
    argv.extend(topology.ports.iter().map(|port| root_port(topology, port, window)));
    argv.extend(topology.bridges.iter().map(|bridge| {
        let port = topology::port_id(bridge.port);
        Arg::new("-device", "pcie-pci-bridge").with("id", bridge.id()).with("bus", port)
    }));
    argv.extend(topology.functions.iter().map(|placed| io::vfio(placed, spec.container)));
    argv.extend(io::disks(spec, &mut root));
    argv.extend(io::network(spec, &mut root));
}

/// `io-reserve=0`: firmware makes an I/O window for what is there, and keeps
/// none free for what may come. There is I/O space for a dozen ports at most,
/// and Express devices do without.
fn root_port(topology: &Topology<'_>, port: &Port, window: Window) -> Arg {
    let some = |bytes: u64| (port.spare && bytes > 0).then_some(Size(bytes));
    Arg::new("-device", "pcie-root-port")
        .with("id", port.id())
        .with("bus", "pcie.0")
        .with("addr", format_args!("{:#x}.{:#x}", port.slot, port.function))
        .with_on("multifunction", topology.is_multifunction(port))
        .with("chassis", port.number)
        .with("slot", port.number)
        .with("io-reserve", 0)
        .with_some("mem-reserve", some(window.spare.low))
        .with_some("pref64-reserve", some(window.spare.wide))
}

/// Bits of address that everything in this guest can reach.
fn address_bits(spec: &GuestSpec, facts: &HostFacts) -> Option<u8> {
    let cpu = processor_bits(spec, facts);
    let host = facts.iommu_bits.filter(|bits| may_have_devices(spec, *bits));
    let guest = host.filter(|_| spec.has_iommu()).map(viommu_bits);
    [cpu, host, guest].into_iter().flatten().min()
}

/// Physical address bits of the guest's processor, unless it is narrowed.
fn processor_bits(spec: &GuestSpec, facts: &HostFacts) -> Option<u8> {
    if uses_kvm(spec, facts) { facts.cpu_bits } else { Some(TCG_BITS) }
}

/// Narrower than the processor: the firmware would place device memory, and
/// QEMU the guest's RAM, where the host's IOMMU cannot map it.
fn phys_bits_limit(spec: &GuestSpec, facts: &HostFacts) -> Option<u8> {
    let bits = address_bits(spec, facts)?;
    let narrower = processor_bits(spec, facts).is_none_or(|cpu| bits < cpu);
    let host = facts.iommu_bits.is_some_and(|host| may_have_devices(spec, host));
    ((!spec.devices.is_empty() || host) && narrower).then_some(bits)
}

/// Whether a device is there, or may come while it runs, that must reach all
/// of the guest. One that is too large for the host's IOMMU has none, and is
/// not refused for what it does not have.
fn may_have_devices(spec: &GuestSpec, bits: u8) -> bool {
    let bits = if spec.has_iommu() { viommu_bits(bits).min(bits) } else { bits };
    !spec.devices.is_empty() || spec.spare.count > 0 && window::leaves_room(spec.memory.bytes, bits)
}

/// Of memory alone, whatever the devices need.
fn too_much(spec: &GuestSpec, bits: u8) -> Option<Reason> {
    let ram = spec.memory.bytes;
    window::ram_is_beyond(ram, bits).then(|| {
        let text = format!(
            "a guest cannot have {} of memory: it reaches {bits} address bits, {} in all",
            Size(ram),
            Size(1 << bits.min(63))
        );
        Reason::machine(Code::Unsupported, text, "give it less memory")
    })
}

fn too_large(spec: &GuestSpec, error: TooLarge) -> Reason {
    let functions = spec.devices.iter().flat_map(|device| &device.functions);
    let largest = functions.min_by_key(|function| {
        // The first of the largest.
        Reverse(function.bars.iter().map(|bar| bar.size).max())
    });
    let (code, text, hint) = match error {
        TooLarge::Wide { size, end, bits } => (
            Code::BarBeyondIommu,
            format!(
                "the guest's device memory needs a window of {}, which ends at {end:#x}: beyond the {bits} address bits that it can use",
                Size(size)
            ),
            "pass fewer devices to one guest, make their registers smaller (Resizable BAR in the firmware), or use KVM if this is emulated",
        ),
        TooLarge::Low { size, most } => (
            Code::Unsupported,
            format!(
                "the devices need {} MiB of memory below 4 GiB (registers that are not 64-bit prefetchable), a guest has {} MiB",
                size >> 20,
                most >> 20
            ),
            "pass fewer devices to one guest",
        ),
    };
    match largest {
        Some(function) => Reason::at(code, function.bdf, text, hint),
        None => Reason::machine(code, text, hint),
    }
}

fn ovmf_limit(spec: &GuestSpec, window: Window) -> Option<Reason> {
    let over = window.size > window::OVMF_MOST && spec.firmware != Firmware::Default;
    over.then(|| {
        let text = format!(
            "the guest's device memory needs a window of {}, OVMF makes {} at most",
            Size(window.size),
            Size(window::OVMF_MOST)
        );
        Reason::machine(Code::Unsupported, text, "pass fewer devices to one guest")
    })
}

/// Spare ports that keep less free than was asked for.
fn less_room(spec: &GuestSpec, window: Window) -> Option<Reason> {
    let wish = spec.spare.reserve;
    if spec.spare.count == 0 || (window.spare.wide >= wish.wide && window.spare.low >= wish.low) {
        return None;
    }
    let text = format!(
        "spare ports keep {} of 64-bit and {} of 32-bit memory free, less than was asked for: the guest's address space has no more",
        Size(window.spare.wide),
        Size(window.spare.low)
    );
    let hint = "devices with larger registers cannot be plugged in while it runs; ask for fewer spare ports";
    Some(Reason::machine(Code::LargeBar, text, hint))
}

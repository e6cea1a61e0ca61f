//! Rules about one function by itself.
//!
//! One rule, one function; each pushes what it finds and nothing else.

use crate::fact::{Fact, Why};
use crate::function::{Bar, BarKind, Function};
use crate::parse::config::{Msix, PcieKind};
use crate::quirks;
use crate::reason::{Code, Reason};
use crate::snapshot::Snapshot;

type Rule = fn(&Snapshot, &Function, &mut Vec<Reason>);

pub(super) const RULES: &[Rule] = &[
    iommu,
    unreadable,
    chipset,
    wedged,
    behind_vmd,
    takes_behind,
    reserved_region,
    active_vfs,
    conventional_pci,
    msix_page,
    guest_remapping,
    bar_sizes,
    quirk_table,
    integrated_graphics,
    unknown,
];

/// What QEMU's q35 and OVMF give a guest above 4 GiB unless they are told.
const DEFAULT_GUEST_WINDOW: u64 = 32 << 30;
const PAGE: u64 = 4096;

fn iommu(snapshot: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let bdf = function.bdf;
    match snapshot.machine.iommu.known() {
        Some(iommu) if !iommu.on => {
            let firmware = iommu.firmware.known().and_then(Option::as_deref);
            let (text, hint) = match firmware {
                Some(table) => (
                    format!("the firmware offers an IOMMU ({table} table), the kernel has it off"),
                    "boot with intel_iommu=on or amd_iommu=on",
                ),
                None => (
                    "the kernel made no IOMMU groups".to_owned(),
                    "switch VT-d, AMD-Vi or SMMU on in the firmware setup",
                ),
            };
            out.push(Reason::at(Code::NoIommu, bdf, text, hint));
        }
        _ if function.group.is(&None) => {
            let text = "it is in no IOMMU group";
            let hint = "the kernel log of the boot says why (dmesg | grep -i iommu)";
            out.push(Reason::at(Code::NoGroup, bdf, text, hint));
        }
        _ => {}
    }
}

/// Nothing must be planned on a guess: who drives the function has to be
/// known, and what moves with it.
fn unreadable(_: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    // A listing does not look at driver_override; a kernel before 3.16 has
    // none, and the write will say so.
    let looked = |why: &&Why| !matches!(why, Why::NotObserved | Why::NotProvided);
    let preset = function.driver_override.why().filter(looked);
    if let Some(why) = function.driver.why().or(function.group.why()).or(preset) {
        let text = format!("its driver, driver_override or group could not be read: {why}");
        let hint = "look again with `passthru show`";
        out.push(Reason::at(Code::Unreadable, function.bdf, text, hint));
    }
}

fn chipset(_: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    if function.class.known().is_some_and(|class| class.is_isa_bridge()) {
        let text = "the chipset's ISA bridge carries the host's firmware, clock and serial ports";
        let hint = "it stays, and with a driver keeps its IOMMU group with it";
        out.push(Reason::at(Code::Chipset, function.bdf, text, hint));
    }
}

fn wedged(_: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    if function.config.why() == Some(&Why::AllOnes) {
        let text = "its configuration space reads as ones: the device fell off the bus";
        let hint = "power the host off and on; a warm restart is often not enough";
        out.push(Reason::at(Code::Wedged, function.bdf, text, hint));
    }
}

fn behind_vmd(snapshot: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let Some(vmd) = snapshot.vmd_above(function) else { return };
    let text = format!("it is behind the VMD controller {} and shares its requester id", vmd.bdf);
    let hint =
        format!("pass {} with everything behind it, or switch VMD off in the firmware", vmd.bdf);
    out.push(Reason::at(Code::BehindVmd, function.bdf, text, hint));
}

fn takes_behind(snapshot: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let behind = snapshot.lost_with(function).filter(|lost| lost.bdf != function.bdf);
    let behind: Vec<String> =
        behind.filter(|lost| !lost.stays()).map(|lost| lost.bdf.to_string()).collect();
    if !behind.is_empty() {
        let text = format!("what is behind it goes from the host with it: {}", behind.join(" "));
        out.push(Reason::at(Code::TakesBehind, function.bdf, text, ""));
    }
}

fn reserved_region(snapshot: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let Some(group) = snapshot.group_of(function.bdf) else { return };
    let regions = match &group.reserved {
        Fact::Known(regions) => regions,
        Fact::Unknown(Why::NotObserved) => return,
        Fact::Unknown(why) => {
            let text = format!("not known: whether the firmware keeps memory for it ({why})");
            let hint = "if it does, a guest with it cannot start: vfio says why in the kernel log";
            return out.push(Reason::at(Code::Unknown, function.bdf, text, hint));
        }
    };
    // "direct-relaxable" is for USB and graphics at boot; VFIO may lift it.
    for region in regions.iter().filter(|region| region.kind == "direct") {
        let text = format!(
            "the firmware keeps memory {:#x}-{:#x} mapped for group {} (RMRR)",
            region.start, region.end, group.id
        );
        let hint = "a firmware setting of the vendor may free it (on HPE servers: \"shared memory features\")";
        out.push(Reason::at(Code::ReservedRegion, function.bdf, text, hint));
    }
}

fn active_vfs(_: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let Some(sriov) = &function.sriov else { return };
    let active = sriov.active.known().copied().unwrap_or(sriov.functions.len() as u32);
    if active > 0 {
        let text = format!("{active} of its virtual functions are active");
        let hint = "pass the virtual functions instead, or write 0 to sriov_numvfs";
        out.push(Reason::at(Code::ActiveVfs, function.bdf, text, hint));
    } else if let Some(total @ 1..) = sriov.total.known() {
        let text = format!("it can serve several guests by {total} virtual functions");
        out.push(Reason::at(Code::HasVirtualFunctions, function.bdf, text, ""));
    }
}

fn conventional_pci(snapshot: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let Some(bridge) = function.upstream.first().and_then(|bdf| snapshot.get(*bdf)) else { return };
    let Fact::Known(capabilities) = bridge.capabilities() else { return };
    let kind = capabilities.pcie.map(|pcie| pcie.kind);
    if matches!(kind, None | Some(PcieKind::PcieToPciBridge)) && !quirks::is_vmd(bridge) {
        let text =
            format!("it is conventional PCI behind {}: all devices there go together", bridge.bdf);
        out.push(Reason::at(Code::ConventionalPci, function.bdf, text, ""));
    }
}

fn msix_page(_: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let Fact::Known(capabilities) = function.capabilities() else { return };
    let Some(msix) = capabilities.msix else { return };
    let told = quirks::of(function).any(|quirk| quirk.code == Code::MsixSharedPage);
    if shares_page(&msix) && !told {
        let text = format!(
            "its MSI-X table (BAR {} at {:#x}) shares a page with other registers",
            msix.table.bar, msix.table.offset
        );
        let hint = "works on KVM and Xen; ESXi refuses it by design";
        out.push(Reason::at(Code::MsixSharedPage, function.bdf, text, hint));
    }
}

/// Whether something else begins in the table's first page before it. The
/// table and the pending bits may share one (PCI Express Base
/// Specification 6.0, 7.7.2: other registers may not).
fn shares_page(msix: &Msix) -> bool {
    let table = u64::from(msix.table.offset);
    let page = table - table % PAGE;
    let mut first = table;
    let pba = u64::from(msix.pba.offset);
    if msix.pba.bar == msix.table.bar && (page..table).contains(&pba) {
        first = pba;
    }
    first != page
}

fn guest_remapping(_: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let Fact::Known(capabilities) = function.capabilities() else { return };
    let told = quirks::of(function).any(|quirk| quirk.code == Code::NeedsGuestRemapping);
    let Some(msi) = capabilities.msi else { return };
    if msi.vectors >= 32 && capabilities.msix.is_none() && !told {
        let text = format!(
            "it asks for {} MSI vectors, which needs interrupt remapping in the guest",
            msi.vectors
        );
        let hint = "on QEMU the guest gets an emulated IOMMU with interrupt remapping";
        out.push(Reason::at(Code::NeedsGuestRemapping, function.bdf, text, hint));
    }
}

fn bar_sizes(snapshot: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let Some(bars) = function.bars.known() else { return };
    let memory = |bar: &&Bar| matches!(bar.kind, BarKind::Memory { .. });
    let Some(largest) = bars.iter().filter(memory).max_by_key(|bar| bar.size) else { return };
    let width = snapshot.machine.iommu.known().and_then(|iommu| iommu.address_width.known());
    // Half of the address space at most: the guest's memory needs the rest.
    if let Some(width) = width
        && largest.size > 1u64.checked_shl(u32::from(*width) - 1).unwrap_or(u64::MAX)
    {
        let text = format!(
            "BAR {} of {} does not fit the {width} address bits of the host's IOMMU",
            largest.index,
            gib(largest.size)
        );
        let hint = "a smaller size may be chosen by Resizable BAR";
        out.push(Reason::at(Code::BarBeyondIommu, function.bdf, text, hint));
    } else if largest.size >= DEFAULT_GUEST_WINDOW {
        let text = format!(
            "BAR {} of {} needs a large 64-bit window in the guest",
            largest.index,
            gib(largest.size)
        );
        let hint = "passthru sizes the window itself; other tools need it set";
        out.push(Reason::at(Code::LargeBar, function.bdf, text, hint));
    }
}

fn gib(bytes: u64) -> String {
    format!("{} GiB", bytes >> 30)
}

fn quirk_table(_: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    // A reset method of its own is the remedy for a bad bus reset.
    let cured = function
        .reset_methods
        .known()
        .is_some_and(|methods| methods.contains(&crate::function::ResetMethod::DeviceSpecific));
    for quirk in quirks::of(function) {
        if quirk.source.ends_with("vendor-reset") && cured {
            continue;
        }
        out.push(Reason::at(quirk.code, function.bdf, quirk.text, quirk.hint));
    }
}

/// Intel's graphics on the root bus has parts of it in the chipset and in the
/// firmware's memory, which a guest finds only where the hypervisor shows them
/// (QEMU's docs/igd-assign.txt).
fn integrated_graphics(_: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let intel = function.vendor.known().is_some_and(|vendor| vendor.0 == 0x8086);
    let display = function.class.known().is_some_and(|class| class.is_display());
    if intel && display && function.upstream.is_empty() && function.physfn.is_none() {
        let text = "an integrated GPU: its display outputs need tables of the firmware (OpRegion, VBT) and its own place, 00:02.0, in the guest";
        let hint = "computing and video work without; passthru gives a guest neither";
        out.push(Reason::at(Code::QuirkCondition, function.bdf, text, hint));
    }
}

/// One line for all the facts that a verdict would have used and has not.
fn unknown(_: &Snapshot, function: &Function, out: &mut Vec<Reason>) {
    let capabilities = match &function.config {
        Fact::Known(config) => config.capabilities.why(),
        Fact::Unknown(why) => Some(why),
    };
    let facts = [
        ("capabilities", capabilities),
        ("reset methods", function.reset_methods.why()),
        ("BARs", function.bars.why()),
    ];
    // A wedged device has its own rule; an older kernel without the file is
    // nothing that the reader could act on.
    let telling = |why: &&Why| !matches!(why, Why::AllOnes | Why::NotObserved | Why::NotProvided);
    let missing: Vec<(&str, &Why)> =
        facts.into_iter().filter_map(|(name, why)| Some((name, why.filter(telling)?))).collect();
    let Some((_, why)) = missing.first() else { return };
    let names: Vec<&str> = missing.iter().map(|(name, _)| *name).collect();
    let text = format!("not known: {} ({why})", names.join(", "));
    let hint = if **why == Why::Suspended { "`passthru show --wake` wakes it to look" } else { "" };
    out.push(Reason::at(Code::Unknown, function.bdf, text, hint));
}

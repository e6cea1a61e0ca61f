//! The rule about resets: what state does the next owner find the device in,
//! and who else would be hit.
//!
//! A bus reset takes everything below the bridge. VFIO does one ("hot reset")
//! when a single guest owns all of it, so a GPU and its audio function on one
//! bus are no reason. `reset_method` is no proof: the kernel fills it in when
//! it finds function 0, before the siblings exist (`pci_init_reset_methods()`
//! in `drivers/pci/pci.c`), and then says `bus` for a reset that it later refuses.

use super::Moving;
use crate::bdf::Bdf;
use crate::fact::{Fact, Why};
use crate::function::Function;
use crate::reason::{Code, Reason};

pub(super) fn rule(moving: &Moving<'_>, function: &Function, out: &mut Vec<Reason>) {
    // Without a group it cannot go at all, and what would go with it is not known.
    if function.group_id().is_none() {
        return;
    }
    let methods = match &function.reset_methods {
        Fact::Known(methods) => methods,
        Fact::Unknown(Why::NotProvided) => return out.extend(untold(moving, function)),
        Fact::Unknown(_) => return,
    };
    if methods.iter().any(|method| !method.is_bus_wide()) {
        return;
    }
    // Without a bridge above there is no bus to reset (root complex). With one,
    // VFIO resets several functions together although none has a method of
    // its own; a lone function without `bus` is one the kernel knows to break.
    let together = functions_on_bus(moving, function) > 1;
    let hot = !function.upstream.is_empty() && (!methods.is_empty() || together);
    let others = if hot { hit_by_bus_reset(moving, function) } else { Vec::new() };
    if !others.is_empty() {
        let names: Vec<String> = others.iter().map(ToString::to_string).collect();
        let text = format!("its only reset is of the whole bus and would hit {}", names.join(" "));
        let hint = "pass these to the same guest, or let it go without a reset by name";
        out.push(Reason::at(Code::ResetHitsOthers, function.bdf, text, hint));
    } else if methods.is_empty() && !hot {
        let text =
            "the kernel knows no way to reset it: the next owner finds it as the last left it";
        let hint = "restart the host between owners that do not trust each other";
        out.push(Reason::at(Code::NoReset, function.bdf, text, hint));
    }
}

/// What a kernel before 5.15, which names no methods, may have to do: without
/// a reset of its own in the function's registers, it may be the bus.
fn untold(moving: &Moving<'_>, function: &Function) -> Option<Reason> {
    let capabilities = function.capabilities();
    let own =
        capabilities.known().map(|caps| caps.af_flr || caps.pcie.is_some_and(|pcie| pcie.flr));
    if own == Some(true) {
        return None;
    }
    let others = hit_by_bus_reset(moving, function);
    if others.is_empty() {
        return None;
    }
    let names: Vec<String> = others.iter().map(ToString::to_string).collect();
    let text = format!(
        "not known: how the kernel resets it; if it is by the whole bus, that would hit {}",
        names.join(" ")
    );
    let hint = "pass these to the same guest to be safe";
    Some(Reason::at(Code::Unknown, function.bdf, text, hint))
}

/// How many functions share its bus, bridges left out.
fn functions_on_bus(moving: &Moving<'_>, function: &Function) -> usize {
    moving.snapshot.on_bus(function.bdf).filter(|peer| !peer.stays()).count()
}

/// Functions below the bridge above that are not part of the set. Bridges
/// come back by themselves: the kernel restores their configuration.
fn hit_by_bus_reset(moving: &Moving<'_>, function: &Function) -> Vec<Bdf> {
    let Some(bridge) = function.upstream.first() else { return Vec::new() };
    let snapshot = moving.snapshot;
    let deep = snapshot.on_bus(function.bdf).any(Function::is_bridge);
    let outside = |other: &&Function| !other.stays() && !moving.set.contains(&other.bdf);
    match deep {
        true => snapshot.below(*bridge).filter(outside).map(|other| other.bdf).collect(),
        false => snapshot.on_bus(function.bdf).filter(outside).map(|other| other.bdf).collect(),
    }
}

//! The places of a running guest: those where it can be given a device, and
//! those that its devices are in.
//!
//! In: a connection, a device. Out: the port for it, or why there is none;
//! what shares a slot. All of it is asked of QEMU itself, not remembered: a
//! port is free when no device names its bus as parent.

use std::collections::BTreeMap;

use model::Bdf;
use model::reason::{Code, Reason};
use serde_json::Value;

use super::client::{Qmp, QmpError};
use super::monitor::peripheral_path;
use crate::Slots;
use crate::device::{HostDevice, Reserve, id_of};

/// A window that firmware gives a port without being asked (2 MiB of 32-bit
/// memory: `PciHotPlugInitDxe` in OVMF, `src/fw/pciinit.c` in SeaBIOS).
const UNASKED: Reserve = Reserve { wide: 0, low: 2 << 20 };
/// A size property that was not set.
const UNSET: u64 = u64::MAX;

/// An empty place for a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FreePort {
    /// The port's name.
    pub id: String,
    /// The bus behind it.
    pub bus: String,
    /// What the firmware was told to keep free behind it.
    pub reserve: Reserve,
}

/// Ports without a device, the smallest first.
pub fn free_ports(qmp: &mut Qmp) -> Result<Vec<FreePort>, QmpError> {
    let peripherals = qmp.peripherals()?;
    let mut taken = Vec::new();
    for device in &peripherals {
        let bus = property(qmp, &device.id, "parent_bus")?;
        taken.extend(bus.and_then(|path| path.as_str().map(str::to_owned)));
    }
    let mut free = Vec::new();
    for device in &peripherals {
        let Some(bus) = bus_behind(&device.id, &device.kind) else { continue };
        let path = format!("{}/{bus}", peripheral_path(&device.id));
        if !taken.contains(&path) {
            let reserve = reserve_of(qmp, &device.id, &device.kind)?;
            free.push(FreePort { id: device.id.clone(), bus, reserve });
        }
    }
    free.sort_by_key(|port| (port.reserve, number(&port.id)));
    Ok(free)
}

/// How many root ports a command line leaves empty; `None` where it has no
/// root ports, as on machines where devices come to a bus.
pub fn spare(args: &[String]) -> Option<usize> {
    let ports = || devices(args).filter(|words| words[0] == "pcie-root-port");
    let named = |words: &[&str], key: &str| -> Option<String> {
        words.iter().find_map(|word| Some(word.strip_prefix(key)?.to_owned()))
    };
    ports().next()?;
    let taken: Vec<String> = devices(args).filter_map(|words| named(&words, "bus=")).collect();
    let ids = ports().filter_map(|words| named(&words, "id="));
    Some(ids.filter(|id| !taken.contains(id)).count())
}

/// Whether a command line has a function of the host.
pub fn has_function(args: &[String], bdf: Bdf) -> bool {
    let id = format!("id={}", id_of(bdf));
    devices(args).any(|words| words.contains(&&id[..]))
}

/// What stands behind each `-device`, at its commas.
fn devices(args: &[String]) -> impl Iterator<Item = Vec<&str>> {
    let behind = args.windows(2).filter(|pair| pair[0] == "-device");
    behind.map(|pair| pair[1].split(',').collect())
}

/// These devices by the slots that they are in, each in order of function
/// number. `query-pci` would be one question, but it sees nothing behind a
/// bridge that the firmware has not numbered yet.
pub fn by_slot(qmp: &mut Qmp, ids: &[String]) -> Result<Slots, QmpError> {
    let mut slots: BTreeMap<(String, u64), BTreeMap<u64, String>> = BTreeMap::new();
    for id in ids {
        let Some(bus) = property(qmp, id, "parent_bus")? else { continue };
        let Some(addr) = property(qmp, id, "addr")? else { continue };
        // A number: the slot, and the function in its low three bits.
        let (Some(path), Some(addr)) = (bus.as_str(), addr.as_u64()) else {
            return Err(QmpError::Malformed(format!("{id} is at {addr} of {bus}")));
        };
        let slot = slots.entry((path.to_owned(), addr >> 3)).or_default();
        slot.insert(addr & 7, id.clone());
    }
    Ok(slots.into_values().map(|slot| slot.into_values().collect()).collect())
}

/// A property of a device; `None` when it left between the list and the look,
/// or has no such property.
fn property(qmp: &mut Qmp, id: &str, name: &str) -> Result<Option<Value>, QmpError> {
    match qmp.qom_get(&peripheral_path(id), name) {
        Ok(value) => Ok(Some(value)),
        Err(QmpError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The bus behind a port, by QEMU's naming; `None` for what is no port.
fn bus_behind(id: &str, kind: &str) -> Option<String> {
    match kind {
        "pcie-root-port" => Some(id.to_owned()),
        "spapr-pci-host-bridge" => Some(format!("{id}.0")),
        _ => None,
    }
}

fn reserve_of(qmp: &mut Qmp, id: &str, kind: &str) -> Result<Reserve, QmpError> {
    // A host bridge of POWER has windows of its own for every size there is.
    if kind == "spapr-pci-host-bridge" {
        return Ok(Reserve { wide: 1 << 40, low: 1 << 30 });
    }
    let mut size = |property, unasked| {
        let value = qmp.qom_get(&peripheral_path(id), property)?;
        Ok(value.as_u64().filter(|size| *size != UNSET).unwrap_or(unasked))
    };
    Ok(Reserve {
        wide: size("pref64-reserve", UNASKED.wide)?,
        low: size("mem-reserve", UNASKED.low)?,
    })
}

/// The number in `rp12`, so that they are taken in order.
fn number(id: &str) -> u32 {
    id.trim_start_matches(|c: char| !c.is_ascii_digit()).parse().unwrap_or(0)
}

/// The smallest port with room. Without one, the guest's kernel would leave
/// the device without addresses: better to say so beforehand.
pub(super) fn choose<'a>(
    free: &'a [FreePort],
    device: &HostDevice,
) -> Result<&'a FreePort, Reason> {
    let needs = device.needs();
    let at = |text: String, hint: &str| match device.functions.first() {
        Some(function) => Reason::at(Code::Unsupported, function.bdf, text, hint),
        None => Reason::machine(Code::Unsupported, text, hint),
    };
    if free.is_empty() {
        let hint = "detach another device, or start the guest with more spare ports";
        return Err(at("the guest has no free port".to_owned(), hint));
    }
    let fits = |port: &&FreePort| {
        // Small 64-bit registers find a place in the 32-bit window as well.
        let small = needs.wide.saturating_add(needs.low) <= port.reserve.low;
        small || (needs.wide <= port.reserve.wide && needs.low <= port.reserve.low)
    };
    let most = free.iter().map(|port| port.reserve).max().unwrap_or_default();
    free.iter().find(fits).ok_or_else(|| {
        let text = format!(
            "it needs {} MiB of 64-bit and {} MiB of 32-bit memory; the guest's free ports have at most {} and {} MiB",
            needs.wide >> 20,
            needs.low >> 20,
            most.wide >> 20,
            most.low >> 20
        );
        at(text, "start the guest with spare ports that are large enough, or with the device")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_that_a_command_line_leaves_empty() {
        let line = "-machine q35 -device pcie-root-port,id=rp1,bus=pcie.0 \
                    -device vfio-pci,id=pci-0000-03-00.0,bus=rp1 -device pcie-root-port,id=rp2,bus=pcie.0";
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        assert_eq!(spare(&args), Some(1));
        let has = |address: &str| has_function(&args, address.parse().unwrap());
        assert!(has("0000:03:00.0") && !has("0000:03:00.1"));
        assert_eq!(spare(&args[..2]), None);
    }
}

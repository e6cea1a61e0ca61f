//! What a running guest's IOMMU, or the lack of one, speaks against. Neither
//! can be changed while it runs.
//!
//! In: devices that are to come, functions that the guest holds, a
//! connection. Out: a refusal, if there is one. Never: a change.
//!
//! A group of the host has one address space, and QEMU refuses to have its
//! functions in several ("group … used in multiple address spaces"), but only
//! when the second one comes, bound already. How many there are depends on the
//! guest:
//!
//! | guest | address spaces |
//! |---|---|
//! | without a virtual IOMMU | one |
//! | with one | one for each function below a port |
//! | pseries | one for each host bridge, and a device comes behind an empty one |
//!
//! What a guest starts with is put behind one bridge if it shares a group;
//! nothing that comes later is.

use model::reason::{Code, Reason};

use super::client::{Qmp, QmpError};
use crate::ControlError;
use crate::device::{HostDevice, HostFunction};

/// What translates the addresses that devices use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Iommu {
    None,
    Virtual,
    /// Of POWER, which remaps interrupts by its nature.
    Pseries,
}

/// A function that comes to another one of its group.
#[derive(Debug)]
struct Shared<'a> {
    comes: &'a HostFunction,
    to: &'a HostFunction,
    how: How,
}

/// Where the other one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// In the same slot of the guest.
    Slot,
    /// In another slot, and comes as well.
    Beside,
    /// The guest holds it.
    Held,
}

/// Refuses what the guest has no right address space, or no interrupt
/// remapping, for. The guest is asked only if that matters.
pub(super) fn refuse(
    qmp: &mut Qmp,
    devices: &[HostDevice],
    held: &[HostFunction],
) -> Result<(), ControlError> {
    let shared = shared(devices, held);
    let mut functions = devices.iter().flat_map(|device| &device.functions);
    let remapped = functions.find(|function| function.needs_remapping);
    if shared.is_empty() && remapped.is_none() {
        return Ok(());
    }
    let iommu = iommu(qmp)?;
    let apart = shared.iter().find_map(|shared| shared.reason(iommu));
    let remapped = remapped.filter(|_| iommu == Iommu::None).map(unremapped);
    match apart.or(remapped) {
        Some(reason) => Err(ControlError::Refused(reason)),
        None => Ok(()),
    }
}

/// Every function that comes to one of its group, with the first such one.
fn shared<'a>(devices: &'a [HostDevice], held: &'a [HostFunction]) -> Vec<Shared<'a>> {
    let mut there: Vec<(&HostFunction, How)> = held.iter().map(|one| (one, How::Held)).collect();
    let mut shared = Vec::new();
    for device in devices {
        let before = there.len();
        for comes in &device.functions {
            let one = there.iter().find(|(one, _)| one.group.is_some() && one.group == comes.group);
            shared.extend(one.map(|&(to, how)| Shared { comes, to, how }));
            there.push((comes, How::Slot));
        }
        there[before..].iter_mut().for_each(|(_, how)| *how = How::Beside);
    }
    shared
}

impl Shared<'_> {
    /// What speaks against it under such an IOMMU.
    fn reason(&self, iommu: Iommu) -> Option<Reason> {
        let (why, hint) = match (iommu, self.how) {
            (Iommu::None, _) | (Iommu::Pseries, How::Slot) => return None,
            (Iommu::Virtual, _) => (
                "this guest has a virtual IOMMU, which would give each an address space of its own",
                "start the guest with all of them: they are then put behind a bridge",
            ),
            (Iommu::Pseries, _) => (
                "this guest would have each behind another host bridge, with another address space",
                "start the guest with all of them: they are then put behind one host bridge",
            ),
        };
        let to = self.to.bdf;
        let (at, what) = match self.how {
            How::Slot => (to, "its functions share an IOMMU group".to_owned()),
            How::Beside => (self.comes.bdf, format!("it shares an IOMMU group with {to}")),
            How::Held => (self.comes.bdf, format!("the guest holds {to} of the same IOMMU group")),
        };
        Some(Reason::at(Code::Unsupported, at, format!("{what}, and {why}"), hint))
    }
}

fn unremapped(function: &HostFunction) -> Reason {
    let text = "it needs interrupt remapping in the guest, and this guest has no virtual IOMMU";
    let hint = "start the guest with the device, or with a virtual IOMMU (--viommu on)";
    Reason::at(Code::Unsupported, function.bdf, text, hint)
}

fn iommu(qmp: &mut Qmp) -> Result<Iommu, QmpError> {
    let mut devices = qmp.peripherals()?;
    devices.extend(qmp.nameless()?);
    let has = |kind: &str| devices.iter().any(|device| device.kind == kind);
    if has("intel-iommu") {
        return Ok(Iommu::Virtual);
    }
    Ok(if has("spapr-pci-host-bridge") { Iommu::Pseries } else { Iommu::None })
}

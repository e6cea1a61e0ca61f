//! `detach`: devices back from a running instance. Its three moves are drawn
//! in [`crate::attach`].
//!
//! In: devices and an instance. Out: devices that are the host's again, as
//! far as the guest let go of them in time. What shares a slot of the guest
//! leaves with a device, and the guest is asked what does: functions of one
//! host slot may have come one by one.

use std::path::Path;
use std::time::Duration;

use hypervisors::{ControlError, Guest, HostDevice, Patience, Slots};
use model::plan::{Plan, Refusal};
use model::reason::{Code, Reason};
use model::{Bdf, Snapshot};

use crate::Engine;
use crate::attach::{ANSWER, HandOver, ROOM, functions, list};
use crate::bind::Report;
use crate::error::Error;
use crate::guest::host_functions;
use crate::name::Name;
use crate::release::Freed;
use crate::run::backend;
use crate::store::{AssignmentState, Store};
use crate::target::resolve_all;
use crate::watch::own_process;

impl Engine {
    /// Takes devices back from a running instance, waiting for its operating
    /// system to let go of each no longer than `wait`. Functions that share a
    /// slot of the guest leave it together, named or not.
    pub fn detach(
        &mut self,
        devices: &[String],
        name: &Name,
        wait: Duration,
    ) -> Result<Report, Error> {
        let instance = self.running(name)?;
        // What makes no sense is told at once.
        let named = resolve_all(devices, &self.observe(), &self.registered()?)?;
        require_held(&named, &self.holdings()?.of(name.as_str()), name)?;
        // Before the lock is taken: the guest may be busy with another device
        // for minutes. As long as the connection is there, nobody else gives
        // it anything.
        let patience = Patience::from(ANSWER).unless(&self.interrupt);
        let (guest, slots) = ask_slots(name, &instance.files.monitor(), &patience)?;
        let devices = self.note_detaching(devices, name, &slots)?;
        let (kept, asked) = self.remove_devices(name, guest, &devices, wait);
        let all = functions(&devices);
        let mut turn = self.patient_turn("detach")?;
        turn.store.set_assignments(&all, AssignmentState::Detaching, None)?;
        turn.store.set_assignments(&kept, AssignmentState::Held, None)?;
        let steps = turn.settle_hand_overs(name)?.unwrap_or_default();
        let held = turn.holdings()?.of(name.as_str());
        let gone: Vec<Bdf> = all.into_iter().filter(|bdf| !held.contains(bdf)).collect();
        if !gone.is_empty() {
            turn.store.event(name.as_str(), &format!("detached {}", list(&gone)))?;
        }
        if let Err(Error::Control { source, .. }) = &asked {
            turn.store.event(name.as_str(), &source.to_string())?;
        }
        asked.map(|()| Report { steps, ..Report::of(gone) })
    }

    /// What [`detach`](Self::detach) would do, if the guest lets go. Changes
    /// nothing and needs no lock.
    pub fn plan_detach(&mut self, devices: &[String], name: &Name) -> Result<HandOver, Error> {
        let instance = self.running(name)?;
        let mut snapshot = self.observe();
        let named = resolve_all(devices, &snapshot, &self.registered()?)?;
        let held = self.holdings()?.of(name.as_str());
        require_held(&named, &held, name)?;
        let (_, slots) = ask_slots(name, &instance.files.supervisor_monitor(), &ROOM.into())?;
        let functions = functions(&leaving(&snapshot, &held, &named, &slots));
        let mut plan = Plan::default();
        let Some(store) = Store::open_reading(&self.state)? else {
            return Ok(HandOver { plan, functions });
        };
        let freed = Freed::by(&store, name.as_str(), Some(&functions))?;
        for members in freed.bound {
            let one = self.plan_release_bound(&mut snapshot, members)?;
            plan.steps.extend(one.steps);
            plan.notes.extend(one.notes);
        }
        Ok(HandOver { plan, functions })
    }

    /// First move.
    fn note_detaching(
        &mut self,
        devices: &[String],
        name: &Name,
        slots: &[Vec<String>],
    ) -> Result<Vec<HostDevice>, Error> {
        let mut turn = self.turn("detach")?;
        turn.engine.running(name)?;
        let snapshot = turn.observe()?;
        let named = resolve_all(devices, &snapshot, &turn.store.devices()?)?;
        let held = turn.holdings()?.of(name.as_str());
        require_held(&named, &held, name)?;
        let devices = leaving(&snapshot, &held, &named, slots);
        let owner = Some(own_process()?);
        turn.store.set_assignments(&functions(&devices), AssignmentState::Detaching, owner)?;
        Ok(devices)
    }

    /// Second move. Each device is asked for, whatever became of the others,
    /// unless somebody lost patience. Says what the guest keeps: it refused,
    /// or was not asked. All else may be let go of later.
    fn remove_devices(
        &self,
        name: &Name,
        mut guest: Box<dyn Guest>,
        devices: &[HostDevice],
        wait: Duration,
    ) -> (Vec<Bdf>, Result<(), Error>) {
        let patience = Patience::from(wait).unless(&self.interrupt);
        let (mut kept, mut result) = (Vec::new(), Ok(()));
        for (at, device) in devices.iter().enumerate() {
            let Err(error) = guest.detach(device, &patience) else { continue };
            if matches!(error, ControlError::GuestRefused { .. }) {
                kept.push(device.clone());
            }
            let interrupted = error.is_interrupted();
            let error = failed(name, &devices[..=at], error);
            if interrupted {
                kept.extend_from_slice(&devices[at + 1..]);
                return (functions(&kept), Err(error));
            }
            result = result.and(Err(error));
        }
        (functions(&kept), result)
    }
}

/// A connection to a guest, and what it has in which slot.
fn ask_slots(
    name: &Name,
    monitor: &Path,
    patience: &Patience,
) -> Result<(Box<dyn Guest>, Slots), Error> {
    let guest = backend().connect(monitor, patience);
    guest
        .and_then(|mut guest| guest.slots().map(|slots| (guest, slots)))
        .map_err(|error| failed(name, &[], error))
}

/// What a guest does not hold, it cannot be asked for.
fn require_held(named: &[Bdf], held: &[Bdf], name: &Name) -> Result<(), Refusal> {
    let foreign = named.iter().filter(|bdf| !held.contains(bdf));
    let reasons: Vec<Reason> = foreign.map(|bdf| not_held(*bdf, name)).collect();
    if reasons.is_empty() { Ok(()) } else { Err(Refusal { reasons }) }
}

/// The slots of the guest that these functions are in, whole.
fn leaving(
    snapshot: &Snapshot,
    held: &[Bdf],
    named: &[Bdf],
    slots: &[Vec<String>],
) -> Vec<HostDevice> {
    let mut devices = HostDevice::by_guest_slot(host_functions(snapshot, held), slots);
    devices.retain(|device| device.functions.iter().any(|one| named.contains(&one.bdf)));
    devices
}

fn failed(name: &Name, asked: &[HostDevice], source: ControlError) -> Error {
    if !source.is_interrupted() {
        return Error::Control { name: name.clone(), source };
    }
    let hint = "`passthru instance show` says what it holds";
    let text = match asked {
        [] => format!("{name} was asked for nothing, and holds what it held"),
        _ => {
            let asked = list(&functions(asked));
            format!("{name} was asked to let go of {asked} and may do so still")
        }
    };
    Error::Interrupted { text, hint }
}

fn not_held(bdf: Bdf, name: &Name) -> Reason {
    let text = format!("{name} does not hold it");
    let hint = format!("`passthru instance show {name}` lists what it holds");
    Reason::at(Code::NotFound, bdf, text, hint)
}

//! `attach`: devices to a running instance.
//!
//! In: devices and an instance. Out: devices that the guest has; all of them
//! or none. Attaching and detaching ([`crate::detach`]) are three moves each,
//! the middle one without the lock, for a guest may take its time:
//!
//! ```text
//! attach:  bind, note `attaching` ── hypervisor adds it ── note `held`, or release
//! detach:  ask for its slot, note `detaching` ── guest lets go of it ── release, or note `held`
//! ```
//!
//! If this process dies in between, the next verb asks the hypervisor what
//! the guest has and settles the rest.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hypervisors::{ControlError, Guest, HostDevice, HostFunction, Patience};
use model::intent::Bind;
use model::plan::Plan;
use model::reason::Reason;
use model::{Bdf, Snapshot};

use crate::Engine;
use crate::assignment::Holdings;
use crate::bind::{BindRequest, Report, To, bind_intent};
use crate::error::Error;
use crate::guest::{Observed, against_memory, host_devices, host_functions};
use crate::instances::Instance;
use crate::name::Name;
use crate::recover::Recovered;
use crate::run::backend;
use crate::store::{AssignmentState, InstanceState};
use crate::turn::{Turn, with_groups};
use crate::watch::own_process;

/// How long the hypervisor may take to answer: the first device makes it pin
/// all of the guest's memory.
pub(crate) const ANSWER: Duration = Duration::from_secs(300);
/// How long it may take to say what it has, and has room for.
pub(crate) const ROOM: Duration = Duration::from_secs(2);
/// How long the guest has to let go of what was given in vain.
const TAKE_BACK: Duration = Duration::from_secs(10);

/// What `attach` or `detach` would do.
#[derive(Debug)]
pub struct HandOver {
    /// What is done to the devices: before an attachment, after a detachment.
    pub plan: Plan,
    /// The functions that the guest gets, or gives up: those that share a
    /// slot of it leave together.
    pub functions: Vec<Bdf>,
}

/// What a guest is to be given.
#[derive(Debug)]
struct Asked {
    devices: Vec<HostDevice>,
    /// Functions of groups that are bound already, because it has some of each.
    own: Vec<Bdf>,
    /// What is to be bound.
    rest: Bind,
    against: Vec<Reason>,
}

impl Engine {
    /// Gives devices to a running instance. All of them or none.
    pub fn attach(&mut self, request: &BindRequest, name: &Name) -> Result<Report, Error> {
        let (devices, mut report) = self.bind_for_attach(request, name)?;
        let given = self.add_devices(name, &devices);
        let functions = functions(&devices);
        let mut turn = self.patient_turn("attach")?;
        if let Err(error) = given {
            // Only what the guest really has not got is released: a driver
            // that is taken from a device in use waits for the guest.
            turn.store.set_assignments(&functions, AssignmentState::Attaching, None)?;
            turn.settle_hand_overs(name)?;
            return Err(error);
        }
        turn.store.set_assignments(&functions, AssignmentState::Held, None)?;
        turn.store.event(name.as_str(), &format!("attached {}", list(&functions)))?;
        report.functions = functions;
        Ok(report)
    }

    /// What [`attach`](Self::attach) would do. Changes nothing and needs no lock.
    pub fn plan_attach(&mut self, request: &BindRequest, name: &Name) -> Result<HandOver, Error> {
        let instance = self.running(name)?;
        let mut snapshot = self.observe();
        let intent = bind_intent(&snapshot, request, &self.registered()?)?;
        let holdings = self.holdings()?;
        let asked = self.asked(&snapshot, intent, &instance, &holdings);
        let to = To { owner: None, ..asked.to(name) };
        let plan = self.weigh(&mut snapshot, &asked.rest, &holdings, Some(&to))?;
        Ok(HandOver { plan, functions: functions(&asked.devices) })
    }

    /// First move.
    fn bind_for_attach(
        &mut self,
        request: &BindRequest,
        name: &Name,
    ) -> Result<(Vec<HostDevice>, Report), Error> {
        let mut turn = self.turn("attach")?;
        let instance = turn.engine.running(name)?;
        let snapshot = turn.observe()?;
        let intent = bind_intent(&snapshot, request, &turn.store.devices()?)?;
        let mut snapshot = turn.engine.awake(snapshot, &intent.devices)?;
        let asked = turn.engine.asked(&snapshot, intent, &instance, &turn.holdings()?);
        let to = To { owner: Some(own_process()?), ..asked.to(name) };
        let mut report = turn.bind_for_guest(&mut snapshot, &asked, &to)?;
        report.recovered = std::mem::take(&mut turn.recovered);
        Ok((asked.devices, report))
    }

    /// What an attachment takes, and what speaks against it beyond the devices.
    fn asked(
        &self,
        snapshot: &Snapshot,
        intent: Bind,
        instance: &Instance,
        holdings: &Holdings,
    ) -> Asked {
        let guest = instance.name.as_str();
        let has = |bdf: &Bdf| {
            let group = snapshot.get(*bdf).and_then(|function| function.group_id());
            group.is_some_and(|group| holdings.guests_of(group).contains(guest))
        };
        let devices = host_devices(snapshot, &intent.devices);
        let (own, rest): (Vec<Bdf>, Vec<Bdf>) = intent.devices.iter().partition(|bdf| has(bdf));
        let named = with_groups(snapshot, &own);
        let mut against = holdings.against_giving(guest, &named, &named);
        let at = Observed { root: &self.root, snapshot };
        against.extend(against_memory(at, instance, &devices));
        if against.is_empty() {
            let held = host_functions(snapshot, &holdings.of(guest));
            against.extend(self.against_room(instance, &devices, &held));
        }
        Asked { devices, own, rest: Bind { devices: rest, ..intent }, against }
    }

    /// What speaks against it in the guest's own topology. One that does not
    /// answer now may do so when the device is there.
    fn against_room(
        &self,
        instance: &Instance,
        devices: &[HostDevice],
        held: &[HostFunction],
    ) -> Option<Reason> {
        let guest = backend().connect(&instance.files.supervisor_monitor(), &ROOM.into());
        match guest.and_then(|mut guest| guest.may_attach(devices, held)) {
            Err(ControlError::Refused(reason)) => Some(reason),
            _ => None,
        }
    }

    /// Second move: all or none. What a signal finds the hypervisor at is
    /// waited for, and taken back then: nobody could tell whether it arrives.
    fn add_devices(&self, name: &Name, devices: &[HostDevice]) -> Result<(), Error> {
        let patience = Patience::from(ANSWER).unless(&self.interrupt);
        let monitor = self.files(name).monitor();
        let mut guest =
            backend().connect(&monitor, &patience).map_err(|error| failed(name, error))?;
        for count in 0..=devices.len() {
            let added = match devices.get(count) {
                _ if self.interrupt.load(Ordering::Relaxed) => Err(interrupted(name)),
                Some(device) => guest.attach(device).map_err(|error| failed(name, error)),
                None => Ok(()),
            };
            if added.is_err() {
                take_back(guest.as_mut(), &devices[..count]);
                return added;
            }
        }
        Ok(())
    }

    /// The instance, if it can be given or asked for anything.
    pub(crate) fn running(&self, name: &Name) -> Result<Instance, Error> {
        let instance = self.instance(name)?;
        match instance.state == InstanceState::Running && instance.process.is_some() {
            true => Ok(instance),
            false => Err(Error::InstanceState { name: name.clone(), state: instance.state }),
        }
    }
}

impl Asked {
    fn to<'a>(&self, name: &'a Name) -> To<'a> {
        To {
            guest: name.as_str(),
            state: AssignmentState::Attaching,
            owner: None,
            against: self.against.clone(),
        }
    }
}

impl Turn<'_> {
    /// Binds for a guest that runs. A group that the guest holds already is
    /// bound as a whole: then there is only the assignment to be made.
    fn bind_for_guest(
        &mut self,
        snapshot: &mut Snapshot,
        asked: &Asked,
        to: &To<'_>,
    ) -> Result<Report, Error> {
        let ready = self.may_bind(snapshot, &asked.rest, Some(to))?;
        self.store.assign(&self.assignments_for(&with_groups(snapshot, &asked.own), Some(to)))?;
        if asked.rest.devices.is_empty() {
            return Ok(Report::of(asked.own.clone()));
        }
        let bound = self.carry_out_bind(ready);
        if bound.is_err() {
            self.store.unassign(&asked.own)?;
        }
        bound
    }
}

/// Takes back what an attachment gave before it failed.
fn take_back(guest: &mut dyn Guest, devices: &[HostDevice]) {
    for device in devices.iter().rev() {
        // What the guest keeps is found when it is asked what it has.
        let _ = guest.detach(device, &TAKE_BACK.into());
    }
}

fn failed(name: &Name, error: ControlError) -> Error {
    match error {
        ControlError::Refused(reason) => Error::refused(reason),
        error if error.is_interrupted() => interrupted(name),
        source => Error::Control { name: name.clone(), source },
    }
}

fn interrupted(name: &Name) -> Error {
    let text = format!("{name} was given nothing, everything was taken back");
    Error::Interrupted { text, hint: "" }
}

pub(crate) fn functions(devices: &[HostDevice]) -> Vec<Bdf> {
    let functions = devices.iter().flat_map(|device| &device.functions);
    let set: BTreeSet<Bdf> = functions.map(|function| function.bdf).collect();
    set.into_iter().collect()
}

pub(crate) fn list(functions: &[Bdf]) -> String {
    functions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

impl Report {
    /// Functions that moved by no step of a plan.
    pub(crate) fn of(functions: Vec<Bdf>) -> Self {
        let (steps, notes, recovered) = (Vec::new(), Vec::new(), Recovered::default());
        Self { functions, steps, notes, recovered }
    }
}

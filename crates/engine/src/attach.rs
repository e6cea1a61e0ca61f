//! `attach` and `detach`: devices to and from a running instance.
//!
//! In: devices and an instance. Out: devices that the guest has, or has no
//! more. Both are three moves, the middle one without the lock, for a guest
//! may take its time:
//!
//! ```text
//! attach:  bind, note `attaching` ── hypervisor adds it ── note `held`, or release
//! detach:  note `detaching` ── guest lets go of it ── release, or note `held`
//! ```
//!
//! If this process dies in between, the next verb asks the hypervisor what
//! the guest has and settles the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use hypervisors::{ControlError, Guest, HostDevice};
use model::intent::Bind;
use model::plan::Refusal;
use model::reason::{Code, Reason};
use model::{Bdf, Snapshot};

use crate::Engine;
use crate::bind::{BindRequest, Report, To, bind_intent};
use crate::error::Error;
use crate::guest::host_devices;
use crate::name::Name;
use crate::recover::Recovered;
use crate::run::backend;
use crate::store::{AssignmentState, InstanceState};
use crate::target::resolve_all;
use crate::turn::{Turn, with_groups};
use crate::watch::{own_process, runs};

/// How long the hypervisor may take to answer: the first device makes it pin
/// all of the guest's memory.
const ANSWER: Duration = Duration::from_secs(300);
/// How long the guest has to let go of what was given in vain.
const TAKE_BACK: Duration = Duration::from_secs(10);

impl Engine {
    /// Gives devices to a running instance. All of them or none.
    pub fn attach(&mut self, request: &BindRequest, name: &Name) -> Result<Report, Error> {
        let (devices, mut report) = self.bind_for_attach(request, name)?;
        let given = self.add_devices(name, &devices);
        let functions = functions(&devices);
        let mut turn = self.turn("attach")?;
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

    /// Takes devices back from a running instance, waiting for its operating
    /// system to let go of each no longer than `wait`. Functions that share a
    /// slot of the guest leave it together, named or not.
    pub fn detach(
        &mut self,
        devices: &[String],
        name: &Name,
        wait: Duration,
    ) -> Result<Report, Error> {
        let devices = self.note_detaching(devices, name)?;
        let asked = self.remove_devices(name, &devices, wait);
        let all = functions(&devices);
        let mut turn = self.turn("detach")?;
        // What the guest has not let go of stays its own; if it lets go
        // later, the next turn finds it gone.
        let state = match &asked {
            Err(Error::Control { source: ControlError::GuestRefused { .. }, .. }) => {
                AssignmentState::Held
            }
            _ => AssignmentState::Detaching,
        };
        turn.store.set_assignments(&all, state, None)?;
        turn.settle_hand_overs(name)?;
        let held = turn.held_by(name)?;
        let gone: Vec<Bdf> = all.into_iter().filter(|bdf| !held.contains(bdf)).collect();
        if !gone.is_empty() {
            turn.store.event(name.as_str(), &format!("detached {}", list(&gone)))?;
        }
        asked.map(|()| Report::of(gone))
    }

    /// First move of an attachment.
    fn bind_for_attach(
        &mut self,
        request: &BindRequest,
        name: &Name,
    ) -> Result<(Vec<HostDevice>, Report), Error> {
        let mut turn = self.turn("attach")?;
        turn.require_running(name)?;
        let mut snapshot = turn.engine.observe();
        let intent = bind_intent(&snapshot, request, &turn.store.devices()?)?;
        let owner = Some(own_process()?);
        let to = To {
            guest: name.as_str(),
            state: AssignmentState::Attaching,
            owner,
            against: Vec::new(),
        };
        let mut report = turn.bind_for_guest(&mut snapshot, &intent, &to)?;
        report.recovered = std::mem::take(&mut turn.recovered);
        let devices = host_devices(&turn.engine.root, &snapshot, &intent.devices);
        Ok((devices, report))
    }

    /// Second move of an attachment: all or none.
    fn add_devices(&self, name: &Name, devices: &[HostDevice]) -> Result<(), Error> {
        let control = |source| Error::Control { name: name.clone(), source };
        let mut guest = backend().connect(&self.files(name).monitor(), ANSWER).map_err(control)?;
        for (count, device) in devices.iter().enumerate() {
            if let Err(error) = guest.attach(device) {
                take_back(guest.as_mut(), &devices[..count]);
                return Err(match error {
                    ControlError::Refused(reason) => Error::refused(reason),
                    source => control(source),
                });
            }
        }
        Ok(())
    }

    /// First move of a detachment.
    fn note_detaching(
        &mut self,
        devices: &[String],
        name: &Name,
    ) -> Result<Vec<HostDevice>, Error> {
        let mut turn = self.turn("detach")?;
        turn.require_running(name)?;
        let snapshot = turn.engine.observe();
        let named = resolve_all(devices, &snapshot, &turn.store.devices()?)?;
        let held = turn.held_by(name)?;
        let foreign: Vec<Reason> = named
            .iter()
            .filter(|bdf| !held.contains(bdf))
            .map(|bdf| not_held(*bdf, name))
            .collect();
        if !foreign.is_empty() {
            return Err(Refusal { reasons: foreign }.into());
        }
        let devices = slots_of(&turn, &snapshot, &held, &named);
        let owner = Some(own_process()?);
        turn.store.set_assignments(&functions(&devices), AssignmentState::Detaching, owner)?;
        Ok(devices)
    }

    /// Second move of a detachment. Each device is asked for, whatever
    /// became of the others.
    fn remove_devices(
        &self,
        name: &Name,
        devices: &[HostDevice],
        wait: Duration,
    ) -> Result<(), Error> {
        let control = |source| Error::Control { name: name.clone(), source };
        let mut guest = backend().connect(&self.files(name).monitor(), ANSWER).map_err(control)?;
        let mut result = Ok(());
        for device in devices {
            let detached = guest.detach(device, wait).map_err(control);
            result = result.and(detached);
        }
        result
    }
}

impl Turn<'_> {
    /// Binds for a guest that runs. A group that the guest holds already is
    /// bound as a whole: then there is only the assignment to be made.
    fn bind_for_guest(
        &mut self,
        snapshot: &mut Snapshot,
        intent: &Bind,
        to: &To<'_>,
    ) -> Result<Report, Error> {
        let holdings = self.holdings()?;
        let own = |bdf: &Bdf| {
            let group = snapshot.get(*bdf).and_then(|function| function.group_id());
            group.is_some_and(|group| holdings.guests_of(group).contains(to.guest))
        };
        let (bound, rest): (Vec<Bdf>, Vec<Bdf>) = intent.devices.iter().partition(|bdf| own(bdf));
        let named = with_groups(snapshot, &bound);
        let reasons = holdings.against_giving(to.guest, &named, &named);
        if !reasons.is_empty() {
            return Err(Refusal { reasons }.into());
        }
        let assignments = self.assignments_for(&named, Some(to));
        let ready = match rest.is_empty() {
            true => None,
            false => {
                let intent = Bind { devices: rest, ..intent.clone() };
                Some(self.may_bind(snapshot, &intent, Some(to))?)
            }
        };
        self.store.assign(&assignments)?;
        match ready.map(|ready| self.carry_out_bind(ready)) {
            None => Ok(Report::of(bound)),
            Some(Ok(report)) => Ok(report),
            Some(Err(error)) => {
                self.store.unassign(&bound)?;
                Err(error)
            }
        }
    }

    /// Refuses a guest that cannot be given anything.
    fn require_running(&self, name: &Name) -> Result<(), Error> {
        let row = self.store.instance(name)?.ok_or_else(|| Error::NoInstance(name.clone()))?;
        let alive = match row.process {
            Some(process) => runs(process)?,
            None => false,
        };
        match row.state == InstanceState::Running && alive {
            true => Ok(()),
            false => Err(Error::InstanceState { name: name.clone(), state: row.state }),
        }
    }

    fn held_by(&self, name: &Name) -> Result<Vec<Bdf>, Error> {
        let held = self.store.assignments()?.into_iter();
        Ok(held.filter(|held| held.guest == name.as_str()).map(|held| held.bdf).collect())
    }
}

/// The slots of the guest that these functions are in, whole.
fn slots_of(turn: &Turn<'_>, snapshot: &Snapshot, held: &[Bdf], named: &[Bdf]) -> Vec<HostDevice> {
    let mut slots = host_devices(&turn.engine.root, snapshot, held);
    slots.retain(|slot| slot.functions.iter().any(|function| named.contains(&function.bdf)));
    slots
}

/// Takes back what an attachment gave before it failed.
fn take_back(guest: &mut dyn Guest, devices: &[HostDevice]) {
    for device in devices.iter().rev() {
        // What the guest keeps is found when it is asked what it has.
        let _ = guest.detach(device, TAKE_BACK);
    }
}

fn not_held(bdf: Bdf, name: &Name) -> Reason {
    let text = format!("{name} does not hold it");
    Reason::at(
        Code::NotFound,
        bdf,
        text,
        format!("`passthru instance show {name}` lists what it holds"),
    )
}

fn functions(devices: &[HostDevice]) -> Vec<Bdf> {
    let functions = devices.iter().flat_map(|device| &device.functions);
    let set: BTreeSet<Bdf> = functions.map(|function| function.bdf).collect();
    set.into_iter().collect()
}

fn list(functions: &[Bdf]) -> String {
    functions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

impl Report {
    /// Functions that moved by no step of a plan.
    fn of(functions: Vec<Bdf>) -> Self {
        let (steps, notes, recovered) = (Vec::new(), Vec::new(), Recovered::default());
        Self { functions, steps, notes, recovered }
    }
}

//! What guests left behind, settled: part of every turn's beginning.
//!
//! In: instances that should be alive, and hand-overs that were on their way.
//! Out: ended guests without devices, living ones with a supervisor, and no
//! hand-over that nobody sees to. Whether a living guest has a device, its
//! hypervisor says.

use std::time::Duration;

use model::{Bdf, Step};

use crate::error::Error;
use crate::guest::host_devices;
use crate::name::Name;
use crate::run::backend;
use crate::store::{Assignment, AssignmentState, InstanceRow, InstanceState, Store};
use crate::turn::Turn;
use crate::watch::{own_process, runs};

/// How long a guest's hypervisor has to say what it has.
const ANSWER: Duration = Duration::from_secs(2);

/// What became of an instance that nobody saw to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettledInstance {
    pub name: Name,
    pub found: Found,
}

/// How an instance was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Ended: its devices were released.
    Ended,
    /// Running without a supervisor: it has one again.
    Orphaned,
}

impl Turn<'_> {
    /// Sees to every instance that nobody sees to.
    pub fn settle_instances(&mut self) -> Result<Vec<SettledInstance>, Error> {
        let own = own_process()?;
        let mut settled = Vec::new();
        for row in self.store.instances()? {
            if !row.state.is_live() || row.owner == Some(own) {
                continue;
            }
            let name = row.name.clone();
            if let Some(found) = self.settle_instance(&row)? {
                settled.push(SettledInstance { name, found });
            }
        }
        Ok(settled)
    }

    fn settle_instance(&mut self, row: &InstanceRow) -> Result<Option<Found>, Error> {
        let this_boot = row.boot_id == self.boot_id;
        let owned = match row.owner {
            Some(owner) => this_boot && runs(owner)?,
            None => false,
        };
        let alive = match row.process {
            Some(process) => this_boot && runs(process)?,
            None if owned => true,
            // Whoever started it is gone, but the process that was to become
            // its hypervisor may live still: now it cannot, or it has.
            None => !self.store.revoke_start(&row.name)?,
        };
        if !alive {
            let (state, error) = match row.state {
                _ if !this_boot => (InstanceState::Stopped, Some("the host was restarted")),
                InstanceState::Running => (InstanceState::Stopped, None),
                _ => (InstanceState::Failed, Some("its start was cut off")),
            };
            self.end_guest(&row.name, state, None, error)?;
            return Ok(Some(Found::Ended));
        }
        if row.process.is_some() {
            self.settle_hand_overs(&row.name)?;
        }
        match (owned, row.owner) {
            (false, Some(owner)) => {
                // The guest does well without one for a while: no reason
                // for the verb at hand to fail.
                if let Err(error) = self.engine.starter(&row.name, owner).start() {
                    let text = format!("it could not be given a supervisor: {error}");
                    self.store.event(row.name.as_str(), &text)?;
                }
                Ok(Some(Found::Orphaned))
            }
            _ => Ok(None),
        }
    }

    /// Ends an instance whose guest has ended. What could not be released is
    /// in its error, and `release` tries again.
    pub fn end_guest(
        &mut self,
        name: &Name,
        state: InstanceState,
        exit_status: Option<i32>,
        error: Option<&str>,
    ) -> Result<(), Error> {
        let (state, error) = match self.release_held(name.as_str(), None) {
            Ok(_) => (state, error.map(str::to_owned)),
            Err(failed @ Error::Failed(_)) => {
                let text = format!("its devices were not all released: {failed}");
                (InstanceState::Failed, Some(text))
            }
            Err(other) => return Err(other),
        };
        self.store.event(name.as_str(), error.as_deref().unwrap_or("ended"))?;
        self.store.end_instance(name, state, exit_status, error.as_deref())
    }

    /// Settles what was on its way to or from a living guest when whoever
    /// saw to it died. Answers with the steps that gave devices back; `None`
    /// when the guest's hypervisor was not heard.
    pub fn settle_hand_overs(&mut self, name: &Name) -> Result<Option<Vec<Step>>, Error> {
        let abandoned = abandoned(&self.store, name)?;
        if abandoned.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let monitor = self.engine.files(name).supervisor_monitor();
        let answer = backend().connect(&monitor, &ANSWER.into()).and_then(|mut guest| guest.held());
        // Without an answer nothing is known: the next turn asks again.
        let Ok(has) = answer else { return Ok(None) };
        let there = self.present(&abandoned, &has);
        let (arrived, gone): (Vec<&Assignment>, Vec<&Assignment>) =
            abandoned.iter().partition(|held| there.contains(&held.bdf));
        // One that was asked to leave and has not may leave later.
        let arrived = arrived.into_iter().filter(|held| held.state == AssignmentState::Attaching);
        let arrived: Vec<Bdf> = arrived.map(|held| held.bdf).collect();
        self.store.set_assignments(&arrived, AssignmentState::Held, None)?;
        let gone: Vec<Bdf> = gone.into_iter().map(|held| held.bdf).collect();
        match gone.is_empty() {
            true => Ok(Some(Vec::new())),
            false => self.release_held(name.as_str(), Some(&gone)).map(Some),
        }
    }

    /// Those functions that a guest has.
    fn present(&self, functions: &[Assignment], has: &[String]) -> Vec<Bdf> {
        let snapshot = self.look();
        let functions: Vec<Bdf> = functions.iter().map(|held| held.bdf).collect();
        let devices = host_devices(&snapshot, &functions);
        let functions = devices.iter().flat_map(|device| &device.functions);
        let there = functions.filter(|function| has.contains(&function.id()));
        there.map(|function| function.bdf).collect()
    }
}

/// What is on its way to or from a guest and nobody sees to.
pub(crate) fn abandoned(store: &Store, name: &Name) -> Result<Vec<Assignment>, Error> {
    let mut abandoned = Vec::new();
    for held in store.assignments()? {
        let ours = held.guest == name.as_str() && held.state != AssignmentState::Held;
        let seen_to = match held.owner {
            Some(owner) => runs(owner)?,
            None => false,
        };
        if ours && !seen_to {
            abandoned.push(held);
        }
    }
    Ok(abandoned)
}

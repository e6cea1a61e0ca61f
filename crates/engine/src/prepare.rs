//! `prepare`: making the host ready.
//!
//! In: the devices that are meant, and the user's word. Out: what was done,
//! with every file that was changed in the journal. Other than a bind, it
//! outlives a reboot: it is in effect until it is undone, and if it was cut
//! off, whoever comes next undoes it. Never: a change that was not shown.

mod undo;

use std::collections::BTreeSet;

use model::check::{self, Subject};
use model::ours;
use model::plan::Refusal;
use model::plan::prepare::{
    Asked, GuestService, Hugepages, Preparation, UserGroup, against, once, prepare,
};
use model::reason::Code;
use model::setup::services::ServiceName;
use model::step::Made;
use model::{Bdf, Step};

pub use self::undo::{Changed, OnChanged, WayBack};
use crate::Engine;
use crate::error::Error;
use crate::recover::Recovered;
use crate::store::{StepState, Verb};
use crate::transaction::Work;
use crate::turn::Turn;

/// What to make the host ready for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PrepareRequest {
    /// Addresses, registered names, or `vendor:device`.
    pub devices: Vec<String>,
    pub lasting: Lasting,
    pub hugepages: Option<Hugepages>,
    /// The name of a group whose members may run guests with devices.
    pub group: Option<String>,
    /// Services that run guests with devices without being root.
    pub services: BTreeSet<ServiceName>,
    /// More boot arguments.
    pub arguments: Vec<String>,
    /// Refusals that the user named and lets go.
    pub overrides: BTreeSet<Code>,
    /// A folder with ROM files that libvirt's guests may read.
    pub roms: Option<String>,
}

/// How long a preparation lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lasting {
    #[default]
    ForGood,
    /// For one start of the kernel, by an entry of the boot menu of its own.
    Once,
}

impl Engine {
    /// What [`prepare`](Self::prepare) would do, for good or for one start.
    pub fn plan_prepare(&mut self, request: &PrepareRequest) -> Result<Preparation, Error> {
        let snapshot = self.observe_whole();
        let addresses = || request.devices.iter().all(|text| Bdf::parse_typed(text).is_ok());
        let registered = match self.registered() {
            // Names are for who may read them; an address needs none.
            Err(_) if addresses() => Vec::new(),
            registered => registered?,
        };
        let devices = crate::target::resolve_all(&request.devices, &snapshot, &registered)?;
        let mut setup = self.setup(&snapshot, &devices);
        for service in &request.services {
            host::setup::read_also(&self.root, &mut setup.boot, &ours::limit(service.as_str()));
        }
        let subject = Subject { snapshot: &snapshot, setup: &setup, devices: &devices };
        let reasons = against(&subject, &request.overrides);
        if !reasons.is_empty() {
            return Err(Refusal { reasons }.into());
        }
        let checked = check::check(&subject);
        let group = request.group.clone().map(|name| {
            let number = host::setup::user_group(&self.root, &name).into();
            UserGroup { name, number }
        });
        let services = request.services.iter().map(|name| {
            let there = host::setup::has_service(&self.root, name);
            GuestService { name: name.clone(), there }
        });
        let asked = Asked {
            services: services.collect(),
            hugepages: request.hugepages,
            group,
            arguments: request.arguments.clone(),
            roms: request.roms.clone(),
        };
        let mut preparation = match request.lasting {
            Lasting::ForGood => prepare(&subject, &checked, &asked)?,
            Lasting::Once => once(&subject, &checked, &asked)?,
        };
        self.stop_in_order(&mut preparation.steps);
        Ok(preparation)
    }

    /// Does what was planned. Each step sees to it that its file still is what
    /// it was when it was planned.
    pub fn prepare(&mut self, preparation: &Preparation) -> Result<Recovered, Error> {
        self.write_down(Verb::Prepare, preparation)
    }

    /// Changes files as planned: all of them or none.
    pub(crate) fn write_down(
        &mut self,
        verb: Verb,
        preparation: &Preparation,
    ) -> Result<Recovered, Error> {
        if preparation.steps.is_empty() {
            return Ok(Recovered::default());
        }
        let mut turn = self.turn(verb.as_str())?;
        let earlier = turn.made_earlier()?;
        let steps = preparation.steps.iter().map(|step| (on_top(step, &earlier), None)).collect();
        turn.carry_out(&Work {
            verb,
            guest: None,
            steps,
            bindings: &[],
            assignments: &[],
            interruptible: true,
        })?;
        Ok(std::mem::take(&mut turn.recovered))
    }
}

/// A step whose kept file has a name of its own, where earlier preparations
/// keep theirs.
fn on_top(step: &Step, earlier: &[String]) -> Step {
    let Step::Make(made) = step else { return step.clone() };
    let layer = earlier.iter().filter(|path| **path == made.path).count();
    Step::Make(Made { layer: layer as u32, ..made.clone() })
}

impl Turn<'_> {
    /// The files that preparations in effect made, each as often as it was.
    fn made_earlier(&self) -> Result<Vec<String>, Error> {
        let mut paths = Vec::new();
        for plan in self.store.preparations()? {
            let rows = self.store.steps(plan.id)?.into_iter();
            paths.extend(rows.filter(|row| row.state == StepState::Done).filter_map(|row| {
                match row.step {
                    Step::Make(made) => Some(made.path),
                    _ => None,
                }
            }));
        }
        Ok(paths)
    }
}

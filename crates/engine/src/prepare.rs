//! `prepare`: making the host ready, and taking that back.
//!
//! In: the devices that are meant, and the user's word. Out: what was done,
//! with every file that was changed in the journal. Other than a bind, it
//! outlives a reboot: it is in effect until it is undone, and if it was cut
//! off, whoever comes next undoes it. Never: a change that was not shown.

use std::collections::{BTreeMap, BTreeSet};

use host::apply::Outcome;
use host::paths::Root;
use model::boot::source::EditError;
use model::check::{self, Checked, Subject};
use model::file::Content;
use model::plan::Refusal;
use model::plan::prepare::{
    Asked, Group, Hugepages, Preparation, Unplanned, against, once, prepare,
};
use model::reason::Code;
use model::step::{Made, Undo};
use model::{Bdf, Step};

use crate::Engine;
use crate::error::{Error, Failure, StepError};
use crate::recover::Recovered;
use crate::store::{Mark, PlanRow, StepRow, StepState, Store, Verb};
use crate::transaction::{Work, back};
use crate::turn::{Turn, boot_id};

/// What to make the host ready for.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PrepareRequest {
    /// Addresses, registered names, or `vendor:device`.
    pub devices: Vec<String>,
    pub lasting: Lasting,
    pub hugepages: Option<Hugepages>,
    /// The name of a group whose members may run guests with devices.
    pub group: Option<String>,
    /// More boot arguments.
    pub arguments: Vec<String>,
    /// Refusals that the user named and lets go.
    pub overrides: BTreeSet<Code>,
    /// A folder with ROM files that libvirt's guests may read.
    pub roms: Option<String>,
}

/// What a preparation would do, and the checks that it comes from.
#[derive(Debug)]
pub struct Planned {
    pub checked: Vec<Checked>,
    pub preparation: Preparation,
}

/// How long a preparation lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Lasting {
    #[default]
    ForGood,
    /// For one start of the kernel, by an entry of the boot menu of its own.
    Once,
}

/// What taking everything back would do.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WayBack {
    /// In the order in which they would be done.
    pub steps: Vec<Step>,
    /// Files that somebody changed since.
    pub changed: Vec<Changed>,
}

/// A file that is not as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub path: String,
    /// What was there before the preparation.
    pub before: Option<Content>,
    pub found: Option<Content>,
}

/// What becomes of files that somebody changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChanged {
    /// They stay as they are, and are forgotten.
    Keep,
    /// They get back what they had before, and the changes are lost.
    PutBack,
}

impl WayBack {
    /// The same, when files that somebody changed stay as they are.
    #[must_use]
    pub fn keeping_changed(mut self) -> Self {
        let kept = |path: &String| self.changed.iter().any(|changed| changed.path == *path);
        self.steps.retain(|step| match step {
            Step::WriteFile { path, .. } | Step::SetGrubVariable { path, .. } => !kept(path),
            _ => true,
        });
        self
    }
}

impl Engine {
    /// What [`prepare`](Self::prepare) would do, for good or for one start.
    pub fn plan_prepare(&mut self, request: &PrepareRequest) -> Result<Planned, Error> {
        let snapshot = self.observe();
        let addresses = || request.devices.iter().all(|text| Bdf::parse_typed(text).is_ok());
        let registered = match self.registered() {
            // Names are for who may read them; an address needs none.
            Err(_) if addresses() => Vec::new(),
            registered => registered?,
        };
        let named = request.devices.iter().map(|text| crate::resolve(text, &snapshot, &registered));
        let devices = named.collect::<Result<Vec<_>, Error>>()?;
        let setup = self.setup(&snapshot, &devices);
        let subject = Subject { snapshot: &snapshot, setup: &setup, devices: &devices };
        let reasons = against(&subject, &request.overrides);
        if !reasons.is_empty() {
            return Err(Refusal { reasons }.into());
        }
        let checked = check::check(&subject);
        let group = request.group.clone().map(|name| {
            let number = host::setup::group(&self.root, &name).into();
            Group { name, number }
        });
        let asked = Asked {
            hugepages: request.hugepages,
            group,
            arguments: request.arguments.clone(),
            roms: request.roms.clone(),
        };
        let mut preparation = match request.lasting {
            Lasting::ForGood => prepare(&subject, &checked, &setup.boot, &asked)?,
            Lasting::Once => once(&subject, &checked, &setup.boot, &asked)?,
        };
        self.stop_in_order(&mut preparation.steps);
        Ok(Planned { checked, preparation })
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

    /// What [`undo_preparations`](Self::undo_preparations) would do.
    pub fn plan_undo(&self) -> Result<WayBack, Error> {
        let Some(store) = Store::open_reading(&self.state)? else { return Ok(WayBack::default()) };
        let mut way = WayBack::default();
        // Of a file that several preparations changed, only the last one's
        // word stands in it now.
        let mut files = BTreeMap::new();
        // What a kept file has in it is seen when it is in place.
        let mut restored = BTreeSet::new();
        let boot_id = boot_id(&self.root)?;
        for plan in store.preparations()? {
            let rows = store.steps(plan.id)?;
            for at in back(&rows) {
                let Some(step) = way_back(&rows[at]) else { continue };
                // A reboot took it back.
                if plan.boot_id != boot_id && step.void_after_reboot() {
                    continue;
                }
                match &step {
                    Step::Restore(made) => drop(restored.insert(made.path.clone())),
                    Step::WriteFile { path, .. } if restored.contains(path) => {}
                    _ => way.changed.extend(changed(&self.root, &mut files, &step)),
                }
                way.steps.push(step);
            }
        }
        Ok(way)
    }

    /// Takes every preparation back that is in effect, the latest first.
    pub fn undo_preparations(&mut self, changed: OnChanged) -> Result<Recovered, Error> {
        let mut turn = self.turn("prepare")?;
        turn.store.make_durable()?;
        for plan in turn.store.preparations()? {
            let mut rows = turn.store.steps(plan.id)?;
            turn.pass_over_changed(&plan, &mut rows, changed)?;
            turn.undo_preparation(&plan, rows)?;
        }
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

/// The way back from a step that was done.
fn way_back(row: &StepRow) -> Option<Step> {
    match row.step.undo() {
        Undo::Step(step) if row.state == StepState::Done => Some(step),
        _ => None,
    }
}

/// The file that a step back would put back, if it is not as it was left.
/// `files` has what earlier steps back will have put there.
fn changed(
    root: &Root,
    files: &mut BTreeMap<String, Option<Content>>,
    step: &Step,
) -> Option<Changed> {
    let text = |value: &Option<String>| value.as_deref().map(Content::from);
    let (path, key, from, to, look) = match step {
        Step::WriteFile { path, from, to } => {
            (path, path.clone(), from.clone(), to.clone(), host::setup::content(root, path))
        }
        Step::SetGrubVariable { path, name, from, to } => {
            let found = host::setup::grub_variable(root, path, name);
            (path, format!("{path}:{name}"), text(from), text(to), text(&found))
        }
        _ => return None,
    };
    let found = files.remove(&key).unwrap_or(look);
    let as_left = found == from || found == to;
    files.insert(key, to.clone());
    (!as_left).then(|| Changed { path: path.clone(), before: to, found })
}

/// The step back, from what somebody made of a file since.
fn from_found(step: &Step, found: Option<Content>) -> Step {
    match step.clone() {
        Step::WriteFile { path, to, .. } => Step::WriteFile { path, from: found, to },
        Step::SetGrubVariable { path, name, to, .. } => {
            let from = found.map(|found| found.text().into_owned());
            Step::SetGrubVariable { path, name, from, to }
        }
        step => step,
    }
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

    /// Sees to the files that somebody changed since: they are put back all
    /// the same, or forgotten.
    fn pass_over_changed(
        &mut self,
        plan: &PlanRow,
        rows: &mut [StepRow],
        on_changed: OnChanged,
    ) -> Result<(), Error> {
        for row in rows.iter_mut().rev() {
            let Some(step) = way_back(row) else { continue };
            let Some(Changed { found, .. }) =
                changed(&self.engine.root, &mut BTreeMap::new(), &step)
            else {
                continue;
            };
            if on_changed == OnChanged::PutBack {
                let step = from_found(&step, found);
                if let Outcome::Failed(error) = self.engine.applier.apply(&step) {
                    let undo_errors = vec![StepError { step, error }];
                    let failure = Failure { undo_errors, ..Failure::default() };
                    return Err(Error::Failed(Box::new(failure)));
                }
            }
            self.store.mark(plan.id, row.seq, &Mark::Undone)?;
            row.state = StepState::Undone;
        }
        Ok(())
    }

    /// Takes one preparation back. What a reboot took away is not there any
    /// more: only files are.
    pub(crate) fn undo_preparation(
        &mut self,
        plan: &PlanRow,
        mut rows: Vec<StepRow>,
    ) -> Result<(), Error> {
        self.store.make_durable()?;
        if plan.boot_id != self.boot_id {
            for row in rows.iter_mut().filter(|row| row.step.void_after_reboot()) {
                self.store.mark(plan.id, row.seq, &Mark::Undone)?;
                row.state = StepState::Undone;
            }
        }
        self.undo_plan(plan, rows)
    }
}

impl From<Unplanned> for Error {
    fn from(error: Unplanned) -> Self {
        match error {
            Unplanned::Edit(error) => error.into(),
            Unplanned::Hugepages(error) => Self::NoHugepages(Box::new(error)),
            Unplanned::Group(error) => Self::NoGroup(Box::new(error)),
            Unplanned::Folder(error) => Self::NoFolder(Box::new(error)),
        }
    }
}

impl From<EditError> for Error {
    fn from(error: EditError) -> Self {
        Self::Unedited(Box::new(error))
    }
}

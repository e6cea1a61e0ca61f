//! `prepare --undo`: every preparation taken back, the latest first.
//!
//! In: the journal, and what becomes of files that somebody changed since.
//! Out: files as they were. What was cut off is taken back in the same way by
//! whoever comes next.

mod changed;

use host::paths::Root;
use model::Step;
use model::boot::cmdline::Change;
use model::boot::source::Source;
use model::ours;
use model::plan::image;
use model::setup::boot::Format;
use model::step::{Made, Undo};

pub use self::changed::{Changed, OnChanged};
use self::changed::{Foreseen, Resolved, look, resolved};
use crate::Engine;
use crate::error::Error;
use crate::recover::Recovered;
use crate::store::{Mark, PlanRow, StepRow, StepState, Store};
use crate::transaction::back;
use crate::turn::{Turn, boot_id};

/// What taking everything back would do.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct WayBack {
    /// In the order in which they would be done.
    pub steps: Vec<Step>,
    /// Files that somebody changed since.
    pub changed: Vec<Changed>,
    /// What only a person can do.
    pub by_hand: Vec<String>,
}

impl Engine {
    /// What [`undo_preparations`](Self::undo_preparations) would do; with files
    /// that somebody changed since as they are, where it is not said what
    /// becomes of them.
    pub fn plan_undo(&self, on_changed: Option<OnChanged>) -> Result<WayBack, Error> {
        let Some(store) = Store::open_reading(&self.state)? else { return Ok(WayBack::default()) };
        let mut way = WayBack::default();
        let mut foreseen = Foreseen::default();
        let boot_id = boot_id(&self.root)?;
        for plan in store.preparations()? {
            let rows = store.steps(plan.id)?;
            for at in back(&rows) {
                let Some(step) = way_back(&rows[at]) else { continue };
                // A reboot took it back.
                if plan.boot_id != boot_id && step.void_after_reboot() {
                    continue;
                }
                match foreseen.resolved(&self.root, &step, on_changed) {
                    Some(Resolved { changed, instead }) => {
                        way.changed.extend(changed);
                        way.steps.extend(instead);
                    }
                    None => way.steps.push(step),
                }
            }
        }
        let made_since = made_since(&self.root, &store)?;
        way.steps.extend(made_since.into_iter().map(|made| Step::Remake(made.back())));
        if !way.steps.is_empty() {
            self.tell_what_is_left(&mut way)?;
        }
        Ok(way)
    }

    /// What no step takes back: images that are copied elsewhere, and entries
    /// that were made since, from the arguments of then.
    fn tell_what_is_left(&self, way: &mut WayBack) -> Result<(), Error> {
        let boot = host::setup::boot(&self.root);
        let Some(loader) = boot.loader.known() else { return Ok(()) };
        let makes_image = way.steps.iter().any(Step::makes_image);
        let system = loader.system.filter(|_| makes_image);
        let generator = boot.generator.known().copied().flatten();
        way.by_hand.extend(system.and_then(|system| system.then(generator)));
        let planned = self.planned()?;
        let arguments = planned.iter().flat_map(|one| one.arguments(loader));
        let brought: Vec<Change> =
            arguments.filter(|change| !matches!(change, Change::Remove(_))).collect();
        let entries = loader.files.iter().filter(|(_, format)| *format == Format::Entry);
        for (path, format) in entries {
            let Some(content) = boot.files.get(path) else { continue };
            if way.steps.iter().any(|step| step.path() == Some(path)) {
                continue;
            }
            let lines = format.lines(Source::new(path, &content.text()));
            let has = |change: &&Change| lines.iter().any(|(_, line)| change.is_in(line));
            let left: Vec<String> = brought.iter().filter(has).map(ToString::to_string).collect();
            if !left.is_empty() {
                way.by_hand.push(format!(
                    "take {} out of {path} as well: it was made since, with the arguments of then",
                    left.join(" ")
                ));
            }
        }
        Ok(())
    }

    /// Takes every preparation back that is in effect, the latest first.
    pub fn undo_preparations(&mut self, on_changed: OnChanged) -> Result<Recovered, Error> {
        let mut turn = self.turn("prepare")?;
        turn.store.make_durable()?;
        let plans = turn.store.preparations()?;
        if let Some(first) = plans.last() {
            for made in made_since(&turn.engine.root, &turn.store)? {
                turn.store.add_step(first.id, &Step::Remake(made))?;
            }
        }
        for plan in plans {
            let mut rows = turn.store.steps(plan.id)?;
            turn.see_to_changed(&plan, &mut rows, on_changed)?;
            turn.undo_preparation(&plan, rows)?;
        }
        Ok(std::mem::take(&mut turn.recovered))
    }
}

/// Images that were made by others since, as a kernel brings one, with a copy
/// of what modprobe is told. They are made anew when all else is taken back.
fn made_since(root: &Root, store: &Store) -> Result<Vec<Made>, Error> {
    let mut steps = Vec::new();
    for plan in store.preparations()? {
        let rows = store.steps(plan.id)?.into_iter();
        let done = rows.filter(|row| row.state == StepState::Done);
        steps.extend(done.map(|row| row.step));
    }
    let boot = host::setup::boot(root);
    let path = boot.path(ours::MODPROBE);
    let is_told =
        |step: &Step| matches!(step, Step::WriteFile { path: other, .. } if *other == path);
    if !steps.iter().any(is_told) {
        return Ok(Vec::new());
    }
    let has_copy = |image: &str| {
        let about = |step: &&Step| step.makes_image() && step.path() == Some(image);
        match steps.iter().find(about) {
            None => host::setup::has_copy(root, image, &path),
            // What was kept of it will be there.
            Some(Step::Make(made)) => host::setup::has_copy(root, &made.kept(), &path),
            Some(_) => false,
        }
    };
    Ok(image::anew(&boot, has_copy))
}

/// The way back from a step that was done.
fn way_back(row: &StepRow) -> Option<Step> {
    match row.step.undo() {
        Undo::Step(step) if row.state == StepState::Done => Some(step),
        _ => None,
    }
}

impl Turn<'_> {
    /// Sees to the files that somebody changed since: the journal is told of
    /// another way back, or of none. Nothing is changed by it yet.
    fn see_to_changed(
        &mut self,
        plan: &PlanRow,
        rows: &mut [StepRow],
        on_changed: OnChanged,
    ) -> Result<(), Error> {
        for row in rows.iter_mut().rev() {
            let Some(step) = way_back(row) else { continue };
            let Some(found) = look(&self.engine.root, &step) else { continue };
            match resolved(&self.engine.root, &step, &found, Some(on_changed)) {
                None => {}
                Some(Resolved { instead: Some(instead), .. }) => {
                    let Undo::Step(done) = instead.undo() else { continue };
                    self.store.set_step(plan.id, row.seq, &done)?;
                    row.step = done;
                }
                Some(Resolved { instead: None, .. }) => {
                    self.store.mark(plan.id, row.seq, &Mark::Undone)?;
                    row.state = StepState::Undone;
                }
            }
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

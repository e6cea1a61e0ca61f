//! `prepare --undo`: every preparation taken back, the latest first.
//!
//! In: the journal, and what becomes of files that somebody changed since.
//! Out: files as they were. What was cut off is taken back in the same way by
//! whoever comes next.

use std::collections::{BTreeMap, BTreeSet};

use host::paths::Root;
use model::Step;
use model::boot::cmdline::Change;
use model::boot::format::without_ours;
use model::boot::source::Source;
use model::file::{Content, merged};
use model::ours;
use model::plan::image;
use model::setup::boot::Format;
use model::step::{Made, Undo};

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

/// A file that is not as it was left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub path: String,
    /// As the preparation left it.
    pub left: Option<Content>,
    pub found: Option<Content>,
    /// Somebody changed what would have to be changed again: it stays as it is.
    pub stays: bool,
    /// What it had before names kernels that are gone, so that it cannot be
    /// put back: it keeps the changes whatever was said.
    pub is_outdated: bool,
}

/// What becomes of files that somebody changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChanged {
    /// They keep the changes, and lose what was prepared. Where both are about
    /// the same lines, they stay as they are and are forgotten.
    Keep,
    /// They get back what they had before, and the changes are lost; a menu or
    /// an entry whose kernels are gone keeps them.
    PutBack,
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

/// What files will be after the steps before.
#[derive(Default)]
struct Foreseen {
    /// Of a file that several preparations changed, only the last one's word
    /// stands in it now.
    files: BTreeMap<String, Option<Content>>,
    /// What a kept file has in it is seen when it is in place.
    restored: BTreeSet<String>,
}

impl Foreseen {
    /// As [`resolved`], of what will be there when it is the step's turn.
    fn resolved(
        &mut self,
        root: &Root,
        step: &Step,
        on_changed: Option<OnChanged>,
    ) -> Option<Resolved> {
        if let Step::Restore(made) = step {
            self.restored.insert(made.path.clone());
        }
        if step.path().is_none_or(|path| self.restored.contains(path)) {
            return None;
        }
        let found = self.files.get(&key(step)).cloned().or_else(|| look(root, step))?;
        let resolved = resolved(root, step, &found, on_changed);
        let then = match &resolved {
            None => to(step),
            Some(Resolved { instead: Some(instead), .. }) => to(instead),
            Some(Resolved { instead: None, .. }) => found,
        };
        self.files.insert(key(step), then);
        resolved
    }
}

/// The way back from a step that was done.
fn way_back(row: &StepRow) -> Option<Step> {
    match row.step.undo() {
        Undo::Step(step) if row.state == StepState::Done => Some(step),
        _ => None,
    }
}

/// What a step back would change: a file, or a variable in one.
fn key(step: &Step) -> String {
    let path = step.path().unwrap_or_default();
    match step {
        Step::SetGrubVariable { name, .. } => format!("{path}:{name}"),
        _ => path.to_owned(),
    }
}

/// What it has now; nothing for a step that is about neither.
fn look(root: &Root, step: &Step) -> Option<Option<Content>> {
    match step {
        Step::WriteFile { path, .. } => Some(host::setup::content(root, path)),
        Step::SetGrubVariable { path, name, .. } => {
            Some(text(&host::setup::grub_variable(root, path, name)))
        }
        _ => None,
    }
}

fn text(value: &Option<String>) -> Option<Content> {
    value.as_deref().map(Content::from)
}

/// What it had when it was left, and what it is to have.
fn ends(step: &Step) -> [Option<Content>; 2] {
    match step {
        Step::WriteFile { from, to, .. } => [from.clone(), to.clone()],
        Step::SetGrubVariable { from, to, .. } => [text(from), text(to)],
        _ => [None, None],
    }
}

fn to(step: &Step) -> Option<Content> {
    let [_, to] = ends(step);
    to
}

/// Where somebody changed since what a step back would change: that, and the
/// step in place of it, if there is any. Nothing where it is as it was left,
/// or as it was before.
fn resolved(
    root: &Root,
    step: &Step,
    found: &Option<Content>,
    on_changed: Option<OnChanged>,
) -> Option<Resolved> {
    let [left, before] = ends(step);
    if *found == left || *found == before {
        return None;
    }
    let path = step.path().unwrap_or_default().to_owned();
    let theirs = |file: &Option<Content>| match (&left, file) {
        (Some(left), Some(file)) => Some(without_ours(&path, left, file)),
        _ => file.clone(),
    };
    let [left_theirs, found_theirs] = [theirs(&left), theirs(found)];
    let change = |to: Option<Content>| between(step, found.clone(), to);
    if found_theirs == left_theirs {
        return Some(Resolved { changed: None, instead: Some(change(before)) });
    }
    let is_lost =
        |kept: &Content| host::setup::names_lost_kernels(root, &path, kept, found.as_ref());
    let is_outdated = before.as_ref().is_some_and(is_lost);
    let (instead, stays) = match on_changed {
        None => (Some(step.clone()), false),
        Some(OnChanged::PutBack) if !is_outdated => (Some(change(before)), false),
        Some(_) => {
            let before = theirs(&before);
            let merged = merged(left_theirs.as_ref(), found_theirs.as_ref(), before.as_ref());
            let is_file = matches!(step, Step::WriteFile { .. });
            let merged = merged.filter(|_| is_file);
            let stays = merged.is_none();
            // What it names of ours will not be there in any case.
            let own = || (found_theirs != *found).then_some(found_theirs);
            (merged.or_else(own).map(change), stays)
        }
    };
    let changed = Changed { path, left, found: found.clone(), stays, is_outdated };
    Some(Resolved { changed: Some(changed), instead })
}

/// What becomes of a step back whose file is not as it was left.
struct Resolved {
    /// Nothing where others changed nothing but entries of ours.
    changed: Option<Changed>,
    /// The step in its place, if there is any.
    instead: Option<Step>,
}

/// The same step from one end to another.
fn between(step: &Step, from: Option<Content>, to: Option<Content>) -> Step {
    match step.clone() {
        Step::WriteFile { path, .. } => Step::WriteFile { path, from, to },
        Step::SetGrubVariable { path, name, .. } => {
            let value = |content: Option<Content>| content.map(|one| one.text().into_owned());
            Step::SetGrubVariable { path, name, from: value(from), to: value(to) }
        }
        step => step,
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

//! Files that somebody changed since they were prepared.
//!
//! In: a step back, the file as it is, and what becomes of changes. Out: the
//! step in its place. Never: a change of others' lines that nobody asked for,
//! or a file that names kernels which are gone.

use std::collections::{BTreeMap, BTreeSet};

use host::paths::Root;
use model::Step;
use model::boot::format::without_ours;
use model::file::{Content, merged};

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

/// What files will be after the steps before.
#[derive(Default)]
pub(super) struct Foreseen {
    /// Of a file that several preparations changed, only the last one's word
    /// stands in it now.
    files: BTreeMap<String, Option<Content>>,
    /// What a kept file has in it is seen when it is in place.
    restored: BTreeSet<String>,
}

impl Foreseen {
    /// As [`resolved`], of what will be there when it is the step's turn.
    pub(super) fn resolved(
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

/// What a step back would change: a file, or a variable in one.
fn key(step: &Step) -> String {
    let path = step.path().unwrap_or_default();
    match step {
        Step::SetGrubVariable { name, .. } => format!("{path}:{name}"),
        _ => path.to_owned(),
    }
}

/// What it has now; nothing for a step that is about neither.
pub(super) fn look(root: &Root, step: &Step) -> Option<Option<Content>> {
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
pub(super) fn resolved(
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
pub(super) struct Resolved {
    /// Nothing where others changed nothing but entries of ours.
    pub changed: Option<Changed>,
    /// The step in its place, if there is any.
    pub instead: Option<Step>,
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

//! Snapshot and intent in, steps or refusals out. A pure function.
//!
//! Planning takes every decision; applying has none left. The rules about
//! what may move are those of [`crate::verdict`], asked about the whole set.

mod bind;
mod holders;
pub mod image;
pub mod persist;
pub mod prepare;
mod release;

use std::fmt;

use crate::file::Content;
use crate::intent::Intent;
use crate::reason::Reason;
use crate::setup::boot::Boot;
use crate::snapshot::Snapshot;
use crate::step::Step;

pub use holders::{RECIPES, Recipe, is_vfio_driver};

/// How to get from what is to what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// What the user should know although nothing is refused.
    pub notes: Vec<Reason>,
}

/// Why there is no plan: every reason, not only the first. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub reasons: Vec<Reason>,
}

/// The steps from `snapshot` to `intent`, or every reason against it. The
/// snapshot must have been taken with holders, or nobody is known to hold.
pub fn plan(snapshot: &Snapshot, intent: &Intent) -> Result<Plan, Refusal> {
    match intent {
        Intent::Bind(intent) => bind::plan(snapshot, intent),
        Intent::Release(intent) => Ok(release::plan(snapshot, intent)),
    }
}

/// The step that gives a file another content, if it has not got it; `None` is
/// no file.
fn write(boot: &Boot, path: &str, to: Option<&str>) -> Option<Step> {
    let from = boot.files.get(path).cloned();
    let to = to.map(Content::from);
    (from != to).then(|| Step::WriteFile { path: path.to_owned(), from, to })
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut reasons = self.reasons.iter();
        if let Some(first) = reasons.next() {
            write!(f, "{first}")?;
        }
        reasons.try_for_each(|reason| write!(f, "\n{reason}"))
    }
}

impl std::error::Error for Refusal {}

//! What a changing verb tells: the plan beforehand, the report afterwards.
//!
//! In: a [`Plan`] or a [`Report`]. Out: lines or JSON. The result is always
//! told; steps are told while they are applied, to somebody who watches.

use std::io::Write;

use engine::Report;
use model::plan::Plan;
use model::{Bdf, Reason};

use super::recover::RecoveredJson;
use crate::context::Context;
use crate::error::Error;
use crate::output::{json, print};
use crate::wire::ReasonJson;

#[derive(serde::Serialize)]
struct PlanJson<'a> {
    dry_run: bool,
    steps: Vec<String>,
    notes: Vec<ReasonJson<'a>>,
}

#[derive(serde::Serialize)]
struct ReportJson<'a> {
    #[serde(flatten)]
    plan: PlanJson<'a>,
    functions: Vec<String>,
    recovered: RecoveredJson,
}

/// Tells what would be done.
pub fn plan(cx: &Context, plan: &Plan) -> Result<(), Error> {
    if cx.json {
        return json::print(&PlanJson::of(true, &plan.steps, &plan.notes));
    }
    print(|out| match plan.steps.is_empty() {
        true => writeln!(out, "nothing to do"),
        false => write!(out, "{plan}"),
    })?;
    notes(&plan.notes);
    Ok(())
}

/// Tells what was done: `done` names it for one function.
pub fn report(cx: &Context, report: &Report, done: impl Fn(Bdf) -> String) -> Result<(), Error> {
    if cx.json {
        return json::print(&ReportJson {
            plan: PlanJson::of(false, &report.steps, &report.notes),
            functions: report.functions.iter().map(ToString::to_string).collect(),
            recovered: RecoveredJson::of(&report.recovered),
        });
    }
    super::recover::tell(&report.recovered);
    notes(&report.notes);
    print(|out| report.functions.iter().try_for_each(|bdf| writeln!(out, "{}", done(*bdf))))
}

/// Notes go beside the output, not into it.
pub fn notes(notes: &[Reason]) {
    let mut err = anstream::stderr().lock();
    let _ = notes.iter().try_for_each(|note| writeln!(err, "note: {note}"));
}

impl<'a> PlanJson<'a> {
    fn of(dry_run: bool, steps: &[model::Step], notes: &'a [Reason]) -> Self {
        Self {
            dry_run,
            steps: steps.iter().map(ToString::to_string).collect(),
            notes: notes.iter().map(ReasonJson::of).collect(),
        }
    }
}

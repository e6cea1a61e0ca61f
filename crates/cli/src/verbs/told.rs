//! What a changing verb tells: the plan beforehand, the report afterwards.
//!
//! In: a [`Plan`] or a [`Report`]. Out: lines or JSON. The result is always
//! told; steps are told while they are applied, to somebody who watches.

use std::io::Write;

use engine::Report;
use model::plan::Plan;
use model::{Bdf, Reason, Step};
use serde::Serialize;

use super::recover::RecoveredJson;
use crate::context::Context;
use crate::error::Error;
use crate::output::{json, note, print};
use crate::wire::ReasonJson;

/// What would be done, or was.
#[derive(Serialize)]
pub struct PlanJson<'a> {
    dry_run: bool,
    steps: Vec<String>,
    notes: Vec<ReasonJson<'a>>,
    /// What only a person can do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    by_hand: Vec<String>,
}

/// What happens beside a plan of the engine's.
#[derive(Default)]
pub struct Beside {
    pub before: Vec<String>,
    pub after: Vec<String>,
    pub by_hand: Vec<String>,
}

/// What was done, and to what.
#[derive(Serialize)]
pub struct ReportJson<'a> {
    #[serde(flatten)]
    plan: PlanJson<'a>,
    functions: Vec<String>,
    recovered: RecoveredJson,
}

impl Beside {
    pub fn after(steps: Vec<String>) -> Self {
        Self { after: steps, ..Self::default() }
    }
}

/// Tells what would be done.
pub fn plan(cx: &Context, plan: &Plan) -> Result<(), Error> {
    plan_and(cx, plan, Beside::default())
}

/// Tells what would be done, and what beside that.
pub fn plan_and(cx: &Context, plan: &Plan, beside: Beside) -> Result<(), Error> {
    let mut json = PlanJson::of(true, &plan.steps, &plan.notes);
    json.add(beside);
    if cx.json {
        return json::print(&json);
    }
    print(|out| match json.steps.is_empty() {
        true => writeln!(out, "nothing to do"),
        false => json.steps.iter().try_for_each(|step| writeln!(out, "{step}")),
    })?;
    notes(&plan.notes);
    Ok(())
}

/// Tells what was done: `done` names it for one function.
pub fn report(cx: &Context, report: &Report, done: impl Fn(Bdf) -> String) -> Result<(), Error> {
    report_with(cx, report, Beside::default(), done)
}

/// Tells what was done, and what beside that.
pub fn report_with(
    cx: &Context,
    report: &Report,
    beside: Beside,
    done: impl Fn(Bdf) -> String,
) -> Result<(), Error> {
    if cx.json {
        let mut json = ReportJson::of(report);
        json.plan.add(beside);
        return json::print(&json);
    }
    super::recover::tell(&report.recovered);
    notes(&report.notes);
    print(|out| report.functions.iter().try_for_each(|bdf| writeln!(out, "{}", done(*bdf))))
}

/// Notes go beside the output, not into it.
pub fn notes(notes: &[Reason]) {
    notes.iter().for_each(note);
}

impl<'a> PlanJson<'a> {
    pub fn of(dry_run: bool, steps: &[Step], notes: &'a [Reason]) -> Self {
        Self {
            dry_run,
            steps: steps.iter().map(ToString::to_string).collect(),
            notes: notes.iter().map(ReasonJson::of).collect(),
            by_hand: Vec::new(),
        }
    }

    fn add(&mut self, Beside { before, after, by_hand }: Beside) {
        self.steps.splice(..0, before);
        self.steps.extend(after);
        self.by_hand = by_hand;
    }
}

impl<'a> ReportJson<'a> {
    pub fn of(report: &'a Report) -> Self {
        Self {
            plan: PlanJson::of(false, &report.steps, &report.notes),
            functions: report.functions.iter().map(ToString::to_string).collect(),
            recovered: RecoveredJson::of(&report.recovered),
        }
    }
}

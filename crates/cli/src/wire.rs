//! The shape of `--json`: types of the command line's own.
//!
//! In: what `model` knows. Out: serde values that borrow from it. Addresses
//! and numbers that people know as hexadecimal are strings, sizes are bytes.
//! A fact that is not known is `null`, and `unknown` says why. The shape is
//! described in `docs/guide/json.md`; fields are added, never renamed.

mod check;
pub mod config;
mod details;
mod row;
mod unknown;
mod uses;

pub use check::CheckJson;
pub use details::DetailsJson;
pub use row::ListJson;
pub use unknown::Unknown;
pub use uses::HolderJson;

use model::reason::{Reason, Weight};
use model::verdict::{Kind, Verdict};
use serde::Serialize;

/// Yes, with company, or no, and every reason.
#[derive(Serialize)]
pub struct VerdictJson<'a> {
    kind: &'static str,
    /// Members of the group that must go with it.
    company: Vec<String>,
    reasons: Vec<ReasonJson<'a>>,
}

/// One reason.
#[derive(Serialize)]
pub struct ReasonJson<'a> {
    code: &'static str,
    weight: &'static str,
    /// The function that it is about; `null` for the machine.
    at: Option<String>,
    text: &'a str,
    hint: Option<&'a str>,
}

impl<'a> VerdictJson<'a> {
    pub fn of(verdict: &'a Verdict) -> Self {
        let (kind, company): (_, &[_]) = match &verdict.kind {
            Kind::Assignable => ("assignable", &[]),
            Kind::InCompany(company) => ("in_company", company),
            Kind::Not => ("not", &[]),
        };
        Self {
            kind,
            company: company.iter().map(ToString::to_string).collect(),
            reasons: verdict.reasons.iter().map(ReasonJson::of).collect(),
        }
    }
}

impl<'a> ReasonJson<'a> {
    pub fn of(reason: &'a Reason) -> Self {
        let weight = match reason.weight() {
            Weight::Note => "note",
            Weight::Condition => "condition",
            Weight::Unsure => "unsure",
            Weight::Override => "override",
            Weight::Blocks => "blocks",
        };
        Self {
            code: reason.code.as_str(),
            weight,
            at: reason.at.map(|bdf| bdf.to_string()),
            text: &reason.text,
            hint: Some(reason.hint.as_str()).filter(|hint| !hint.is_empty()),
        }
    }
}

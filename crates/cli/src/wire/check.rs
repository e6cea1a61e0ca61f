//! `check --json`: what every check found.

use model::check::Checked;
use serde::Serialize;

/// All checks.
#[derive(Serialize)]
pub struct CheckJson<'a> {
    ready: bool,
    checks: Vec<OneJson<'a>>,
}

#[derive(Serialize)]
struct OneJson<'a> {
    name: &'static str,
    /// What is checked.
    about: &'static str,
    severity: &'static str,
    status: &'static str,
    /// The device that it is about; `null` for the host.
    at: Option<String>,
    text: &'a str,
    hint: Option<&'a str>,
}

impl<'a> CheckJson<'a> {
    pub fn of(checked: &'a [Checked], ready: bool) -> Self {
        let checks = checked.iter().map(|one| OneJson {
            name: one.check.name,
            about: one.check.about,
            severity: one.check.severity.word(),
            status: one.finding.status.word(),
            at: one.at.map(|bdf| bdf.to_string()),
            text: &one.finding.text,
            hint: Some(one.finding.hint.as_str()).filter(|hint| !hint.is_empty()),
        });
        Self { ready, checks: checks.collect() }
    }
}

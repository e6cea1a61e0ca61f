//! An error as JSON, for `--json`: its shape is part of the interface
//! (`docs/guide/json.md`).

use std::io::{self, Write};

use engine::error::{Failure, StepDoubt, StepError};
use serde::Serialize;

use super::Error;
use super::told::Told;
use crate::output;
use crate::wire::{HolderJson, ReasonJson};

#[derive(Serialize)]
struct ErrorJson<'a> {
    code: &'a str,
    message: String,
    hint: Option<&'a str>,
    details: Option<Details<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Details<'a> {
    Refusal { reasons: Vec<ReasonJson<'a>> },
    Failure(FailureJson<'a>),
    Matches { matches: Vec<String> },
    Done { rolled_back: bool },
}

#[derive(Serialize)]
struct FailureJson<'a> {
    /// Everything that had been done was undone.
    rolled_back: bool,
    interrupted: bool,
    errors: Vec<StepJson>,
    undo_errors: Vec<StepJson>,
    in_doubt: Vec<DoubtJson<'a>>,
}

#[derive(Serialize)]
struct StepJson {
    step: String,
    message: String,
    hint: Option<&'static str>,
}

#[derive(Serialize)]
struct DoubtJson<'a> {
    step: String,
    pid: u32,
    wait_channel: Option<String>,
    waited_seconds: u64,
    /// Who has the device open; `null` when that cannot be seen.
    holders: Option<Vec<HolderJson<'a>>>,
}

/// Writes the error as one object.
pub fn write(error: &Error, out: &mut impl Write) -> io::Result<()> {
    let told = Told::of(error);
    let (code, message, hint) = (error.code(), told.message(), told.only_hint());
    output::json::write(&ErrorJson { code, message, hint, details: details(error) }, out)
}

fn details(error: &Error) -> Option<Details<'_>> {
    let error = match error {
        Error::Engine(error) => error,
        Error::Unreported(_) => return Some(Details::Done { rolled_back: false }),
        _ => return None,
    };
    Some(match error {
        engine::Error::Refused(refusal) => {
            Details::Refusal { reasons: refusal.reasons.iter().map(ReasonJson::of).collect() }
        }
        engine::Error::Failed(failure) => Details::Failure(FailureJson::of(failure)),
        engine::Error::AmbiguousDevice { matches, .. } => {
            Details::Matches { matches: matches.iter().map(ToString::to_string).collect() }
        }
        _ => return None,
    })
}

impl<'a> FailureJson<'a> {
    fn of(failure: &'a Failure) -> Self {
        Self {
            rolled_back: failure.rolled_back(),
            interrupted: failure.interrupted,
            errors: failure.errors.iter().map(StepJson::of).collect(),
            undo_errors: failure.undo_errors.iter().map(StepJson::of).collect(),
            in_doubt: failure.doubts.iter().map(DoubtJson::of).collect(),
        }
    }
}

impl StepJson {
    fn of(error: &StepError) -> Self {
        let (step, message) = (error.step.to_string(), error.error.to_string());
        Self { step, message, hint: error.error.hint() }
    }
}

impl<'a> DoubtJson<'a> {
    fn of(doubt: &'a StepDoubt) -> Self {
        let stuck = &doubt.doubt.stuck;
        let holders = doubt.doubt.holders.known();
        Self {
            step: doubt.step.to_string(),
            pid: stuck.pid,
            wait_channel: stuck.wait_channel.clone(),
            waited_seconds: stuck.waited.as_secs(),
            holders: holders.map(|all| all.iter().map(HolderJson::of).collect()),
        }
    }
}

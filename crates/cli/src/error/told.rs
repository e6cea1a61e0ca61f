//! An error as it is told: a line, what it consists of, and a hint.

use engine::error::{Failure, StepError};
use model::plan::Refusal;

use super::Error;

/// What is told of an error.
#[derive(Debug)]
pub(super) struct Told {
    /// One line, lower case, no full stop.
    pub line: String,
    /// Every reason of a refusal, every error of a failure.
    pub items: Vec<Item>,
    /// What to do about all of it; may be empty.
    pub hint: String,
}

/// One reason, one error.
#[derive(Debug)]
pub(super) struct Item {
    pub text: String,
    pub hint: String,
}

impl Told {
    pub fn of(error: &Error) -> Self {
        let (line, items) = match error {
            Error::Engine(engine::Error::Refused(refusal)) => refused(refusal),
            Error::Engine(engine::Error::Failed(failure)) => failed(failure),
            _ => (chain(error), Vec::new()),
        };
        Self { line, items, hint: error.hint() }
    }

    /// Everything on one line.
    pub fn message(&self) -> String {
        let items: Vec<&str> = self.items.iter().map(|item| item.text.as_str()).collect();
        match items.is_empty() {
            true => self.line.clone(),
            false => format!("{}: {}", self.line, items.join("; ")),
        }
    }

    /// The hint of the whole, or of the only item.
    pub fn only_hint(&self) -> Option<&str> {
        let hint = match &self.items[..] {
            [item] if self.hint.is_empty() => item.hint.as_str(),
            _ => self.hint.as_str(),
        };
        Some(hint).filter(|hint| !hint.is_empty())
    }
}

fn refused(refusal: &Refusal) -> (String, Vec<Item>) {
    let item =
        |reason: &model::Reason| Item { text: reason.to_string(), hint: reason.hint.clone() };
    ("refused, nothing was changed".to_owned(), refusal.reasons.iter().map(item).collect())
}

fn failed(failure: &Failure) -> (String, Vec<Item>) {
    let line = if !failure.doubts.is_empty() {
        "in doubt"
    } else if !failure.undo_errors.is_empty() {
        "failed, and not everything could be taken back"
    } else if failure.interrupted {
        "interrupted, everything was taken back"
    } else {
        "failed, everything was taken back"
    };
    let item = |text: String, hint: &str| Item { text: one_line(&text), hint: hint.to_owned() };
    let failed = |error: &StepError| error.error.hint().unwrap_or_default();
    let mut items = Vec::new();
    items.extend(failure.journal.iter().map(|error| item(error.to_string(), error.hint())));
    items.extend(failure.errors.iter().map(|error| item(error.to_string(), failed(error))));
    items.extend(failure.doubts.iter().map(|doubt| item(doubt.to_string(), "")));
    let back = failure.undo_errors.iter();
    items.extend(back.map(|error| item(format!("on the way back, {error}"), failed(error))));
    (line.to_owned(), items)
}

/// What a command complained may have several lines.
fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

/// The error and its causes, none of them twice.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        // A transparent error shows its source's text as its own.
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        source = cause.source();
    }
    text
}

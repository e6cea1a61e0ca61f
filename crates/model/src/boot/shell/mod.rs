//! Assignments in files that a shell sources.
//!
//! In: the files in the order in which they are sourced (`/etc/default/grub`
//! and the `*.cfg` beside it, u-boot-update's settings). Out: the value that
//! a variable has in the end, or the files with another one. Every byte that
//! need not change stays. Never: a guess; what a condition, a command or
//! another file decides is [`Dynamic`](super::source::Dynamic).
//!
//! Every edit is read back: the variable must have the new value, and no
//! other variable another one. Where it has not, nothing is returned.

mod expansion;
mod word;

mod run;
mod script;
mod value;

mod compare;
mod edit;
mod place;
mod quote;

pub use edit::{edit, set};

use super::source::{EditError, Problem, Source};

/// The value that a variable has behind all files; nothing where none assigns
/// it.
///
/// # Errors
///
/// Where a file is not understood, or the value is not known.
pub fn value(files: &[Source<'_>], name: &str) -> Result<Option<String>, EditError> {
    let values = value::read(files)?;
    let Some(line) = values.line(name)? else { return Ok(None) };
    match line.unknown {
        Some(how) => {
            let name_of = name.to_owned();
            Err(values.error(name, Problem::Dynamic { name: name_of, how }))
        }
        None => Ok(Some(line.text)),
    }
}

/// Whether a file assigns a variable, however.
///
/// # Errors
///
/// Where a file is not understood.
pub fn is_assigned(files: &[Source<'_>], name: &str) -> Result<bool, EditError> {
    let values = value::read(files)?;
    Ok(values.assignments.iter().any(|assignment| assignment.name == name))
}

/// The value of a variable as far as it is known: what is not stands as a
/// character that no word has.
pub(super) fn known(files: &[Source<'_>], name: &str) -> Result<String, EditError> {
    Ok(value::read(files)?.line(name)?.unwrap_or_default().text)
}

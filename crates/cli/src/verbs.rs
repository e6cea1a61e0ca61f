//! The verbs, one file each: its options, and what it does.
//!
//! In: options and the [`Context`](crate::context::Context). Out: something
//! printed, or an error. Whatever is not parsing or printing happens in
//! `host`, `model` and `engine`.

pub mod list;
pub mod show;

pub mod check;
pub mod prepare;

pub mod device;

pub mod bind;
pub mod release;
pub mod reset;

pub mod attach;
pub mod instance;
pub mod run;

pub mod recover;

pub mod record;

pub mod completions;

mod files;
mod told;

//! The only door to the machine.
//!
//! In: a root directory ([`paths::Root`]), and later the steps of a plan.
//! Out: a [`model::Snapshot`] of what is ([`observe`]), and the outcome of
//! each change. Never: a decision, or state of its own.
//!
//! Modules stand in reading order.

pub mod paths;
pub mod read;

pub mod names;

pub mod observe;

pub mod initramfs;

pub mod guests;
pub mod memory;
pub mod process;

pub mod setup;

pub mod run;
pub mod write;

pub mod apply;

pub mod record;
pub mod replay;

//! Words and decisions of passthru.
//!
//! In: text that somebody else read (a line of `/proc/iomem`, 4096 bytes of
//! configuration space). Out: values ([`Snapshot`]), judgements
//! ([`verdict`]) and plans ([`plan`]). Never: I/O, a clock, a thread, async.
//! The same inputs give the same plan, which is why almost everything about
//! passthru can be tested in milliseconds.
//!
//! Modules stand in reading order.

pub mod bdf;
pub mod boot;
pub mod check;
pub mod fact;
pub mod file;
pub mod function;
pub mod ids;
mod list;
pub mod ours;
pub mod parse;
pub mod usage;

pub mod setup;
pub mod snapshot;

pub mod identity;
pub mod quirks;
pub mod reason;
pub mod verdict;

pub mod intent;
pub mod step;

pub mod plan;

pub mod port;

pub use bdf::Bdf;
pub use fact::{Fact, Why};
pub use function::Function;
pub use ids::{Class, DeviceId, VendorId};
pub use intent::Intent;
pub use plan::Plan;
pub use reason::{Code, Reason};
pub use snapshot::{Group, GroupId, Snapshot};
pub use step::Step;

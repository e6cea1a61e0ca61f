//! The real program on pretended machines: what it prints, how it ends.

#![allow(clippy::unwrap_used, reason = "what a test cannot read ends it")]

mod desk;

mod commands;
mod elsewhere;
mod guide;
mod hints;

mod looking;
mod planning;
mod refusing;
mod remembering;
mod replaying;
mod stacks;
mod terminal;
mod writing;

//! The verbs on a pretended machine: what they do, what they refuse, and what
//! is left after every failure, hang and death.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod bind;
mod disk;
mod doubt;
mod failure;
mod given;
mod gone;
mod killed;
mod names;
mod persist;
mod planned;
mod prepare;
mod random;
mod reset;
mod stacks;

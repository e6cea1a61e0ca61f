//! The verbs on a pretended machine: what they do, what they refuse, and what
//! is left after every failure, hang and death.

mod bind;
mod doubt;
mod failure;
mod given;
mod names;
mod reset;

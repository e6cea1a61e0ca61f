//! The client against a server that misbehaves: scripted, on a real socket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::needless_pass_by_value)]

#[path = "../cases/mod.rs"]
mod cases;

mod server;

mod hotplug;
mod places;
mod protocol;

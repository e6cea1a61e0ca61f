//! Instances, with QEMU as it is, on a pretended machine: the devices move,
//! but the guest gets none of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod death;
mod given;
mod hotplug;
mod life;
mod limit;
mod program;
mod qemu;
mod start;

//! Instances, with QEMU as it is, on a pretended machine: the devices move,
//! but the guest gets none of them.

mod death;
mod given;
mod life;
mod program;
mod start;

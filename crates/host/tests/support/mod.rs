//! Pretended sysfs trees for tests, benchmarks and a look with the eye.
//!
//! Plain files, folders and links, as the kernel prints them; nothing reacts.

#![allow(dead_code, reason = "each test program uses its part")]

pub mod config;
pub mod many;
pub mod tree;

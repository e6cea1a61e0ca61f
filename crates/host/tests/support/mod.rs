//! Pretended sysfs trees for tests, benchmarks and a look with the eye.
//!
//! Plain files, folders and links, as the kernel prints them; nothing reacts.

#![allow(dead_code, reason = "each test program uses its part")]
#![allow(clippy::unwrap_used, reason = "a tree that cannot be made makes the test void")]

pub mod config;
pub mod many;
pub mod tree;

//! Text and bytes in, values out.
//!
//! Every parser takes what was read (`&str`, `&[u8]`) and never reads itself,
//! so each has a table of samples and a property test that feeds it garbage.

pub mod config;

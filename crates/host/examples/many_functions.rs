//! Make a tree with very many PCI functions: `many_functions DIR COUNT`.
//!
//! `passthru --root DIR list` and `lspci -O sysfs.path=DIR/sys` both read it.

#[path = "../tests/support/mod.rs"]
mod support;

use std::path::Path;

use support::{many, tree::Tree};

fn main() -> Result<(), String> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [dir, count] = &args[..] else { return Err("usage: many_functions DIR COUNT".to_owned()) };
    let count = count.parse().map_err(|error| format!("`{count}` is no number: {error}"))?;
    many::fill(&Tree::new(Path::new(dir)), count);
    Ok(())
}

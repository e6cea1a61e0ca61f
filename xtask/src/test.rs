//! `cargo xtask test`: all that CI checks, in the order of what is cheapest, and what each suite took.

use std::time::Instant;

use anyhow::bail;

use crate::shell::cargo;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the suites whose name contains this
    only: Option<String>,
}

/// Name and cargo's arguments.
const SUITES: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    ("check-deps", &["xtask", "check-deps"]),
    ("generated", &["xtask", "gen", "--check"]),
    ("clippy", &["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"]),
    ("image", &["xtask", "lab", "build"]),
    ("tests", &["test", "--quiet", "--workspace"]),
    ("demo", &["xtask", "demo"]),
];

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut took = Vec::new();
    let mut failed = Vec::new();
    for (name, command) in SUITES {
        if args.only.as_ref().is_some_and(|only| !name.contains(only)) {
            continue;
        }
        eprintln!("── {name}: cargo {}", command.join(" "));
        let start = Instant::now();
        // The others still run: one report says all that is wrong.
        if let Err(error) = cargo(command) {
            eprintln!("{error}");
            failed.push(*name);
        }
        took.push((name, start.elapsed()));
    }
    for (name, time) in took {
        eprintln!("{name:<12} {:>6.1} s", time.as_secs_f64());
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

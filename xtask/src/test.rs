//! `cargo xtask test`: all that CI checks, in the order of what is cheapest, and what each suite took.

mod side_by_side;

use std::thread::{self, JoinHandle};
use std::time::Instant;

use anyhow::{anyhow, bail};

use crate::shell::cargo;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only the suites whose name contains this
    only: Option<String>,
}

/// What a suite runs.
enum Suite {
    /// Cargo, with these arguments.
    Cargo(&'static [&'static str]),
    /// What emulated machines start from. It is begun before all else, beside which it is made: the one waits for
    /// packages, the other for the compiler.
    Image,
    /// The tests in emulated machines and the demo, several at a time.
    Lab,
}

const SUITES: &[(&str, Suite)] = &[
    ("format", Suite::Cargo(&["fmt", "--all", "--check"])),
    ("check-deps", Suite::Cargo(&["xtask", "check-deps"])),
    ("generated", Suite::Cargo(&["xtask", "gen", "--check"])),
    (
        "clippy",
        Suite::Cargo(&[
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]),
    ),
    ("tests", Suite::Cargo(&["test", "--quiet", "--workspace", "--exclude", "lab"])),
    ("image", Suite::Image),
    ("lab", Suite::Lab),
];

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut took = Vec::new();
    let mut failed = Vec::new();
    let wanted = |name: &str| args.only.as_ref().is_none_or(|only| name.contains(only));
    let mut image = wanted("image").then(|| thread::spawn(lab::Image::ensure));
    for (name, suite) in SUITES {
        if !wanted(name) {
            continue;
        }
        let start = Instant::now();
        let result = match suite {
            Suite::Cargo(command) => {
                eprintln!("── {name}: cargo {}", command.join(" "));
                cargo(command)
            }
            Suite::Image => {
                eprintln!("── {name}: waiting until it is made");
                made(image.take())
            }
            Suite::Lab => {
                eprintln!(
                    "── {name}: cargo test -p lab, cargo xtask demo, {} at a time",
                    side_by_side::LANES
                );
                side_by_side::run("lab")
            }
        };
        // The others still run: one report says all that is wrong.
        if let Err(error) = result {
            eprintln!("{error:#}");
            failed.push(*name);
        }
        took.push((name, start.elapsed()));
    }
    for (name, time) in took {
        eprintln!("{name:<12} {:>6.1} s", time.as_secs_f64());
    }
    if failed.is_empty() { Ok(()) } else { bail!("failed: {}", failed.join(", ")) }
}

fn made(image: Option<JoinHandle<lab::Result<lab::Image>>>) -> anyhow::Result<()> {
    let Some(image) = image else { return Ok(()) };
    image.join().map_err(|_| anyhow!("the thread that makes it was lost"))?.map(drop)?;
    // What it holds beyond packages is built by the same cargo as all else: one at a time.
    lab::prepare()?;
    Ok(lab::prepare_power9()?)
}

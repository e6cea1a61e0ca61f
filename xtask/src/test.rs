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

    /// Those that take long, too: the POWER9 machine, further ways to boot
    #[arg(long)]
    long: bool,
}

/// What a suite runs.
enum Suite {
    /// Cargo, with these arguments.
    Cargo(&'static [&'static str]),
    /// What emulated machines start from. They are begun before all else, beside which they are made: the one waits
    /// for packages, the other for the compiler.
    Images,
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
    ("images", Suite::Images),
    ("lab", Suite::Lab),
];

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut took = Vec::new();
    let mut failed = Vec::new();
    let wanted = |name: &str| args.only.as_ref().is_none_or(|only| name.contains(only));
    let long = args.long;
    let mut images = wanted("images").then(|| thread::spawn(lab::ensure_all));
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
            Suite::Images => {
                eprintln!("── {name}: waiting until they are made");
                made(images.take(), long)
            }
            Suite::Lab => {
                eprintln!(
                    "── {name}: cargo test -p lab, cargo xtask demo, {} at a time",
                    side_by_side::LANES
                );
                side_by_side::run("lab", long)
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

fn made(images: Option<JoinHandle<lab::Result<()>>>, long: bool) -> anyhow::Result<()> {
    let Some(images) = images else { return Ok(()) };
    images.join().map_err(|_| anyhow!("the thread that makes them was lost"))??;
    // What lab hosts hold beyond packages is built by the same cargo as all else: one at a time.
    lab::prepare()?;
    if long { Ok(lab::prepare_power9()?) } else { Ok(()) }
}

//! `cargo xtask bench`: how fast, as ratios against what one would use instead, in one run on one machine.
//!
//! In: which part. Out: a table on standard output, and with `--write` in `docs/benchmarks.md` between its
//! markers. Never: a pass or a fail. Times belong to a machine and its mood, so both sides run in turn, round
//! after round, and medians are compared.

mod bind;
mod check;
mod first_line;
mod initramfs;
mod list;
mod machine;
mod measure;
mod page;
mod stats;
mod times;
mod turns;

use std::process::Command;

use anyhow::{Context, ensure};
use clap::ValueEnum;
use lab::{Lab, LabHost, Topology};

pub use measure::{Args as MeasureArgs, run as measure};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this part
    part: Option<Part>,
    /// Put the tables into docs/benchmarks.md
    #[arg(long)]
    write: bool,
    /// Rounds per table; each has its own usual number
    #[arg(long)]
    rounds: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// `passthru list` against lspci, on made trees
    List,
    /// `passthru check` against a bare read of the same files, on made trees and a recorded server
    Check,
    /// `passthru bind` and `release` against bare writes and driverctl, in a lab host
    Bind,
    /// `passthru run` against QEMU by hand, in a lab host
    Run,
    /// What is in an image of an initramfs, against unpacking it to nowhere
    Initramfs,
}

impl Part {
    /// As the page's markers call it.
    fn name(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Check => "check",
            Self::Bind => "bind",
            Self::Run => "run",
            Self::Initramfs => "initramfs",
        }
    }

    fn table(self, rounds: Option<usize>) -> anyhow::Result<String> {
        match self {
            Self::List => list::table(rounds),
            Self::Check => check::table(rounds),
            Self::Bind => bind::table(rounds),
            Self::Run => first_line::table(rounds),
            Self::Initramfs => initramfs::table(rounds),
        }
    }
}

/// A lab host with a processor for each side of a wait, as real machines have. Now and then one of two stands still
/// (see the lab's `stall`): then the bench fails, and is run again.
fn lab_host() -> Result<LabHost, lab::Error> {
    let mut topology = Topology::named("basic")?;
    topology.cpus = 2;
    Lab::start_as(&topology)
}

/// Makes lab hosts run the optimised program.
const PROFILE: (&str, &str) = ("PASSTHRU_LAB_PROFILE", "release");

pub fn run(args: &Args) -> anyhow::Result<()> {
    if std::env::var(PROFILE.0).as_deref() != Ok(PROFILE.1) {
        return again();
    }
    for part in
        Part::value_variants().iter().filter(|part| args.part.is_none_or(|only| only == **part))
    {
        let table = format!("{}{}", machine::text()?, part.table(args.rounds)?);
        println!("\n── {}\n\n{table}", part.name());
        if args.write {
            page::write(part.name(), &table)?;
        }
    }
    Ok(())
}

/// This program once more, in the right environment: a process cannot safely change its own.
fn again() -> anyhow::Result<()> {
    let mut same = Command::new(measure::SELF);
    let status = same.args(std::env::args_os().skip(1)).env(PROFILE.0, PROFILE.1).status();
    ensure!(status.context("own program")?.success(), "the benchmark did not finish");
    Ok(())
}

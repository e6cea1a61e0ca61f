//! `cargo xtask bench`: how fast, as ratios against what one would use instead, in one run on one machine.
//!
//! In: which part. Out: a table on standard output, and with `--write` in `docs/benchmarks.md` between its
//! markers. Never: a pass or a fail. Times belong to a machine and its mood, so both sides run in turn, round
//! after round, and medians are compared.

mod list;
mod machine;
mod measure;
mod page;
mod stats;

use clap::ValueEnum;

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
}

impl Part {
    /// As the page's markers call it.
    fn name(self) -> &'static str {
        match self {
            Self::List => "list",
        }
    }

    fn table(self, rounds: Option<usize>) -> anyhow::Result<String> {
        match self {
            Self::List => list::table(rounds),
        }
    }
}

pub fn run(args: &Args) -> anyhow::Result<()> {
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

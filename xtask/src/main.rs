//! Repository chores: `cargo xtask TASK`. One file per task; each says on top what it does.

mod demo;
mod lab;
mod shell;
mod test;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Repository chores")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Show the main job, as a user would type it, in a lab host
    Demo,
    /// Check and test everything, as CI does
    Test(test::Args),
    /// Start, use and stop emulated passthrough hosts
    #[command(subcommand)]
    Lab(lab::Lab),
}

fn main() -> anyhow::Result<()> {
    match Args::parse().task {
        Task::Demo => demo::run(),
        Task::Test(args) => test::run(&args),
        Task::Lab(verb) => lab::run(&verb),
    }
}

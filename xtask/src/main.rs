//! Repository chores: `cargo xtask TASK`. One file per task; each says on top what it does.

mod bench;
mod check_deps;
mod demo;
mod generate;
mod lab;
mod machines;
mod shell;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Repository chores")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Do crates, paths and modules stand as ARCHITECTURE.md says?
    CheckDeps,
    /// Write man pages, completions and reference pages
    Gen(generate::Args),
    /// Show the main job, as a user would type it: in a lab host, or with devices of this machine
    Demo(demo::Demo),
    /// Check and test everything, as CI does
    Test(test::Args),
    /// How fast, as ratios
    Bench(bench::Args),
    /// Run a command and print what it cost
    #[command(hide = true)]
    Measure(bench::MeasureArgs),
    /// Start, use and stop emulated passthrough hosts
    #[command(subcommand)]
    Lab(lab::Lab),
}

fn main() -> ExitCode {
    let done = match Args::parse().task {
        Task::CheckDeps => check_deps::run(),
        Task::Gen(args) => generate::run(&args),
        Task::Demo(demo) => demo.run(),
        Task::Test(args) => test::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Measure(args) => bench::measure(&args),
        Task::Lab(verb) => lab::run(&verb),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

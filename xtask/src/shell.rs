//! Runs a program of the checkout in sight of the user.

use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

/// Runs a program in the repository's root; a failure is ours too.
pub fn run(program: &str, args: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(program)
        .args(args)
        .current_dir(lab::places::repository())
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot start {program}"))?;
    if !status.success() {
        bail!("{program} {} failed ({status})", args.join(" "));
    }
    Ok(())
}

/// The cargo that runs this task.
pub fn cargo(args: &[&str]) -> anyhow::Result<()> {
    run(&cargo_program(), args)
}

/// The same, in silence: how it ended and what it said.
pub fn cargo_quietly(args: &[&str]) -> anyhow::Result<Output> {
    let program = cargo_program();
    Command::new(&program)
        .args(args)
        .current_dir(lab::places::repository())
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {program}"))
}

/// What cargo knows of the workspace's packages.
pub fn cargo_metadata() -> anyhow::Result<Value> {
    let output = cargo_quietly(&["metadata", "--no-deps", "--offline", "--format-version", "1"])?;
    serde_json::from_slice(&output.stdout).context("cargo metadata")
}

fn cargo_program() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

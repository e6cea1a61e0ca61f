//! Runs a program of the checkout in sight of the user.

use std::process::{Command, Stdio};

use anyhow::{Context, bail};

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
    run(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()), args)
}

//! One run of a command, measured.
//!
//! The kernel adds up the costs of all children of a process (`getrusage(RUSAGE_CHILDREN)`), and the peak of
//! memory cannot be reset. So each run gets a process of its own, this program as `cargo xtask measure`,
//! whose only child is the command.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

/// This program, even where a build has replaced its file since.
pub const SELF: &str = "/proc/self/exe";

/// What one run cost.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub wall: Duration,
    /// On all processors together, in user mode and in the kernel.
    pub cpu: Duration,
    /// Most memory that was resident at once, in KiB. It is no less than this program's own, which the
    /// kernel counts until the command replaces it.
    pub peak: u64,
}

/// `cargo xtask measure -- COMMAND`: run it, its output thrown away, and print the cost.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let (program, rest) = args.command.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let status = command.status().with_context(|| format!("cannot start {program}"))?;
    let wall = start.elapsed();
    ensure!(status.success(), "{} failed ({status})", args.command.join(" "));
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("getrusage")?;
    let cpu = micros(usage.user_time()) + micros(usage.system_time());
    println!("{} {cpu} {}", wall.as_micros(), usage.max_rss());
    Ok(())
}

fn micros(time: TimeVal) -> i64 {
    time.tv_sec() * 1_000_000 + time.tv_usec()
}

/// Runs a command and measures it.
pub fn cost(command: &[String]) -> anyhow::Result<Cost> {
    let this = std::env::current_exe().context("own program")?;
    let output =
        Command::new(this).arg("measure").arg("--").args(command).output().context("measure")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [wall, cpu, peak] = numbers[..] else {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    };
    Ok(Cost { wall: Duration::from_micros(wall), cpu: Duration::from_micros(cpu), peak })
}

/// System calls that a command makes, its threads and children included.
pub fn system_calls(command: &[String]) -> anyhow::Result<u64> {
    let strace = ["-f", "-c", "-U", "calls,name", "-o"];
    let report = tempfile::NamedTempFile::new().context("temporary file")?;
    let output = Command::new("strace")
        .args(strace)
        .arg(report.path())
        .args(command)
        .output()
        .context("strace (setup/install installs it)")?;
    ensure!(output.status.success(), "strace: {}", String::from_utf8_lossy(&output.stderr).trim());
    let text = std::fs::read_to_string(report.path()).context("report of strace")?;
    let total = text.lines().find_map(|line| line.trim().strip_suffix("total"));
    total.and_then(|calls| calls.trim().parse().ok()).context("strace gave no total")
}

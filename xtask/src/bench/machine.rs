//! On what the numbers were taken.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use anyhow::Context;

/// A paragraph: processor, kernel, distribution, the state of the checkout, and how busy the machine was.
pub fn text() -> anyhow::Result<String> {
    let cpu = value("/proc/cpuinfo", "model name", ':')?;
    let processors = available_parallelism().context("number of processors")?;
    let system = value("/etc/os-release", "PRETTY_NAME", '=')?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("kernel release")?;
    let load = fs::read_to_string("/proc/loadavg").context("load")?;
    let load = load.split_whitespace().next().unwrap_or_default();
    let commit =
        Command::new("git").args(["describe", "--always", "--dirty"]).output().context("git")?;
    let commit = String::from_utf8_lossy(&commit.stdout).trim().to_owned();
    Ok(format!(
        "Machine: {cpu}, {processors} processors, {system}, Linux {}; load {load} at the start; passthru {commit}.\n\n",
        kernel.trim()
    ))
}

fn value(path: &str, key: &str, separator: char) -> anyhow::Result<String> {
    let text = fs::read_to_string(path).with_context(|| path.to_owned())?;
    let pairs = text.lines().filter_map(|line| line.split_once(separator));
    let value = pairs.into_iter().find(|(name, _)| name.trim() == key).map(|(_, value)| value);
    Ok(value.unwrap_or("unknown").trim().trim_matches('"').to_owned())
}

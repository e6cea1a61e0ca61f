//! `passthru list --json` against `lspci -nnk`, on the same made trees.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;
use tempfile::TempDir;

use super::measure::system_calls;
use super::turns::{self, Turns, Who};
use crate::shell::cargo;

/// Functions in a tree, and how often both sides list it.
const SIZES: &[(usize, usize)] = &[(64, 31), (1_000, 21), (10_000, 11)];
/// Where both find the names of vendors and devices.
const NAMES: &str = "usr/share/misc/pci.ids";

/// The two sides on one tree.
struct Contest {
    passthru: Vec<String>,
    lspci: Vec<String>,
}

/// What a tree of some size showed.
struct Row {
    count: usize,
    /// System calls, ours and theirs.
    calls: [u64; 2],
    turns: Turns,
}

pub fn table(rounds: Option<usize>) -> anyhow::Result<String> {
    cargo(&["build", "--quiet", "--release", "-p", "cli", "--bin", "passthru"])?;
    cargo(&["build", "--quiet", "--release", "-p", "host", "--example", "many_functions"])?;
    let rows = SIZES.iter().map(|(count, usual)| row(*count, rounds.unwrap_or(*usual)));
    let rows = rows.collect::<anyhow::Result<Vec<Row>>>()?;
    let mut text = String::from(
        "| functions | time | spread | CPU time | passthru | lspci | system calls per function | peak memory |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for row in &rows {
        row.line(&mut text);
    }
    if let [.., before, last] = &rows[..] {
        let _ = writeln!(text, "\n{}", growth(before, last));
    }
    let Contest { passthru, lspci } = Contest::on(Path::new("TREE"), Path::new("target/release"));
    let _ = writeln!(text, "\n```sh\n{}\n{}\n```", passthru.join(" "), lspci.join(" "));
    Ok(text)
}

fn row(count: usize, rounds: usize) -> anyhow::Result<Row> {
    eprintln!("bench: a tree of {count} functions");
    let tree = tree(count)?;
    let contest = Contest::on(tree.path(), &lab::places::target().join("release"));
    contest.check(count)?;
    let Contest { passthru, lspci } = &contest;
    let calls = [system_calls(passthru)?, system_calls(lspci)?];
    let turns = turns::take(passthru, lspci, rounds)?;
    Ok(Row { count, calls, turns })
}

/// A made tree with the names beside it, so that both sides read the same file.
pub fn tree(count: usize) -> anyhow::Result<TempDir> {
    let folder = lab::places::target().join("bench");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let tree = TempDir::with_prefix_in(format!("{count}-"), &folder).context("temporary folder")?;
    let make = lab::places::target().join("release/examples/many_functions");
    let made = Command::new(&make).arg(tree.path()).arg(count.to_string()).status();
    ensure!(made.with_context(|| make.display().to_string())?.success(), "no tree was made");
    let names = tree.path().join(NAMES);
    fs::create_dir_all(names.parent().unwrap_or(&names)).context("folder of names")?;
    symlink(Path::new("/").join(NAMES), names).context("link to the names")?;
    Ok(tree)
}

impl Contest {
    fn on(tree: &Path, binaries: &Path) -> Self {
        let words = |line: String| line.split(' ').map(str::to_owned).collect();
        let tree = tree.display();
        let passthru = binaries.join("passthru");
        Self {
            passthru: words(format!("{} list --all --json --root {tree}", passthru.display())),
            lspci: words(format!("lspci -D -nnk -O sysfs.path={tree}/sys/bus/pci")),
        }
    }

    /// Both must have listed every function with its driver, or they did not do the same.
    fn check(&self, count: usize) -> anyhow::Result<()> {
        let theirs = output(&self.lspci)?;
        let functions =
            theirs.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_hexdigit()));
        let drivers = theirs.lines().filter(|line| line.contains("Kernel driver in use"));
        ensure!(
            (functions.count(), drivers.count()) == (count, count),
            "lspci does not list all {count} functions"
        );
        let ours: Value =
            serde_json::from_str(&output(&self.passthru)?).context("output of passthru")?;
        let functions = ours["functions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let whole = |row: &&Value| row["driver"].is_string() && row["group"].is_number();
        ensure!(
            functions.len() == count,
            "passthru lists {} of {count} functions",
            functions.len()
        );
        ensure!(
            functions.iter().all(|row| whole(&row)),
            "passthru does not know all drivers and groups"
        );
        Ok(())
    }
}

fn output(command: &[String]) -> anyhow::Result<String> {
    let output = Command::new(&command[0]).args(&command[1..]).output();
    let output = output.with_context(|| command[0].clone())?;
    ensure!(
        output.status.success(),
        "{}: {}",
        command.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Row {
    fn line(&self, text: &mut String) {
        let Self { count, calls, turns } = self;
        let [ours, theirs] = calls.map(|calls| calls as f64 / *count as f64);
        let _ = writeln!(
            text,
            "| {count} | **{:.2}** | ±{:.0} % | {:.2} | {:.1} ms | {:.1} ms | {ours:.1} / {theirs:.1} | {:.0} / {:.0} MB |",
            turns.time(),
            turns.spread(),
            turns.cpu(),
            turns.millis(Who::Ours),
            turns.millis(Who::Theirs),
            turns.peak(Who::Ours),
            turns.peak(Who::Theirs),
        );
    }
}

fn growth(before: &Row, last: &Row) -> String {
    let times = |of: fn(&Row) -> f64| of(last) / of(before);
    format!(
        "From {} to {} functions, {} times as many: passthru takes {:.1} times as long, lspci {:.1} times.",
        before.count,
        last.count,
        last.count / before.count,
        times(|row| row.turns.millis(Who::Ours)),
        times(|row| row.turns.millis(Who::Theirs)),
    )
}

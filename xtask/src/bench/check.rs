//! `passthru check` against a bare read of the same files, on made trees and on a recorded server.
//!
//! Which files those are is asked of the program itself, by strace: every regular file below the tree that it
//! opens, once each. `cat` reads them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};
use host::record::Recording;
use tempfile::TempDir;

use super::list::tree;
use super::turns::{self, Who};
use crate::shell::cargo;

/// Functions in a tree, and how often both sides read it.
const SIZES: &[(usize, usize)] = &[(64, 31), (1_000, 21), (10_000, 11)];
/// The largest of the recorded machines.
const SERVER: (&str, usize) = ("server-8gpu-a100", 31);

pub fn table(rounds: Option<usize>) -> anyhow::Result<String> {
    cargo(&["build", "--quiet", "--release", "-p", "cli", "--bin", "passthru"])?;
    cargo(&["build", "--quiet", "--release", "-p", "host", "--example", "many_functions"])?;
    let mut text = String::from(
        "| machine | time | spread | passthru | cat | files |\n|---|---|---|---|---|---|\n",
    );
    for (count, usual) in SIZES {
        eprintln!("bench: a tree of {count} functions");
        let tree = tree(*count)?;
        row(&format!("{count} functions"), tree.path(), rounds.unwrap_or(*usual), &mut text)?;
    }
    let (name, usual) = SERVER;
    eprintln!("bench: {name}");
    let tree = unpacked(name)?;
    row(name, tree.path(), rounds.unwrap_or(usual), &mut text)?;
    text.push_str("\n```sh\npassthru check --root TREE\nxargs -0 cat <FILES\n```\n");
    Ok(text)
}

/// A recorded machine as a tree.
fn unpacked(name: &str) -> anyhow::Result<TempDir> {
    let path = lab::places::repository().join("machines").join(name);
    let recording = Recording::read_from(&path)?;
    let tree = TempDir::with_prefix_in("recorded-", lab::places::target().join("bench"))
        .context("temporary folder")?;
    host::replay::unpack(&recording, tree.path())?;
    Ok(tree)
}

fn row(name: &str, tree: &Path, rounds: usize, text: &mut String) -> anyhow::Result<()> {
    let passthru = lab::places::target().join("release/passthru");
    // 3: it was looked at, and is not ready.
    let check = format!(
        "{} check --root {}; test $? -eq 0 -o $? -eq 3",
        passthru.display(),
        tree.display()
    );
    let files = files(&check, tree)?;
    let list = tempfile::NamedTempFile::new().context("list of files")?;
    let names = files.iter().fold(String::new(), |list, path| list + path + "\0");
    fs::write(list.path(), names).context("list of files")?;
    let bare = format!("xargs -0 cat <{}", list.path().display());
    let command = |line: &str| ["sh", "-c", line].map(str::to_owned);
    let turns = turns::take(&command(&check), &command(&bare), rounds)?;
    writeln!(
        text,
        "| {name} | **{:.2}** | ±{:.0} % | {:.1} ms | {:.1} ms | {} |",
        turns.time(),
        turns.spread(),
        turns.millis(Who::Ours),
        turns.millis(Who::Theirs),
        files.len(),
    )
    .context("table")
}

/// The regular files below a tree that a command opens.
fn files(line: &str, tree: &Path) -> anyhow::Result<BTreeSet<String>> {
    let report = tempfile::NamedTempFile::new().context("temporary file")?;
    let strace = ["-f", "-qq", "-y", "-e", "trace=open,openat,openat2", "-o"];
    let output =
        Command::new("strace").args(strace).arg(report.path()).args(["sh", "-c", line]).output();
    let output = output.context("strace (setup/install installs it)")?;
    ensure!(output.status.success(), "strace: {}", String::from_utf8_lossy(&output.stderr).trim());
    let text = fs::read_to_string(report.path()).context("report of strace")?;
    // `openat(3</sys>, "x", O_RDONLY|O_CLOEXEC) = 4</sys/x>`
    let opened = text.lines().filter_map(|line| line.rsplit_once(") = ")?.1.split_once('<'));
    let paths = opened.filter_map(|(_, path)| path.strip_suffix('>'));
    let below = paths.filter(|path| Path::new(path).starts_with(tree) && Path::new(path).is_file());
    let files: BTreeSet<String> = below.map(str::to_owned).collect();
    ensure!(!files.is_empty(), "no file was opened below {}", tree.display());
    Ok(files)
}

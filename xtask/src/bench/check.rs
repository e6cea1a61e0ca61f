//! `passthru check` against a bare read of the same files, on made trees.
//!
//! Which files those are is asked of the program itself, by strace: every regular file below the tree that it
//! opens, once each. `cat` reads them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use super::list::tree;
use super::measure::{Cost, cost};
use super::stats::{median, spread};
use crate::shell::cargo;

/// Functions in a tree, and how often both sides read it.
const SIZES: &[(usize, usize)] = &[(64, 31), (1_000, 21), (10_000, 11)];

pub fn table(rounds: Option<usize>) -> anyhow::Result<String> {
    cargo(&["build", "--quiet", "--release", "-p", "cli", "--bin", "passthru"])?;
    cargo(&["build", "--quiet", "--release", "-p", "host", "--example", "many_functions"])?;
    let mut text = String::from(
        "| functions | time | spread | passthru | cat | files |\n|---|---|---|---|---|---|\n",
    );
    for (count, usual) in SIZES {
        row(*count, rounds.unwrap_or(*usual), &mut text)?;
    }
    text.push_str("\n```sh\npassthru check --root TREE\nxargs -0 cat <FILES\n```\n");
    Ok(text)
}

fn row(count: usize, rounds: usize, text: &mut String) -> anyhow::Result<()> {
    eprintln!("bench: a tree of {count} functions");
    let tree = tree(count)?;
    let passthru = lab::places::target().join("release/passthru");
    // 3: this host is not ready, which made ones are not.
    let check =
        format!("{} check --root {}; test $? = 3", passthru.display(), tree.path().display());
    let files = files(&check, tree.path())?;
    let list = tree.path().join("files");
    fs::write(&list, files.iter().fold(String::new(), |list, path| list + path + "\0"))
        .context("list of files")?;
    let bare = format!("xargs -0 cat <{}", list.display());
    let command = |line: &str| ["sh", "-c", line].map(str::to_owned);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let (first, second) = if round % 2 == 0 { (&check, &bare) } else { (&bare, &check) };
        let both = [cost(&command(first))?, cost(&command(second))?];
        let [mine, other] = if round % 2 == 0 { both } else { [both[1], both[0]] };
        ours.push(mine);
        theirs.push(other);
    }
    let seconds = |cost: &Cost| cost.wall.as_secs_f64();
    let parts: Vec<f64> =
        ours.iter().zip(&theirs).map(|(mine, other)| seconds(mine) / seconds(other)).collect();
    let millis = |side: &[Cost]| median(side.iter().map(|cost| seconds(cost) * 1e3));
    writeln!(
        text,
        "| {count} | **{:.2}** | ±{:.0} % | {:.1} ms | {:.1} ms | {} |",
        median(parts.iter().copied()),
        spread(&parts) * 50.0,
        millis(&ours),
        millis(&theirs),
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

//! `cargo xtask gen`: documents that follow from the code; `--check` says which are stale.
//!
//! Man pages and completions come from the argument definitions, the
//! reference of reasons and quirks from the tables in `model`, the described
//! machines from their catalogue.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap_complete::{Shell, generate};
use model::quirks::QUIRKS;
use model::reason::{Code, Weight};

use crate::machines;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write nothing; fail when a file is not what it should be
    #[arg(long)]
    check: bool,
}

type File = (PathBuf, Vec<u8>);

const SHELLS: &[Shell] = &[Shell::Bash, Shell::Zsh, Shell::Fish];

pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut files = vec![(PathBuf::from("docs/reasons.md"), reasons().into_bytes())];
    files.push((PathBuf::from("docs/checks.md"), checks().into_bytes()));
    files.extend(completions());
    files.extend(man_pages()?);
    files.extend(machines::files());
    if args.check { check(&files) } else { write(&files) }
}

fn write(files: &[File]) -> anyhow::Result<()> {
    for (path, content) in files {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        fs::write(path, content).with_context(|| path.display().to_string())?;
    }
    for path in surplus(files)? {
        fs::remove_file(&path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn check(files: &[File]) -> anyhow::Result<()> {
    let stale =
        files.iter().filter(|(path, content)| fs::read(path).ok().as_ref() != Some(content));
    let mut wrong: Vec<String> = stale.map(|(path, _)| path.display().to_string()).collect();
    wrong.extend(surplus(files)?.iter().map(|path| format!("{} (no longer made)", path.display())));
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("stale, run `cargo xtask gen`:\n{}", wrong.join("\n"))
}

/// Man pages of commands that are gone.
fn surplus(files: &[File]) -> anyhow::Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir("docs/man") else { return Ok(Vec::new()) };
    let mut surplus = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if !files.iter().any(|(made, _)| *made == path) {
            surplus.push(path);
        }
    }
    Ok(surplus)
}

fn completions() -> Vec<File> {
    let made = SHELLS.iter().map(|shell| {
        let mut text = Vec::new();
        generate(*shell, &mut cli::command(), "passthru", &mut text);
        (Path::new("docs/completions").join(format!("passthru.{shell}")), text)
    });
    made.collect()
}

fn man_pages() -> anyhow::Result<Vec<File>> {
    let mut command = cli::command();
    command.build();
    let mut files = Vec::new();
    pages_of(&command, "passthru", &mut files)?;
    Ok(files)
}

fn pages_of(command: &clap::Command, name: &str, files: &mut Vec<File>) -> anyhow::Result<()> {
    files.push((Path::new("docs/man").join(format!("{name}.1")), page_of(command)?));
    for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
        pages_of(sub, &format!("{name}-{}", sub.get_name()), files)?;
    }
    Ok(())
}

/// clap_mangen's page, with the usage in place of a synopsis that leaves the values of options out.
fn page_of(command: &clap::Command) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    // The name in full (`passthru-bind`) was set when the command was built.
    let version = cli::command().render_version().trim().to_owned();
    let page = clap_mangen::Man::new(command.clone()).source(version);
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ").replace('-', "\\-");
    writeln!(text, ".SH SYNOPSIS\n{usage}")?;
    page.render_description_section(&mut text)?;
    page.render_options_section(&mut text)?;
    if command.has_subcommands() {
        page.render_subcommands_section(&mut text)?;
    }
    match command.get_after_long_help() {
        Some(_) => page.render_extra_section(&mut text)?,
        None => writeln!(text, ".SH \"EXIT STATUS\"\nAs told in\n.BR passthru (1).")?,
    }
    if command.get_version().is_some() {
        page.render_version_section(&mut text)?;
    }
    Ok(text)
}

fn checks() -> String {
    let mut page = String::from(
        "# Checks\n\n\
         What `passthru check` looks at. The names are stable: scripts may rely on them. A check that is\n\
         *required* fails, and is not ready when it is unknown; one that is *advised* warns. This page is\n\
         generated from `crates/model/src/check/` by `cargo xtask gen`.\n\n\
         | check | what is checked | |\n|---|---|---|\n",
    );
    for check in model::check::all() {
        let _ =
            writeln!(page, "| `{}` | {} | {} |", check.name, check.about, check.severity.word());
    }
    page
}

fn reasons() -> String {
    let mut page = String::from(
        "# Reasons\n\n\
         Why a device cannot be passed through, or what to know when it can. The codes are stable:\n\
         scripts may rely on them. This page is generated from `crates/model/src/reason.rs` and\n\
         `quirks.rs` by `cargo xtask gen`.\n",
    );
    for (weight, title) in [
        (Weight::Blocks, "Cannot be passed through"),
        (Weight::Override, "Refused, unless `--override CODE` lets it go"),
        (Weight::Unsure, "Not known: a change is refused, unless `--override CODE` lets it go"),
        (Weight::Condition, "Works under a condition"),
        (Weight::Note, "Worth knowing"),
    ] {
        let _ = write!(page, "\n## {title}\n\n| code | meaning |\n|---|---|\n");
        for code in Code::ALL.iter().filter(|code| code.weight() == weight) {
            let meaning: Vec<&str> = code.meaning().split_whitespace().collect();
            let _ = writeln!(page, "| `{code}` | {} |", meaning.join(" "));
        }
    }
    page.push_str("\n## Devices that are known by their ids\n\n| ids | code | what | source |\n|---|---|---|---|\n");
    for quirk in QUIRKS {
        let first: Vec<String> =
            quirk.devices.iter().take(3).map(|id| format!("{id:04x}")).collect();
        let more = if quirk.devices.len() > 3 { " …" } else { "" };
        let ids = format!("{:04x}:{}{more}", quirk.vendor, first.join(" "));
        let _ = writeln!(
            page,
            "| `{ids}` | `{}` | {}; {} | {} |",
            quirk.code, quirk.text, quirk.hint, quirk.source
        );
    }
    page
}

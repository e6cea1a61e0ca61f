//! What hints tell users to type is there to be typed.
//!
//! Reasons are made in crates that do not know the command line, so nothing
//! but this keeps `--viommu` from being called `--iommu` there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;

/// Crates whose texts end up before a user.
const SPEAKING: &[&str] = &["cli", "engine", "host", "hypervisors", "model"];

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => sources(&path, into),
            false if path.extension().is_some_and(|end| end == "rs") => into.push(path),
            false => {}
        }
    }
}

/// Literals that are sentences. A program's argument is one word, or begins
/// with `--key=`.
fn sentences(source: &str) -> impl Iterator<Item = &str> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    let literals = code.flat_map(|line| line.split('"').skip(1).step_by(2));
    let argument = |text: &&str| {
        let key = text.split(' ').next().unwrap_or_default();
        !text.trim().contains(' ') || (key.starts_with("--") && key.contains('='))
    };
    literals.filter(move |text| !argument(text))
}

/// Words that look like options.
fn options(text: &str) -> impl Iterator<Item = &str> {
    let in_name = |char: char| char == '-' || char.is_ascii_lowercase() || char.is_ascii_digit();
    let words = text.split(move |char| !in_name(char));
    words
        .filter_map(|word| word.strip_prefix("--"))
        .filter(|name| name.starts_with(char::is_alphanumeric))
}

/// The first word behind `passthru` in backquotes.
fn verbs(text: &str) -> impl Iterator<Item = &str> {
    text.split("`passthru ").skip(1).filter_map(|rest| rest.split([' ', '`']).next())
}

fn known(command: &Command, options: &mut BTreeSet<String>) {
    options.extend(command.get_arguments().filter_map(|arg| arg.get_long()).map(str::to_owned));
    command.get_subcommands().for_each(|verb| known(verb, options));
}

/// Options of other programs that hints name (`ppc64_cpu --smt=off`), or that
/// files are written with (GRUB's `--id`).
const OTHERS: &[&str] =
    &["append-if-missing", "delete-if-present", "disable", "enable", "id", "smt", "system"];

#[test]
fn options_and_verbs_in_texts_exist() {
    let mut command = cli::command();
    command.build();
    let mut known_options = BTreeSet::new();
    known(&command, &mut known_options);
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    SPEAKING.iter().for_each(|name| sources(&crates.join(name).join("src"), &mut files));
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for file in files {
        let source = fs::read_to_string(&file).unwrap();
        for text in sentences(&source) {
            let named: Vec<&str> = options(text).collect();
            let ours = |name: &&&str| !OTHERS.contains(*name);
            let bad = named.iter().filter(ours).filter(|name| !known_options.contains(**name));
            wrong.extend(bad.map(|name| format!("{}: --{name}", file.display())));
            let missing = verbs(text).filter(|verb| command.find_subcommand(verb).is_none());
            wrong.extend(missing.map(|verb| format!("{}: passthru {verb}", file.display())));
            seen.extend(named.iter().map(|name| (*name).to_owned()));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    // The search finds what is known to be there.
    for name in ["viommu", "stop-services", "accel"] {
        assert!(seen.contains(name), "{name} is in none of the texts: {seen:?}");
    }
}

//! Do the rooms still stand as ARCHITECTURE.md draws them?
//!
//! Four checks that the compiler does not make: an arrow between crates
//! that is not in the table, a path of the machine that is written outside of
//! `host/src/paths.rs`, a look at such a path outside of `host`, and a module
//! that does not say what it is.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// Which crates a crate may use (development dependencies are free).
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("host", &["model"]),
    ("hypervisors", &["model"]),
    ("engine", &["model", "host", "hypervisors"]),
    ("cli", &["model", "host", "hypervisors", "engine"]),
    ("guest", &[]),
    ("fakehost", &["model", "host"]),
    ("lab", &["hypervisors"]),
    ("xtask", &["model", "cli", "host", "lab"]),
];

/// The one file that knows where things are on a machine.
const PATHS: &str = "crates/host/src/paths.rs";
/// The parts of it that are files of their own.
const PATHS_PARTS: &str = "crates/host/src/paths";

/// Crates that run on a machine of their own: the guest inside its guest, the
/// lab beside its emulated hosts, the chores in the repository.
const OTHER_MACHINES: &[&str] = &["guest", "lab", "xtask"];

/// Crates that look at a machine, or build the tree of one.
const DOORS: &[&str] = &["host", "fakehost"];

/// What a path of the machine comes from.
const ROOTS: &[&str] = &["root.", "Root::real()."];

/// What looks at a path: functions, and methods of a path.
const LOOKS: &[&str] = &[
    "fs::",
    "File::open(",
    ".open(",
    ".exists()",
    ".try_exists()",
    ".is_dir()",
    ".is_file()",
    ".metadata()",
    ".read_dir()",
    ".read_link()",
    ".canonicalize()",
];

const PLACES: &[&str] = &["sys", "proc", "etc", "dev", "boot"];

pub fn run() -> anyhow::Result<()> {
    let mut wrong = arrows()?;
    for file in sources()? {
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        wrong.extend(literals(&file, &text));
        wrong.extend(looks(&file, &text));
        if !text.starts_with("//!") {
            wrong.push(format!("{}: begins without `//!`: say what it is", file.display()));
        }
    }
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{}", wrong.join("\n"))
}

fn arrows() -> anyhow::Result<Vec<String>> {
    let metadata = crate::shell::cargo_metadata()?;
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            wrong.push(format!("crate {name} is not in the table of xtask/src/check_deps.rs"));
            continue;
        };
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        for dependency in dependencies.filter(|dependency| dependency["kind"] != "dev") {
            let to = dependency["name"].as_str().unwrap_or_default();
            let ours = ARROWS.iter().any(|(crate_name, _)| *crate_name == to);
            if ours && !allowed.contains(&to) {
                wrong.push(format!("crate {name} must not use {to}: see ARCHITECTURE.md"));
            }
        }
    }
    Ok(wrong)
}

/// All source files of the program, tests left out.
fn sources() -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from("xtask/src")];
    for entry in fs::read_dir("crates").context("crates")? {
        folders.push(entry?.path().join("src"));
    }
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                folders.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

fn literals(file: &Path, text: &str) -> Vec<String> {
    if file == Path::new(PATHS) || file.starts_with(PATHS_PARTS) || is_of(file, OTHER_MACHINES) {
        return Vec::new();
    }
    let code = without_tests(text).lines().enumerate();
    let written =
        code.filter(|(_, line)| !line.trim_start().starts_with("//") && names_place(line));
    written
        .map(|(index, _)| {
            format!("{}:{}: a path of the machine; {PATHS} knows those", file.display(), index + 1)
        })
        .collect()
}

/// Looks at a path in the very statement that takes it from the root. A path
/// that is kept in a variable first is not seen: that would take a compiler.
fn looks(file: &Path, text: &str) -> Vec<String> {
    if is_of(file, OTHER_MACHINES) || is_of(file, DOORS) {
        return Vec::new();
    }
    let (mut wrong, mut line) = (Vec::new(), 1);
    for statement in without_tests(text).split_inclusive([';', '{', '}']) {
        let code = statement.trim_start();
        let blank = &statement[..statement.len() - code.len()];
        line += blank.matches('\n').count();
        if is_look(code) {
            let at = file.display();
            wrong.push(format!("{at}:{line}: a look at the machine; crates/host does that"));
        }
        line += code.matches('\n').count();
    }
    wrong
}

fn is_look(statement: &str) -> bool {
    let code = statement.lines().filter(|line| !line.trim_start().starts_with("//"));
    // A long one is broken where a dot or a parenthesis stands.
    let code: String = code.flat_map(str::split_whitespace).collect();
    let has = |words: &[&str]| words.iter().any(|word| code.contains(word));
    has(ROOTS) && has(LOOKS)
}

fn is_of(file: &Path, crates: &[&str]) -> bool {
    let is_of = |name: &&str| {
        file.starts_with(Path::new("crates").join(name)) || file.starts_with(Path::new(name))
    };
    crates.iter().any(is_of)
}

/// What stands before the module of tests at a file's end. A declaration or an import for tests alone ends nothing.
fn without_tests(text: &str) -> &str {
    const TESTS: &str = "#[cfg(test)]\n";
    let begins = |at: &usize| {
        let next = text[at + TESTS.len()..].lines().next().unwrap_or_default();
        next.starts_with("mod ") && next.ends_with('{')
    };
    let at = text.match_indices(TESTS).map(|(at, _)| at).find(begins);
    &text[..at.unwrap_or(text.len())]
}

/// Whether a string literal in this line begins with a place of the machine.
fn names_place(line: &str) -> bool {
    line.split('"').skip(1).step_by(2).any(|literal| {
        let Some(rest) = literal.strip_prefix('/') else { return false };
        let first = rest.split('/').next().unwrap_or_default();
        // What a diff calls no file is no place.
        PLACES.contains(&first) && rest != "dev/null"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_an_import_for_tests_is_looked_at() {
        let text = "#[cfg(test)]\nmod sequences;\ncode\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(without_tests(text), "#[cfg(test)]\nmod sequences;\ncode\n");
    }

    #[test]
    fn a_look_at_the_machine_is_found() {
        for (statement, want) in [
            ("fs::read_to_string(at.root.cpuinfo())", true),
            ("let Ok(all) = fs::read_dir(root.hugepage_sizes()) else", true),
            ("OpenOptions::new().read(true)\n    .open(\n    self.root.kvm())", true),
            ("if Root::real()\n    .systemd()\n    .exists()", true),
            ("let path = root.kvm();", false),
            ("std::fs::read_link(self.host.root().join(link))", false),
            ("fs::read(&self.path)", false),
            ("// fs::read(root.kvm())\nlet free = free_on_node(root, node);", false),
        ] {
            assert_eq!(is_look(statement), want, "{statement}");
        }
        let text = "//! Head.\nfn usable() -> bool {\n    File::open(root.kvm()).is_ok()\n}\n";
        let [engine, host] = ["engine", "host"].map(|name| format!("crates/{name}/src/kvm.rs"));
        let found = looks(Path::new(&engine), text);
        assert!(matches!(&found[..], [one] if one.contains("kvm.rs:3: a look")), "{found:?}");
        assert!(looks(Path::new(&host), text).is_empty());
    }

    #[test]
    fn places_are_found_in_literals_only() {
        for (line, want) in [
            (r#"let path = "/sys/bus/pci";"#, true),
            (r#"join("/dev")"#, true),
            (r#"format!("{a} and {b}"), "/proc/{pid}""#, true),
            (r#"let path = "sys/bus";"#, false),
            (r#"text("see /sys/bus")"#, false),
            (r#""/system""#, false),
            ("let a = b / sys;", false),
        ] {
            assert_eq!(names_place(line), want, "{line}");
        }
    }
}

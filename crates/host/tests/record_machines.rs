//! Every machine of `machines/`: it loads, it observes without a gap or a
//! malformed fact, its text is canonical, and umockdev-run reads it.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use host::observe::{Depth, observe};
use host::record::{DEVICES_FILE, Recording, SIDECAR_FILE};
use host::replay::{self, Replay};
use model::parse::{sidecar, umockdev};
use model::verdict::verdict;
use model::{Function, Snapshot};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines")
}

/// All recordings by name; there must be some.
fn machines() -> BTreeMap<String, PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let folders = entries.filter(|path| path.is_dir());
    let machines: BTreeMap<String, PathBuf> = folders
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path))
        .collect();
    assert!(!machines.is_empty());
    machines
}

fn load(path: &Path) -> Replay {
    replay::load(path).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()))
}

#[test]
fn texts_are_canonical() {
    for (name, path) in machines() {
        let text = fs::read_to_string(path.join(DEVICES_FILE)).unwrap();
        let devices = umockdev::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(umockdev::print(&devices) == text, "{name}");
        let text = fs::read_to_string(path.join(SIDECAR_FILE)).unwrap();
        let sidecar = sidecar::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(sidecar::print(&sidecar) == text, "{name}");
        let recording = Recording { devices, sidecar };
        assert!(Recording::parse(&recording.to_text()) == Ok(recording), "{name} as one file");
    }
}

#[test]
fn each_says_where_it_comes_from() {
    for (name, path) in machines() {
        let source = fs::read_to_string(path.join("SOURCE.md"));
        let source = source.unwrap_or_else(|error| panic!("machines/{name}/SOURCE.md: {error}"));
        assert!(source.lines().count() > 2, "{name}");
    }
}

#[test]
fn each_observes_without_a_gap() {
    for (name, path) in machines() {
        let replay = load(&path);
        let snapshot = observe(replay.root(), Depth::Whole);
        assert_eq!(snapshot.gaps, [], "{name}");
        assert_eq!(snapshot.vanished, [], "{name}");
        let functions = replay.recording().devices.iter();
        let functions = functions.filter(|device| device.subsystem == "pci").count();
        assert_eq!(snapshot.functions.len(), functions, "{name}");
        let malformed = format!("{snapshot:#?}");
        let malformed = malformed.lines().position(|line| line.contains("Malformed"));
        assert_eq!(malformed, None, "{name}: {snapshot:#?}");
    }
}

/// A plan is spared what only a reader wants to know of bridges, and nothing else.
#[test]
fn a_plan_sees_all_of_what_can_move() {
    for (name, path) in machines() {
        let replay = load(&path);
        let [plan, whole] = [Depth::Plan, Depth::Whole].map(|depth| observe(replay.root(), depth));
        assert_eq!(plan.machine, whole.machine, "{name}");
        assert!(plan.functions.keys().eq(whole.functions.keys()), "{name}");
        for (planned, seen) in plan.functions.values().zip(whole.functions.values()) {
            let bdf = seen.bdf;
            assert_eq!(planned.numa_node, seen.numa_node, "{name} {bdf}");
            if seen.stays() {
                let facts =
                    |it: &Function| (it.driver.clone(), it.group.clone(), it.holders.clone());
                assert_eq!(facts(planned), facts(seen), "{name} {bdf}");
                continue;
            }
            assert_eq!(planned, seen, "{name}");
            assert_eq!(verdict(&plan, bdf), verdict(&whole, bdf), "{name} {bdf}");
        }
    }
}

/// One line for each function, with what a verdict rests on.
fn summary(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for function in snapshot.functions.values() {
        let group = function.group_id().map_or("-".to_owned(), |id| id.to_string());
        let driver = function.driver_name().unwrap_or("-");
        write!(out, "{} {} {group} {driver}", function.bdf, function.ids_text()).unwrap();
        for bar in function.bars.known().into_iter().flatten() {
            write!(out, " {}:{:#x}", bar.index, bar.size).unwrap();
        }
        if let Some(caps) = function.capabilities().known() {
            caps.msi.inspect(|msi| write!(out, " msi={}", msi.vectors).unwrap());
            caps.msix.inspect(|msix| write!(out, " msix={}", msix.vectors).unwrap());
        }
        function.uses.iter().for_each(|used| write!(out, "; {used}").unwrap());
        out.push('\n');
    }
    out
}

#[test]
fn each_shows_what_it_was_made_for() {
    for (name, path) in machines() {
        let replay = load(&path);
        let snapshot = observe(replay.root(), Depth::Whole);
        insta::assert_snapshot!(format!("machine__{name}"), summary(&snapshot));
    }
}

/// What `lspci` lists of the recorded devices, run inside of umockdev.
fn lspci(devices: &Path) -> String {
    let mut command = Command::new("umockdev-run");
    // It syncs each of thousands of small files, which is quick in memory only.
    let memory = Path::new("/dev/shm");
    command.env("TMPDIR", if memory.is_dir() { memory } else { Path::new("/tmp") });
    command.arg("--device").arg(devices).args(["--", "lspci", "-D", "-n"]);
    let output = command.output().expect("umockdev-run (package umockdev) must be installed");
    assert!(output.status.success(), "{}: {output:?}", devices.display());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn umockdev_run_reads_each() {
    for (name, path) in machines() {
        let devices = path.join(DEVICES_FILE);
        let listed = lspci(&devices);
        let replay = load(&path);
        let snapshot = observe(replay.root(), Depth::Listing);
        let seen: Vec<(String, String)> = listed
            .lines()
            .map(|line| {
                let mut words = line.split(' ');
                let address = words.next().unwrap().to_owned();
                (address, words.nth(1).unwrap().to_owned())
            })
            .collect();
        let functions = snapshot.functions.values();
        let mut want: Vec<(String, String)> =
            functions.map(|function| (function.bdf.to_string(), function.ids_text())).collect();
        // lspci sorts numbers, the text of a domain may be longer.
        want.sort_by_key(|(address, _)| address.parse::<model::Bdf>().unwrap());
        assert_eq!(seen, want, "{name}");
    }
}

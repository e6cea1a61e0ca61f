//! `prepare` in the trees of other machines, by everything that they boot by:
//! what is shown, what is done there, and what only they can do.

use std::fs;

use fakehost::stacks::{CARD, STACKS, Stack};
use fakehost::{FakeHost, TreeSnapshot};
use insta::assert_snapshot;

use crate::desk::{Said, on};

/// The diff of every file that would be changed, and what is left to a person.
#[test]
fn a_dry_run_on_every_stack() {
    for stack in STACKS {
        let host = stack.machine();
        let before = host.snapshot_tree();
        let said = on(&host, &["prepare", CARD, "--dry-run"]);
        assert_eq!(before.diff(&host.snapshot_tree()), [""; 0], "{}", stack.name);
        assert_snapshot!(format!("dry_run_{}", stack.name), said);
    }
}

/// What is not as it was, but for folders that were made and the journal.
fn differs(host: &FakeHost, before: &TreeSnapshot) -> Vec<String> {
    let diff = before.diff(&host.snapshot_tree()).into_iter();
    diff.filter(|line| !line.contains("var/lib") && !line.ends_with("(folder)")).collect()
}

fn prepare(host: &FakeHost, args: &[&str]) -> Said {
    on(host, &[&["prepare", "--yes"], args].concat())
}

/// A boot loader whose arguments are in files, and nothing that a program makes.
#[test]
fn files_are_changed_in_the_tree_of_another_machine() {
    for (name, devices) in [
        ("fedora-bls", None),
        ("rhel8-grubenv", None),
        ("u-boot-menu", None),
        ("synology", Some(CARD)),
    ] {
        let host = Stack::named(name).machine();
        let before = host.snapshot_tree();
        let said = prepare(&host, &devices.into_iter().collect::<Vec<_>>());
        assert_eq!(said.code, Some(0), "{name}: {said}");
        let changed = differs(&host, &before);
        assert_eq!(changed.is_empty(), name == "synology", "{name}: {changed:?}");
        let said = prepare(&host, &["--undo"]);
        assert_eq!(said.code, Some(0), "{name}: {said}");
        assert_eq!(differs(&host, &before), [""; 0], "{name}: {said}");
    }
}

/// On a disk that is mounted, nothing shows a boot.
#[test]
fn the_tree_of_a_machine_that_does_not_run() {
    let host = Stack::named("u-boot-menu").machine();
    fs::remove_dir_all(host.root().join("proc/sys")).unwrap();
    let before = host.snapshot_tree();
    let said = prepare(&host, &[]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(!differs(&host, &before).is_empty());
    assert_eq!(prepare(&host, &["--undo"]).code, Some(0));
    assert_eq!(differs(&host, &before), [""; 0]);
}

/// No program of this machine is run for another one.
#[test]
fn what_takes_a_program_is_refused_in_the_tree_of_another_machine() {
    let host = Stack::named("debian-grub").machine();
    let before = host.snapshot_tree();
    let said = prepare(&host, &[CARD]);
    assert_eq!(before.diff(&host.snapshot_tree()), [""; 0]);
    assert_eq!(said.code, Some(3));
    assert_snapshot!("refused_elsewhere", said.err);
    let said = prepare(&host, &["--json"]);
    assert_snapshot!("refused_elsewhere_json", said.err);
}

/// A file that is not understood: named once, with its line, and nothing is done.
#[test]
fn a_damaged_file_is_named() {
    let host = Stack::named("debian-grub").machine();
    let path = host.root().join("etc/default/grub");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.find("quiet").unwrap()]).unwrap();
    let before = host.snapshot_tree();
    let said = on(&host, &["prepare", "--dry-run"]);
    assert_eq!(before.diff(&host.snapshot_tree()), [""; 0]);
    assert_snapshot!("damaged_file", said);
}

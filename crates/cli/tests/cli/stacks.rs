//! `prepare` in the trees of other machines, by everything that they boot by:
//! what is shown, what is done there, and what only they can do.

use std::fs;
use std::process::Command;

use fakehost::stacks::{CARD, STACKS, Stack};
use fakehost::{FakeHost, TreeSnapshot};
use insta::assert_snapshot;

use crate::desk::{Said, on, passthru};

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

/// Nobody reads what would be done: then it is not done.
#[test]
fn what_cannot_be_shown_is_not_done() {
    let host = Stack::named("fedora-bls").machine();
    let before = host.snapshot_tree();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_passthru"));
    command.args(["prepare", "--yes", "--root"]).arg(host.root()).stdout(full);
    let said = command.output().unwrap();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("nothing was changed"), "{text}");
    assert_eq!(before.diff(&host.snapshot_tree()), [""; 0]);
}

/// Nobody reads what is amiss: the exit status says it all the same.
#[test]
fn a_host_that_is_not_ready_is_not_ready_in_a_pipe() {
    let host = Stack::named("fedora-bls").machine();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_passthru"));
    command.args(["check", "--root"]).arg(host.root()).stdout(writer);
    let said = command.output().unwrap();
    assert_eq!(said.status.code(), Some(3), "{said:?}");
}

/// A link of another machine's leads nowhere here.
#[test]
fn a_link_that_leads_out_of_the_tree() {
    let host = Stack::named("fedora-bls").machine();
    let path = host.root().join("etc/kernel/cmdline");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
    let said = on(&host, &["prepare", "--dry-run"]);
    assert!(!said.out.contains("/etc/kernel/cmdline"), "{said}");
}

/// What cannot stand in a menu is refused before anything is made.
#[test]
fn arguments_for_no_menu() {
    let host = Stack::named("fedora-bls").machine();
    for word in ["x;reboot", "a=$(b)", "a|b", "it's", "a\\b", "", "--", "a b"] {
        let said = on(&host, &["prepare", "--dry-run", "--argument", word]);
        assert_eq!(said.code, Some(2), "{word}: {said}");
    }
}

/// What is there and no file is not waited for.
#[test]
fn a_pipe_in_the_place_of_a_file() {
    let host = Stack::named("fedora-bls").machine();
    let path = host.root().join("etc/default/grub");
    fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    let said = on(&host, &["prepare", "--dry-run"]);
    assert_eq!(said.code, Some(0), "{said}");
}

/// An entry that was cut off is no reason to change something else in its place.
#[test]
fn a_damaged_entry_is_refused() {
    let host = Stack::named("fedora-bls").machine();
    let entries = host.root().join("boot/loader/entries");
    let entry = fs::read_dir(&entries).unwrap().next().unwrap().unwrap().path();
    fs::write(&entry, "title x\n\0\0\n").unwrap();
    let said = on(&host, &["prepare", "--dry-run"]);
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.err.contains("line 2: there are zeros in it"), "{said}");
}

/// A kernel that came since has the arguments of then.
#[test]
fn an_entry_that_was_made_since_is_told_at_undo() {
    let host = Stack::named("fedora-bls").machine();
    assert_eq!(prepare(&host, &["--argument", "a=1"]).code, Some(0));
    let entries = host.root().join("boot/loader/entries");
    let names = fs::read_dir(&entries).unwrap().map(|entry| entry.unwrap().path());
    let usual =
        names.into_iter().find(|path| !path.to_string_lossy().contains("passthru")).unwrap();
    let text = fs::read_to_string(&usual).unwrap().replace("6.12.0", "6.13.0");
    fs::write(entries.join("newer-6.13.0.conf"), text).unwrap();
    let said = prepare(&host, &["--undo"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.out.contains("a=1 out of /boot/loader/entries/newer-6.13.0.conf"), "{said}");
}

/// What it had before would start nothing any more: said, and not put back.
#[test]
fn an_entry_whose_kernel_is_gone() {
    let host = Stack::named("u-boot-menu").machine();
    assert_eq!(prepare(&host, &["--argument", "a=1"]).code, Some(0));
    let path = host.root().join("boot/extlinux/extlinux.conf");
    let newer = fs::read_to_string(&path).unwrap().replace("6.12.0", "6.13.0");
    fs::write(&path, newer).unwrap();
    fs::remove_file(host.root().join("boot/vmlinuz-6.12.0-fakehost")).unwrap();
    let said = prepare(&host, &["--undo", "--changed", "put-back"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(said.out.contains("names kernels that are gone"), "{said}");
    assert!(said.err.contains("extlinux.conf keeps the changes, without"), "{said}");
    let now = fs::read_to_string(&path).unwrap();
    assert!(now.contains("6.13.0") && !now.contains("a=1"), "{now}");
}

/// Tried twice with other arguments, then for good: the usual label stays the default.
#[test]
fn tried_twice_with_extlinux() {
    let host = Stack::named("extlinux").machine();
    let path = host.root().join("boot/extlinux/extlinux.conf");
    let text = fs::read_to_string(&path).unwrap();
    let marked = text.replacen("\n\tMENU LABEL", "\n\tMENU DEFAULT\n\tMENU LABEL", 1);
    fs::write(&path, &marked).unwrap();
    for args in [["--once", "--argument", "a=1"], ["--once", "--argument", "b=1"]] {
        assert_eq!(prepare(&host, &args).code, Some(0));
    }
    assert_eq!(prepare(&host, &["--argument", "c=1"]).code, Some(0));
    let now = fs::read_to_string(&path).unwrap();
    assert_eq!(
        now.matches("MENU DEFAULT").count(),
        marked.matches("MENU DEFAULT").count(),
        "{now}"
    );
    let trial = now.split("passthru-testing").nth(1).unwrap();
    assert!(trial.contains("b=1") && !trial.contains("a=1"), "{now}");
    assert_eq!(prepare(&host, &["--undo"]).code, Some(0));
    assert_eq!(fs::read_to_string(&path).unwrap(), marked);
}

/// What is named is judged, also where something else would move for it.
#[test]
fn a_drive_behind_vmd_is_refused() {
    let machine = concat!(env!("CARGO_MANIFEST_DIR"), "/../../machines/vmd-xeon-nvme");
    let said = passthru(&["prepare", "10001:02:00.0", "--dry-run", "--machine", machine]);
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.err.contains("VMD"), "{said}");
}

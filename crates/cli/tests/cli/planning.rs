//! Dry runs: what would be done, by the real program on pretended machines.

use crate::desk::{Said, desktop, on};

macro_rules! snapshots {
    ($($name:ident: $($arg:literal)*;)*) => {$(
        #[test]
        fn $name() {
            let host = desktop();
            let before = host.snapshot_tree();
            insta::assert_snapshot!(on(&host, &[$($arg),*, "--dry-run"]));
            assert_eq!(host.snapshot_tree(), before, "a dry run changed something");
        }
    )*};
}

snapshots! {
    bind: "bind" "03:00.0";
    bind_with_company: "bind" "01:00.0";
    bind_with_company_json: "bind" "01:00.0" "--json";
    bind_refused: "bind" "02:00.0" "04:00.0";
    bind_refused_json: "bind" "02:00.0" "--json";
    bind_overridden: "bind" "02:00.0" "--override" "root_disk";
    release_what_is_not_bound: "release" "03:00.0";
    reset: "reset" "01:00.0";
    recover: "recover";
    recover_json: "recover" "--json";
    device_add: "device" "add" "01:00.0" "--name" "gpu0";
    device_add_json: "device" "add" "01:00.0" "--name" "gpu0" "--json";
}

/// The program's options for a guest whose start is only shown.
const GUEST: &[&str] = &["run", "vm1", "--dry-run", "--accel", "tcg"];
const QEMU: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cli/qemu");

fn run(args: &[&str]) -> Said {
    let host = desktop();
    let before = host.snapshot_tree();
    let mut said = on(&host, &[GUEST, &["--program", QEMU], args].concat());
    assert_eq!(host.snapshot_tree(), before, "a dry run changed something");
    said.replace(QEMU, "qemu-system-x86_64");
    said.replace_random_numbers();
    said
}

#[test]
fn run_with_a_kernel() {
    let args =
        ["--kernel", "/boot/vmlinuz", "--initrd", "/boot/initrd", "--append", "quiet splash"];
    insta::assert_snapshot!(run(&args));
}

#[test]
fn run_with_a_kernel_json() {
    insta::assert_snapshot!(run(&["--kernel", "/boot/vmlinuz", "--json"]));
}

#[test]
fn run_with_company() {
    let args = ["--kernel", "/boot/vmlinuz", "--device", "01:00.0", "--device", "01:00.1"];
    insta::assert_snapshot!(run(&args));
}

#[test]
fn run_with_the_root_disk() {
    insta::assert_snapshot!(run(&["--kernel", "/boot/vmlinuz", "-d", "02:00.0"]));
}

#[test]
fn run_on_an_old_machine() {
    insta::assert_snapshot!(run(&["--kernel", "/boot/vmlinuz", "--machine-type", "pc"]));
}

#[test]
fn run_on_nothing() {
    insta::assert_snapshot!(run(&["--kernel", "/boot/vmlinuz", "-d", "03:00.0", "--on", "null"]));
}

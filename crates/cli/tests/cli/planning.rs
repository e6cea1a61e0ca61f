//! Dry runs: what would be done, by the real program on pretended machines.

use tempfile::TempDir;

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

/// Where a kernel and its initial file system stand, until it is dropped.
fn boot() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["vmlinuz", "initrd"] {
        std::fs::write(dir.path().join(name), name).unwrap();
    }
    dir
}

/// A dry run of `run`; `/boot` stands for a folder with a kernel.
fn run(args: &[&str]) -> Said {
    run_by(QEMU, args)
}

fn run_by(program: &str, args: &[&str]) -> Said {
    let (host, dir) = (desktop(), boot());
    let boot = dir.path().to_str().unwrap();
    let args: Vec<String> = args.iter().map(|arg| arg.replace("/boot", boot)).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let before = host.snapshot_tree();
    let mut said = on(&host, &[GUEST, &["--program", program], &args].concat());
    assert_eq!(host.snapshot_tree(), before, "a dry run changed something");
    said.replace(program, "qemu-system-x86_64");
    said.replace(boot, "/boot");
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

#[test]
fn what_a_guest_is_made_of_has_to_be_there() {
    for (args, missing) in [
        (&["--kernel", "/boot/none"][..], "/boot/none"),
        (&["--kernel", "/boot"], "/boot"),
        (&["--kernel", "/boot/vmlinuz", "--initrd", "/boot/none"], "/boot/none"),
        (&["/boot/none.qcow2"], "/boot/none.qcow2"),
        (&["/boot"], "/boot"),
    ] {
        let said = run(&[args, &["--device", "03:00.0"]].concat());
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{args:?}: {said}");
        assert!(said.err.contains(missing), "{args:?}: {said}");
    }
    let said = run_by("/nowhere/qemu", &["--kernel", "/boot/vmlinuz"]);
    assert_eq!(said.code, Some(1), "{said}");
}

/// Of which memory it is the fault, and of no device.
#[test]
fn memory_that_no_guest_can_have() {
    for size in ["0", "1", "1E", "0G", "1K", "65M3", "16777215T", "4096T"] {
        let said = run(&["--kernel", "/boot/vmlinuz", "-d", "03:00.0", "--memory", size]);
        assert!([Some(2), Some(3)].contains(&said.code), "{size}: {said}");
        assert!(
            said.err.contains("memory") && !said.err.contains("device memory"),
            "{size}: {said}"
        );
        assert!(!said.err.contains("0000:03:00.0"), "{size}: {said}");
    }
}

#[test]
fn a_tap_that_is_not_there_is_not_made() {
    let on_tap = |interface: &str| {
        let network = format!("tap:{interface}");
        run(&["--kernel", "/boot/vmlinuz", "--network", &network])
    };
    insta::assert_snapshot!("run_on_no_tap", on_tap("nosuch"));
    let other = on_tap("enp4s0");
    assert_eq!(other.code, Some(3), "{other}");
    assert!(other.err.contains("enp4s0 is no tap interface"), "{other}");
}

#[test]
fn a_qemu_without_seccomp_is_used_with_a_note() {
    let said = run_by(&format!("{QEMU}-without-seccomp"), &["--kernel", "/boot/vmlinuz"]);
    assert_eq!(said.code, Some(0), "{said}");
    assert!(!said.out.contains("-sandbox"), "{said}");
    assert!(said.err.contains("[no_sandbox]"), "{said}");
}

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

/// A drive, a network card and a graphics card that the host uses, on a
/// machine that does not tell it: "none found" would be a wrong value.
#[test]
fn what_cannot_be_read_is_refused_and_let_go_by_name() {
    for (path, device, field) in [
        ("proc/1/mountinfo", "02:00.0", "uses.disk"),
        ("proc/net/route", "04:00.0", "uses.network"),
        ("proc/iomem", "01:00.0", "uses.screen"),
    ] {
        let host = desktop();
        std::fs::remove_file(host.root().join(path)).unwrap();
        let refused = on(&host, &["bind", device, "--dry-run"]);
        assert_eq!(refused.code, Some(3), "{refused}");
        assert!(refused.err.contains("[uses_unknown]"), "{refused}");
        let named = on(&host, &["bind", device, "--dry-run", "--override", "uses_unknown"]);
        assert_eq!(named.code, Some(0), "{named}");
        let shown = on(&host, &["show", device]);
        assert!(shown.out.contains("unknown: ") && !shown.out.contains("none found"), "{shown}");
        let json = on(&host, &["show", device, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(json["unknown"][field], "this kernel does not say");
        // Whoever lists is told as well, and may go on.
        let listed = on(&host, &["list"]);
        let address = format!("0000:{device}");
        let row = listed.out.lines().find(|line| line.starts_with(&address)).unwrap();
        assert!(row.contains("unsure") && row.contains("uses_unknown"), "{listed}");
    }
}

#[test]
fn a_driver_is_not_taken_from_holders_that_are_out_of_sight() {
    let host = desktop();
    let files = host.root().join("proc/1/fd");
    std::fs::remove_dir_all(&files).unwrap();
    let refused = on(&host, &["bind", "03:00.0", "--dry-run"]);
    assert_eq!(refused.code, Some(3), "{refused}");
    assert!(refused.err.contains("[holders_unknown]"), "{refused}");
    let named = on(&host, &["bind", "03:00.0", "--dry-run", "--override", "holders_unknown"]);
    assert_eq!(named.code, Some(0), "{named}");
}

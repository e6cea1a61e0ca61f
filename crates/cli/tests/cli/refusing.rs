//! What makes no sense, cannot be, or must not be: the message and the exit code.

use std::path::Path;

use crate::desk::{desktop, on, passthru};

macro_rules! snapshots {
    ($($name:ident: $($arg:literal)*;)*) => {$(
        #[test]
        fn $name() {
            insta::assert_snapshot!(on(&desktop(), &[$($arg),*]));
        }
    )*};
}

snapshots! {
    malformed_address: "show" "65:00";
    function_out_of_range: "show" "65:00.8";
    no_such_device: "show" "0000:99:00.0";
    no_such_device_json: "show" "0000:99:00.0" "--json";
    no_such_name: "show" "gpu0";
    no_such_ids: "show" "dead:beef";
    ambiguous_ids: "show" "144d:a808";
    ambiguous_ids_json: "show" "144d:a808" "--json";
    no_such_override: "bind" "01:00.0" "--dry-run" "--override" "everything";
    usage_json: "bind" "--json";
    no_verb_json: "--json";
    changing_another_machine: "bind" "01:00.0";
    changing_another_machine_json: "release" "01:00.0" "--json";
    run_without_anything_to_boot: "run" "vm1" "--dry-run";
    run_with_little_sense: "run" "vm1" "--kernel" "k" "--network" "none" "--forward" "2222:22" "--dry-run";
    run_with_a_strange_size: "run" "vm1" "--kernel" "k" "--memory" "1.5G" "--dry-run";
    no_such_instance: "instance" "show" "vm1";
    attach_to_no_instance: "attach" "01:00.0" "--vm" "vm1" "--dry-run";
    stop_what_is_not_there: "instance" "stop" "vm1" "--dry-run";
    bad_name: "device" "add" "01:00.0" "--name" "GPU 0" "--dry-run";
    unregistered_name: "device" "remove" "gpu0" "--dry-run";
}

#[test]
fn root_and_machine_contradict() {
    insta::assert_snapshot!(passthru(&["list", "--root", "/", "--machine", "x"]));
}

#[test]
fn a_tree_that_is_not_there_is_no_empty_machine() {
    let file = tempfile::NamedTempFile::new().unwrap();
    for root in [file.path(), &file.path().with_extension("gone")] {
        let said = passthru(&["list", "--root", root.to_str().unwrap()]);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said}");
        assert!(said.err.contains("cannot look below"), "{said}");
    }
}

#[test]
fn a_recording_is_no_tree() {
    let recording = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines/lab-basic");
    let said = passthru(&["list", "--root", recording.to_str().unwrap()]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said}");
    assert!(said.err.contains("hint: --machine "), "{said}");
}

#[test]
fn recordings_without_devices() {
    let folder = tempfile::tempdir().unwrap();
    for path in [Path::new("/dev/null"), folder.path()] {
        let said = passthru(&["list", "--machine", path.to_str().unwrap()]);
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said}");
        assert!(said.err.contains(path.to_str().unwrap()), "{said}");
    }
    let said = passthru(&["show", "01:00.0", "--machine", "/dev/null", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(json["code"], "bad_recording", "{said}");
}

/// The folder that it is unpacked to is gone when anybody reads of it.
#[test]
fn a_recording_is_called_by_its_own_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small.umockdev");
    let drive = "P: /devices/pci0000:00/0000:00:01.0\nE: SUBSYSTEM=pci\n\n";
    std::fs::write(&path, drive).unwrap();
    let machine = path.to_str().unwrap();
    let list = passthru(&["list", "--all", "--machine", machine]);
    let gap = format!("note: {machine}:/proc/iomem: this kernel does not say\n");
    assert!(list.err.contains(&gap), "{list}");
    for args in [&["list", "--json"][..], &["show", "00:01.0"], &["record"], &["record", "--json"]]
    {
        let said = passthru(&[args, &["--machine", machine]].concat());
        assert!(!said.to_string().contains("passthru-replay"), "{args:?}: {said}");
    }
    std::fs::write(&path, "P: /devices/virtual/block/md0\nE: SUBSYSTEM=block\n\n").unwrap();
    for verb in ["list", "record"] {
        let said = passthru(&[verb, "--machine", machine]);
        assert!(said.err.contains(&format!("{machine}:/sys/bus/pci/devices")), "{said}");
        assert!(!said.err.contains("passthru-replay"), "{said}");
    }
}

#[test]
fn recordings_that_cannot_be_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("machine.umockdev");
    let args = ["list", "--machine", path.to_str().unwrap()];
    let mut all = String::new();
    let sidecar = b"passthru-sidecar 1\nA: /proc/cmdline=quiet\\n\n";
    for content in [
        None,
        Some(&b"this is no recording\n"[..]),
        Some(b"P: /devices/x\nE: \xff\n"),
        Some(b""),
        Some(b"# nothing\n\n"),
        Some(sidecar),
    ] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let mut said = passthru(&args);
        said.replace(dir.path().to_str().unwrap(), "[DIR]");
        all.push_str(&said.to_string());
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_makes_no_sense_is_told_once() {
    let host = desktop();
    let garbage = |name: &str| {
        let lines: String = (0..30).map(|line| format!("garbage{line}\n")).collect();
        std::fs::write(host.root().join(name), lines).unwrap();
    };
    for name in ["proc/1/mountinfo", "proc/swaps", "proc/iomem", "proc/net/route"] {
        let path = host.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        garbage(name);
    }
    for odd in 0..30 {
        garbage(&format!("sys/bus/pci/devices/odd{odd}"));
    }
    let said = on(&host, &["list"]);
    assert_eq!(said.code, Some(0), "{said}");
    let about = |name: &str| said.err.lines().filter(|line| line.contains(name)).count();
    for name in ["mountinfo", "swaps", "iomem", "route", "pci/devices"] {
        assert_eq!(about(name), 1, "{name}: {said}");
    }
    assert!(said.err.contains("and 29 more like it"), "{said}");
}

/// Anything may stand in a tree that somebody else made.
#[test]
fn what_is_no_file_is_not_waited_for() {
    let host = desktop();
    let replace = |name: &str, with: &dyn Fn(&Path)| {
        let path = host.root().join(name);
        std::fs::remove_file(&path).unwrap();
        with(&path);
    };
    let fifo = |path: &Path| {
        rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR).unwrap();
    };
    let endless = |path: &Path| std::os::unix::fs::symlink("/dev/zero", path).unwrap();
    let card = "sys/bus/pci/devices/0000:01:00.0";
    for name in ["config", "modalias", "resource", "power/runtime_status"] {
        replace(&format!("{card}/{name}"), &fifo);
    }
    replace("sys/bus/pci/devices/0000:01:00.1/config", &endless);
    replace("proc/1/mountinfo", &fifo);
    replace("proc/iomem", &endless);
    replace("proc/sys/kernel/random/boot_id", &fifo);
    replace("usr/share/misc/pci.ids", &endless);
    for args in [&["list"][..], &["show", "01:00.0"], &["record"]] {
        let said = on(&host, args);
        assert_eq!(said.code, Some(0), "{said}");
    }
    let list = on(&host, &["list"]);
    assert!(list.err.contains("proc/iomem: it is no regular file"), "{list}");
}

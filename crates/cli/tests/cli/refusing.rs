//! What makes no sense, cannot be, or must not be: the message and the exit code.

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
fn recordings_that_cannot_be_replayed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("machine.umockdev");
    let args = ["list", "--machine", path.to_str().unwrap()];
    let mut all = String::new();
    for content in [None, Some(&b"this is no recording\n"[..]), Some(b"P: /devices/x\nE: \xff\n")] {
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        let mut said = passthru(&args);
        said.replace(dir.path().to_str().unwrap(), "[DIR]");
        all.push_str(&said.to_string());
    }
    insta::assert_snapshot!(all);
}

//! Recordings that are malformed, truncated or made to do harm: a clear
//! error, and nothing outside of the directory that was given.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use host::observe::{Depth, observe};
use host::record::{DEVICES_FILE, Recording, RecordingError, SIDECAR_FILE};
use host::replay::{self, Replay, ReplayError, unpack};
use proptest::prelude::*;

/// An error with all its sources, as a user sees it.
fn whole(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

fn load(text: &[u8]) -> Result<Replay, ReplayError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("machine.txt");
    fs::write(&path, text).unwrap();
    replay::load(&path)
}

const DEVICE: &str = "P: /devices/pci0000:00/0000:00:01.0\nE: SUBSYSTEM=pci\nA: vendor=0x8086\\n\n";

#[test]
fn malformed_recordings_name_file_and_line() {
    let two = format!("{DEVICE}\npassthru-sidecar 1\n");
    for (text, says) in [
        (format!("{two}A: /../etc/passwd=x\n"), "line 6: path `/../etc/passwd` has a part"),
        (format!("{two}L: /x=/etc\n"), "line 6: link target `/etc` is absolute"),
        (format!("{two}L: /x/y=../../etc\n"), "line 6: link target `../../etc` leads out"),
        (format!("{two}T: /x\n text\nnonsense\n"), "line 8: `nonsense`"),
        (format!("{two}H: /x=0g\n"), "line 6: malformed hexadecimal value at digit 2"),
        (
            format!("{DEVICE}\n{DEVICE}"),
            "line 5: `/devices/pci0000:00/0000:00:01.0` is described twice",
        ),
        (format!("{DEVICE}L: driver=/etc\n"), "line 4: link target `/etc` is absolute"),
        (
            format!("{DEVICE}\npassthru-sidecar 9\n"),
            "line 5: the first line must be `passthru-sidecar 1`",
        ),
        (format!("{DEVICE}H: config=8680zz\n"), "line 4: malformed hexadecimal value at digit 5"),
        ("\u{7f}ELF".to_owned(), "line 1: a device must start with"),
        ("PK\u{3}\u{4}".to_owned(), "line 1: a device must start with"),
    ] {
        let error = whole(&load(text.as_bytes()).unwrap_err());
        assert!(error.contains(says), "{text:?}: {error}");
        assert!(error.contains("machine.txt` is not a recording"), "{error}");
    }
    let binary = whole(&load(b"P: /devices/a\nE: SUBSYSTEM=x\nA: \xff\xfe=1\n").unwrap_err());
    assert!(binary.contains("line 3: not UTF-8 text"), "{binary}");
}

#[test]
fn missing_files_are_named() {
    let error = whole(&replay::load(Path::new("/nonexistent/machine")).unwrap_err());
    assert!(error.contains("cannot read `/nonexistent/machine`: No such file"), "{error}");
    let empty = tempfile::tempdir().unwrap();
    let error = whole(&replay::load(empty.path()).unwrap_err());
    assert!(error.contains("devices.umockdev`: No such file"), "{error}");
}

#[test]
fn contradictions_are_found_before_anything_is_written() {
    for (text, says) in [
        (format!("{DEVICE}A: x=1\nA: x/y=2\n"), "x` is recorded as a folder and as something else"),
        (format!("{DEVICE}L: x=y\nA: x/passwd=2\n"), "x` is recorded as a folder"),
        (
            format!("{DEVICE}\npassthru-sidecar 1\nL: /etc=tmp\nA: /etc/passwd=x\n"),
            "`/etc` is recorded",
        ),
        (
            format!(
                "{DEVICE}\npassthru-sidecar 1\nA: /sys/devices/pci0000:00/0000:00:01.0/vendor=1\n"
            ),
            "vendor` is recorded as a device's attribute and in the sidecar",
        ),
        (format!("{DEVICE}\npassthru-sidecar 1\nA: /sys=1\n"), "`/sys` is recorded as a folder"),
        (format!("{DEVICE}\npassthru-sidecar 1\nL: /sys=dev\n"), "`/sys` is recorded as a folder"),
        (
            format!("{DEVICE}\nP: /devices/pci0000:00/0000:00:01.0/vendor/x\nE: SUBSYSTEM=net\n"),
            "vendor` is recorded",
        ),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let recording = Recording::parse(&text).unwrap();
        let error = whole(&unpack(&recording, dir.path()).unwrap_err());
        assert!(error.contains(says), "{text}: {error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "{text}");
    }
}

#[test]
fn what_is_there_already_is_not_overwritten() {
    let outside = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), dir.path().join("sys")).unwrap();
    let error = unpack(&Recording::parse(DEVICE).unwrap(), dir.path()).unwrap_err();
    assert!(matches!(error, ReplayError::Unpack { .. }), "{error}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn a_recording_is_not_written_over_another() {
    let recording = Recording::parse(DEVICE).unwrap();
    // A half of one is no place for another, either.
    for kept in [DEVICES_FILE, SIDECAR_FILE] {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(kept), "mine").unwrap();
        let error = recording.write_to(dir.path()).unwrap_err();
        assert!(error.to_string().contains(kept), "{error}");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "{kept}");
        assert_eq!(fs::read_to_string(dir.path().join(kept)).unwrap(), "mine");
    }
}

#[test]
fn links_in_circles_do_no_harm() {
    let text = format!(
        "{DEVICE}L: driver=driver\nL: iommu_group=../0000:00:01.0/iommu_group\nL: physfn=virtfn0\nL: virtfn0=physfn\n"
    );
    let replay = load(text.as_bytes()).unwrap();
    let snapshot = observe(replay.root(), Depth::Whole);
    assert_eq!(snapshot.functions.len(), 1);
    // A replay can be recorded again, circles included.
    let options = host::record::Options::default();
    assert!(host::record::record(replay.root(), &options).is_ok());
}

#[test]
fn a_truncated_recording_is_read_or_refused() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines/no-iommu-gtx970");
    let text = Recording::read_from(&path).unwrap().to_text();
    for end in (0..text.len()).step_by(997).filter(|end| text.is_char_boundary(*end)) {
        match Recording::parse(&text[..end]) {
            Ok(recording) => drop(Replay::new(recording)),
            Err(error) => assert!(error.line <= text[..end].lines().count() + 1, "{end}: {error}"),
        }
    }
}

#[test]
fn a_gigantic_file_is_refused_unread() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("machine.txt");
    fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
    let error = replay::load(&path).unwrap_err();
    assert!(matches!(error, ReplayError::Recording(RecordingError::TooLarge { .. })), "{error}");
}

/// Every path below a directory that is not a folder.
fn leaves(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            leaves(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

fn line() -> impl Strategy<Value = String> {
    let path = "/?([a-c.]{1,2}/){0,3}[a-c.]{1,2}";
    let target = "(\\.\\./){0,4}([a-c]/){0,2}[a-c.]{1,2}";
    prop_oneof![
        path.prop_map(|path| format!("A: {path}=text")),
        path.prop_map(|path| format!("D: {path}")),
        path.prop_map(|path| format!("!: {path}=EACCES")),
        (path, target).prop_map(|(path, target)| format!("L: {path}={target}")),
        path.prop_map(|path| format!("P: /devices/{path}")),
        Just("E: SUBSYSTEM=pci".to_owned()),
        Just(String::new()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn nothing_leaves_the_directory(
        devices in proptest::collection::vec(line(), 0..6),
        sidecar in proptest::collection::vec(line(), 0..6),
    ) {
        let base = tempfile::tempdir().unwrap();
        let dir = base.path().join("a/b/root");
        fs::create_dir_all(&dir).unwrap();
        let text = format!("{}\n\npassthru-sidecar 1\n{}\n", devices.join("\n"), sidecar.join("\n"));
        if let Ok(recording) = Recording::parse(&text) {
            let _ = unpack(&recording, &dir);
        }
        let mut found = Vec::new();
        leaves(base.path(), &mut found);
        for path in &found {
            prop_assert!(path.starts_with(&dir), "{}", path.display());
            if let Ok(real) = fs::canonicalize(path) {
                prop_assert!(real.starts_with(fs::canonicalize(&dir).unwrap()), "{}", path.display());
            }
        }
    }

    #[test]
    fn garbage_is_read_or_refused(bytes: Vec<u8>) {
        let _ = load(&bytes);
        let text = String::from_utf8_lossy(&bytes);
        let _ = Recording::parse(&format!("{DEVICE}{text}"));
        let _ = Recording::parse(&format!("{DEVICE}\npassthru-sidecar 1\n{text}"));
    }
}

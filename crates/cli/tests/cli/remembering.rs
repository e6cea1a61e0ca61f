//! What the state directory adds: names, and what was bound before. The
//! engine does the work here as a library, on a pretended kernel; the program
//! then looks at the same machine and the same state.

use engine::{BindRequest, Engine, StateDir};
use fakehost::{FakeHost, On};
use host::paths::Root;
use tempfile::TempDir;

use crate::desk::{Said, desktop, on};

struct Desk {
    host: FakeHost,
    state: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { host: desktop(), state: tempfile::tempdir().unwrap() }
    }

    fn engine(&self) -> Engine {
        let root = Root::new(self.host.root());
        let state = StateDir::new(self.state.path());
        Engine::new(root, state, Box::new(self.host.kernel()), Box::new(self.host.runner()))
    }

    fn named(self, device: &str, name: &str) -> Self {
        self.engine().add_device(device, &name.parse().unwrap()).unwrap();
        self
    }

    fn bound(self, device: &str) -> Self {
        let devices = vec![device.to_owned()];
        self.engine().bind(&BindRequest { devices, ..BindRequest::default() }).unwrap();
        self
    }

    fn passthru(&self, args: &[&str]) -> Said {
        let mut all = args.to_vec();
        all.extend(["--state", self.state.path().to_str().unwrap()]);
        on(&self.host, &all)
    }
}

#[test]
fn a_registered_name_stands_in_the_list() {
    let desk = Desk::new().named("01:00.0", "gpu0").named("03:00.0", "scratch");
    insta::assert_snapshot!(desk.passthru(&["list"]));
    insta::assert_snapshot!("device_list", desk.passthru(&["device", "list"]));
    insta::assert_snapshot!("device_list_json", desk.passthru(&["device", "list", "--json"]));
}

#[test]
fn a_name_is_as_good_as_an_address() {
    let desk = Desk::new().named("01:00.0", "gpu0");
    let by_name = desk.passthru(&["show", "gpu0"]);
    let by_address = desk.passthru(&["show", "0000:01:00.0"]);
    assert_eq!(by_name.to_string(), by_address.to_string());
    assert!(by_name.out.contains("gpu0"), "{by_name}");
    let plan = desk.passthru(&["bind", "gpu0", "--dry-run"]);
    assert!(plan.out.contains("unbind 0000:01:00.0 from nvidia\n"), "{plan}");
}

/// A name stands for a device and not for its address: what sits there now is not called so.
#[test]
fn a_name_is_not_another_devices() {
    let desk = Desk::new().named("03:00.0", "scratch");
    let config = desk.host.root().join("sys/bus/pci/devices/0000:03:00.0");
    let modalias = std::fs::read_to_string(config.join("modalias")).unwrap();
    let other = modalias.replacen(&modalias[5..13], "0000ABCD", 1);
    std::fs::write(config.join("modalias"), other).unwrap();
    for args in [&["list"][..], &["list", "--json"], &["show", "03:00.0"]] {
        let said = desk.passthru(args);
        assert_eq!(said.code, Some(0), "{said}");
        assert!(said.out.contains("03:00.0") && !said.out.contains("scratch"), "{said}");
    }
    let said = desk.passthru(&["show", "scratch"]);
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.err.contains("identity_mismatch"), "{said}");
}

#[test]
fn a_name_that_was_mistyped_is_suggested() {
    let desk = Desk::new().named("01:00.0", "gpu0");
    insta::assert_snapshot!(desk.passthru(&["show", "gup0"]));
}

#[test]
fn a_name_that_would_be_forgotten() {
    let desk = Desk::new().named("01:00.0", "gpu0");
    let remove =
        |more: &[&str]| desk.passthru(&[&["device", "remove", "gpu0", "--dry-run"], more].concat());
    assert_eq!(remove(&[]).out, "forget gpu0\n");
    insta::assert_snapshot!("device_remove_json", remove(&["--json"]));
    assert_eq!(desk.engine().registered().unwrap().len(), 1);
}

#[test]
fn a_taken_name_is_refused() {
    let desk = Desk::new().named("01:00.0", "gpu0");
    let args = ["device", "add", "03:00.0", "--name", "gpu0", "--dry-run"];
    insta::assert_snapshot!(desk.passthru(&args));
}

#[test]
fn what_was_bound_is_released_by_the_journal() {
    let desk = Desk::new().bound("01:00.0");
    insta::assert_snapshot!("bound_list", desk.passthru(&["list"]));
    let before = desk.host.snapshot_tree();
    insta::assert_snapshot!("release", desk.passthru(&["release", "01:00.0", "--dry-run"]));
    insta::assert_snapshot!("bind_again", desk.passthru(&["bind", "01:00.0", "--dry-run"]));
    assert_eq!(desk.host.snapshot_tree(), before, "a dry run changed something");
}

#[test]
fn a_device_in_doubt_is_not_to_be_had() {
    let desk = Desk::new();
    desk.host.hang(On::path("drivers/nvme/unbind"));
    let request = BindRequest { devices: vec!["03:00.0".to_owned()], ..BindRequest::default() };
    let error = desk.engine().bind(&request).unwrap_err();
    assert_eq!(error.code(), "in_doubt", "{error}");
    let list = desk.passthru(&["list"]);
    assert!(list.out.contains("nvme           7      no: in_doubt\n"), "{list}");
    insta::assert_snapshot!("doubt_bind", desk.passthru(&["bind", "03:00.0", "--dry-run"]));
    insta::assert_snapshot!("doubt_recover", desk.passthru(&["recover", "--dry-run"]));
    insta::assert_snapshot!(
        "doubt_recover_json",
        desk.passthru(&["recover", "--dry-run", "--json"])
    );
}

/// Who reads its registers would wait in the kernel, and so without an end.
#[test]
fn registers_of_a_device_in_doubt_are_not_read() {
    let desk = Desk::new();
    desk.host.hang(On::path("drivers/nvme/unbind"));
    let request = BindRequest { devices: vec!["03:00.0".to_owned()], ..BindRequest::default() };
    desk.engine().bind(&request).unwrap_err();
    let unknown = |args: &[&str]| {
        let said = desk.passthru(args);
        let said: serde_json::Value = serde_json::from_str(&said.out).unwrap();
        let listed = said["functions"].as_array().map(|all| {
            all.iter().find(|function| function["address"] == "0000:03:00.0").unwrap().clone()
        });
        listed.unwrap_or(said)
    };
    let stuck = "a change to it is stuck in the kernel, reading might not come back";
    assert_eq!(unknown(&["show", "03:00.0", "--json"])["unknown"]["link"], stuck);
    let list = unknown(&["list", "--json"]);
    assert!(list["verdict"].to_string().contains(stuck), "{list}");
    let recording = desk.passthru(&["record", "--json"]);
    let recording: serde_json::Value = serde_json::from_str(&recording.out).unwrap();
    let text = recording["recording"].as_str().unwrap();
    let drive = text.split("\n\n").find(|device| device.contains("/0000:03:00.0\n")).unwrap();
    assert!(!drive.contains("H: config="), "{drive}");
    assert_eq!(text.matches("H: config=").count(), 9, "of all others");
}

#[test]
fn a_state_that_is_no_file_is_not_waited_for() {
    let desk = Desk::new();
    let path = desk.engine().state().database();
    rustix::fs::mkfifoat(rustix::fs::CWD, &path, rustix::fs::Mode::RUSR).unwrap();
    let list = desk.passthru(&["list"]);
    assert_eq!(list.code, Some(0), "{list}");
    assert!(list.err.contains("state.db: it is no regular file"), "{list}");
}

/// Bytes that are no database of this passthru's, and what is wrong with them.
fn bad_databases() -> Vec<(&'static str, Vec<u8>)> {
    let desk = Desk::new().named("01:00.0", "gpu0");
    let path = desk.engine().state().database();
    let good = std::fs::read(&path).unwrap();
    let mut newer = good.clone();
    // The number of the schema: four bytes from offset 60 on, big-endian
    // (sqlite.org/fileformat.html, 1.3).
    newer[60..64].copy_from_slice(&1000_u32.to_be_bytes());
    let text = b"this is no database, and longer than a header of one is".to_vec();
    vec![
        ("empty", Vec::new()),
        ("text", text),
        ("cut", good[..good.len() - 100].to_vec()),
        ("newer", newer),
    ]
}

#[test]
fn a_state_that_cannot_be_read_is_told_and_left_alone() {
    for (name, bytes) in bad_databases() {
        let desk = Desk::new();
        let path = desk.engine().state().database();
        std::fs::write(&path, &bytes).unwrap();
        let state = desk.state.path().to_str().unwrap();
        let passthru = |args: &[&str]| {
            let mut said = desk.passthru(args);
            said.replace(state, "[STATE]");
            said
        };
        let list = passthru(&["list"]);
        assert_eq!((list.code, &list.out), (Some(0), &on(&desk.host, &["list"]).out), "{name}");
        let note = "note: registered names and guests are not known: the state database [STATE]";
        assert!(list.err.starts_with(note) && list.err.contains("\nhint: "), "{name}: {list}");
        let show = passthru(&["show", "01:00.0"]);
        assert_eq!(show.code, Some(0), "{name}: {show}");
        assert_eq!(show.err, list.err, "{name}");
        assert_eq!(passthru(&["record"]).code, Some(0), "{name}");
        let json = passthru(&["list", "--json"]);
        assert_eq!((json.code, json.err.as_str()), (Some(0), ""), "{name}: {json}");
        let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(json["gaps"][0]["path"], "[STATE]/state.db", "{name}");
        assert!(json["functions"][0]["unknown"]["name"].is_string(), "{name}");
        // What changes something needs to know.
        assert_eq!(passthru(&["bind", "03:00.0", "--dry-run"]).code, Some(1), "{name}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{name}");
    }
}

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

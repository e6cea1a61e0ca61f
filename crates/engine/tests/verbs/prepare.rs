//! A host made ready, and taken back: what stands in files, and services.

use std::fs;
use std::os::unix::fs::symlink;

use engine::prepare::{OnChanged, PrepareRequest};
use fakehost::FakeHost;
use model::plan::prepare::Hugepages;
use model::setup::services::ServiceName;

use crate::given::*;

const SERVICE: &str = "nvidia-persistenced.service";
const DROP_IN: &str = "etc/systemd/system/nvidia-persistenced.service.d/passthru.conf";
const CLASS: &str = "Section \"OutputClass\"\n\tMatchDriver \"nvidia-drm\"\nEndSection";

/// The machine as `prepare` sees it: with control groups of services, and people.
fn host() -> FakeHost {
    machine()
        .file(&format!("sys/fs/cgroup/system.slice/{SERVICE}/cgroup.procs"), "700\n")
        .file("etc/group", "root:x:0:\nkvm:x:104:me\nme:x:1000:\n")
        .file("usr/share/X11/xorg.conf.d/10-nvidia.conf", CLASS)
        .file("etc/X11/xorg.conf.d/20-card.conf", CLASS)
}

fn given() -> Given {
    Given { host: host(), ..Given::new() }
}

fn wanted(devices: &[&str]) -> PrepareRequest {
    PrepareRequest { devices: typed(devices), ..PrepareRequest::default() }
}

#[test]
fn a_service_is_stopped_kept_so_and_started_again() {
    let given = given();
    let before = given.host.snapshot_tree();
    let request = PrepareRequest { group: Some("kvm".to_owned()), ..wanted(&[GPU]) };
    let planned = given.engine().plan_prepare(&request).unwrap();
    assert_eq!(before.diff(&given.host.snapshot_tree()), [""; 0], "only looked at");
    given.engine().prepare(&planned).unwrap();
    assert_eq!(given.host.is_active(SERVICE), Some(false));
    let now = given.host.snapshot_tree();
    assert_eq!(files(&before.diff(&now)).len(), 5, "{:?}", files(&before.diff(&now)));
    // No boot loader is known here: what packages bring is not written to.
    let by_hand = &planned.by_hand;
    assert!(by_hand.iter().any(|text| text.contains("/usr/share/X11/xorg.conf.d")), "{by_hand:?}");
    for path in [
        DROP_IN,
        "etc/udev/rules.d/70-passthru-access.rules",
        "etc/security/limits.d/70-passthru.conf",
        "etc/modprobe.d/passthru.conf",
    ] {
        assert!(now.get(path).is_some(), "{path}");
    }
    // Nothing that is in effect is done once more.
    let again = given.engine().plan_prepare(&request).unwrap();
    let texts: Vec<String> = again.steps.iter().map(ToString::to_string).collect();
    assert!(
        !texts.iter().any(|text| text.starts_with("make") || text.contains("X11")),
        "{texts:?}"
    );

    let way = given.engine().plan_undo(None).unwrap();
    let texts: Vec<String> = way.steps.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), planned.steps.len(), "{texts:?}");
    given.engine().undo_preparations(OnChanged::Keep).unwrap();
    assert_eq!(given.host.is_active(SERVICE), Some(true));
    assert_eq!(files(&before.diff(&given.host.snapshot_tree())), [""; 0]);
}

/// What differs below /etc and /usr, but for folders that were made for files.
fn files(changes: &[String]) -> Vec<&String> {
    let is_file = |change: &&String| {
        let of_system = [" etc/", " usr/"].iter().any(|start| change[1..].starts_with(start));
        of_system && !change.ends_with("(folder)")
    };
    changes.iter().filter(is_file).collect()
}

/// After a reboot the card still has no driver: the next one brings both back.
#[test]
fn after_a_reboot_files_alone_are_put_back() {
    let given = given();
    let before = given.host.snapshot_tree();
    let planned = given.engine().plan_prepare(&wanted(&[GPU])).unwrap();
    given.engine().prepare(&planned).unwrap();
    given.boot_id("22222222-2222-4222-8222-222222222222");
    let started = |given: &Given| {
        given.host.log().iter().filter(|op| op.to_string().contains("systemctl start")).count()
    };
    given.engine().undo_preparations(OnChanged::Keep).unwrap();
    assert_eq!(started(&given), 0);
    let now = given.host.snapshot_tree();
    assert!(now.get(DROP_IN).is_none());
    assert_eq!(files(&before.diff(&now)), [""; 0]);
}

/// A desktop's way over the network is a service of whoever has logged in: told, and left alone.
#[test]
fn a_service_of_a_user() {
    const UNIT: &str = "gnome-remote-desktop.service";
    let manager = "sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service";
    let host = host().file(&format!("{manager}/session.slice/{UNIT}/cgroup.procs"), "");
    let given = Given { host, ..Given::new() };
    let snapshot = given.engine().observe();
    let setup = given.engine().setup(&snapshot, &[]);
    let active = setup.screens.services.known().unwrap();
    assert_eq!(active, &[UNIT.to_owned(), SERVICE.to_owned()]);
    let planned = given.engine().plan_prepare(&wanted(&[GPU])).unwrap();
    assert!(!format!("{planned:?}").contains(UNIT));
}

#[test]
fn units_that_go_down_too_are_planned() {
    let host = host().unit("dependent.service", true).requires("dependent.service", SERVICE);
    let given = Given { host, ..Given::new() };
    let planned = given.engine().plan_prepare(&wanted(&[GPU])).unwrap();
    let steps: Vec<String> = planned.steps.iter().map(ToString::to_string).collect();
    let at = |text: &str| steps.iter().position(|step| step == text).unwrap();
    assert!(at("stop dependent.service") < at(&format!("stop {SERVICE}")), "{steps:?}");
}

/// A unit that is an instance, of a template that is a link: the drop-in is the instance's.
#[test]
fn a_service_may_lock_memory() {
    let host = host().file("srv/vm@.service", "[Service]\nExecStart=/srv/vm %i\n");
    // An absolute link: from outside it leads nowhere.
    let units = host.root().join("etc/systemd/system");
    fs::create_dir_all(&units).unwrap();
    symlink("/srv/vm@.service", units.join("vm@.service")).unwrap();
    let given = Given { host, ..Given::new() };
    let before = given.host.snapshot_tree();
    let services = [ServiceName::parse("vm@1").unwrap()].into();
    let request = PrepareRequest { services, ..wanted(&[]) };
    let planned = given.engine().plan_prepare(&request).unwrap();
    given.engine().prepare(&planned).unwrap();
    let now = given.host.snapshot_tree();
    let drop_in = "etc/systemd/system/vm@1.service.d/passthru-memlock.conf";
    assert!(now.get(drop_in).is_some(), "{:?}", before.diff(&now));
    let again = given.engine().plan_prepare(&request).unwrap();
    assert!(!again.steps.iter().any(|step| step.to_string().contains("memlock")), "{again:?}");

    let services = [ServiceName::parse("other").unwrap()].into();
    let error =
        given.engine().plan_prepare(&PrepareRequest { services, ..wanted(&[]) }).unwrap_err();
    assert_eq!(error.code(), "no_service", "{error}");
    assert!(error.to_string().contains("other.service"), "{error}");
}

#[test]
fn what_cannot_be_had_is_refused() {
    let given = given();
    let before = given.host.snapshot_tree();
    for (group, code) in [("nobody", "no_user_group"), ("me", "no_user_group")] {
        let request = PrepareRequest { group: Some(group.to_owned()), ..wanted(&[]) };
        let error = given.engine().plan_prepare(&request).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.hint().contains("groupadd"), "{error}");
    }
    let hugepages = Some(Hugepages { bytes: 1 << 50, page: None });
    let request = PrepareRequest { hugepages, ..wanted(&[]) };
    let error = given.engine().plan_prepare(&request).unwrap_err();
    assert_eq!(error.code(), "no_hugepages", "{error}");
    assert_eq!(before.diff(&given.host.snapshot_tree()), [""; 0]);
}

/// Checks and preparations look at the machine alike: what a check would mend
/// is planned.
#[test]
fn what_a_check_would_mend_is_planned() {
    let host =
        host().file("proc/cmdline", "quiet\n").file("proc/cpuinfo", "vendor_id\t: GenuineIntel\n");
    let given = Given { host, ..Given::new() };
    let planned = given.engine().plan_prepare(&wanted(&[])).unwrap();
    assert!(planned.by_hand.iter().any(|text| text.contains("iommu=pt")), "{planned:?}");
}

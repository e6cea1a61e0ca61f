//! Bindings that outlast a reboot: what is written down, and what is made of it at the next boot.

use std::fs;

use engine::persist::Rebound;
use fakehost::On;
use model::{Bdf, Step};
use rustix::io::Errno;

use crate::given::*;

const RULES: &str = "etc/udev/rules.d/10-passthru.rules";

fn driver(given: &Given, function: &str) -> Option<String> {
    given.host.driver_of(function)
}

#[test]
fn what_persists_is_bound_at_the_next_boot() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    let written = given.engine().plan_persist(&request(&[GPU, NVME])).unwrap();
    let mut engine = given.engine();
    engine.bind(&request(&[GPU, NVME])).unwrap();
    engine.persist(&written).unwrap();
    let rules = fs::read_to_string(given.host.root().join(RULES)).unwrap();
    assert_eq!(
        rules.matches("ATTR{driver_override}=\"vfio-pci\"").count(),
        3,
        "with its company: {rules}"
    );
    engine.release(&typed(&[GPU, NVME])).unwrap();

    // As after a reboot on which no rule was read in time; the card
    // is in use by now, and refused, which leaves the drive alone.
    given.boot_id("3f6f1c1e-0000-4000-8000-000000000002");
    let rebound = given.engine().bind_persisted().unwrap();
    let of = |device: &str| {
        let bdf: Bdf = device.parse().unwrap();
        let mut all = rebound.iter();
        let Rebound { result, .. } = all.find(|it| it.functions.contains(&bdf)).unwrap();
        result
    };
    assert_eq!(codes(of(GPU).as_ref().unwrap_err()), ["service_must_stop"]);
    assert!(of(NVME).is_ok());
    assert_eq!(driver(&given, NVME).as_deref(), Some("vfio-pci"));
    let again = given.engine().bind_persisted().unwrap();
    assert_eq!(
        again
            .iter()
            .flat_map(|it| it.result.iter())
            .map(|report| report.steps.len())
            .sum::<usize>(),
        0
    );

    // Forgotten, and released.
    let (forgotten, there) = given.engine().plan_forget(&typed(&[NVME, AUDIO])).unwrap();
    assert_eq!(there, [NVME, AUDIO]);
    given.engine().persist(&forgotten).unwrap();
    given.engine().release(&typed(&[NVME])).unwrap();
    let left = before.diff(&given.host.snapshot_tree());
    let left: Vec<_> =
        left.iter().filter(|line| line.contains("etc/") && !line.ends_with("(folder)")).collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(given.engine().bind_persisted().unwrap().len(), 0);
}

/// What is written is written whole or not at all.
#[test]
fn what_is_cut_off_is_taken_back() {
    let given = Given::new();
    let written = given.engine().plan_persist(&request(&[NVME])).unwrap();
    let paths: Vec<String> = written.steps.iter().filter_map(path).collect();
    assert_eq!(paths.len(), 3, "{written:?}");
    // The last of the files cannot be made: a file is where its folder should be.
    let blocked = given.host.root().join("etc/systemd/system/multi-user.target.d");
    fs::create_dir_all(blocked.parent().unwrap()).unwrap();
    fs::write(&blocked, "").unwrap();
    given.engine().persist(&written).unwrap_err();
    assert!(!given.host.root().join(RULES).exists());
    fs::remove_file(&blocked).unwrap();
    given.engine().persist(&written).unwrap();
    assert!(given.host.root().join(RULES).exists());
}

fn path(step: &Step) -> Option<String> {
    match step {
        Step::WriteFile { path, .. } => Some(path.clone()),
        _ => None,
    }
}

/// A driver that does not let go at boot fails alone.
#[test]
fn one_that_fails_leaves_the_others() {
    let given = Given::new();
    let written = given.engine().plan_persist(&request(&[EDU, NVME])).unwrap();
    given.engine().persist(&written).unwrap();
    given.host.refuse_always(On::write("drivers/nvme/unbind", NVME), Errno::IO);
    let rebound = given.engine().bind_persisted().unwrap();
    let failed: Vec<&Rebound> = rebound.iter().filter(|it| it.result.is_err()).collect();
    assert_eq!(failed.len(), 1, "{rebound:?}");
    assert_eq!(driver(&given, EDU).as_deref(), Some("vfio-pci"));
}

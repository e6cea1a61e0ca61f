//! The machine is not as it was planned for: the step stops.

use std::path::Path;

use fakehost::{Errno, FakeHost};
use host::apply::{Applier, ApplyError};
use host::paths::Root;
use model::Step;
use model::port::{AttrWriter, Showed, Wrote};

use crate::*;

#[test]
fn what_moved_meanwhile_stops_the_step() {
    let host = host();
    let file = |name: &str| format!("sys/bus/pci/devices/{NVME}/{name}");
    host.meddle(&file("driver_override"), "pci-stub");
    host.meddle(&file("power/control"), "on");
    host.meddle(&file("d3cold_allowed"), "0");
    let log = host.log().len();
    let mut texts = Vec::new();
    for step in [
        unbind(NVME, "vfio-pci"),
        choose(NVME, None, Some("vfio-pci")),
        choose(NVME, Some("vfio-pci"), None),
        probe(NVME, "vfio-pci"),
        power(NVME, "sometimes", "auto"),
    ] {
        let error = failed(apply(&host, &step));
        assert!(matches!(error, ApplyError::Moved { .. }), "{step}: {error}");
        texts.push(error.to_string());
    }
    assert_eq!(host.log().len(), log, "nothing was written");
    assert_eq!(apply(&host, &d3cold(NVME, true, false)), Outcome::Already);
    insta::assert_snapshot!(texts.join("\n"), @r"
    driver of 0000:01:00.0 is nvme, not vfio-pci: somebody changed it since it was read
    driver_override of 0000:01:00.0 is pci-stub, not (none): somebody changed it since it was read
    driver_override of 0000:01:00.0 is pci-stub, not vfio-pci: somebody changed it since it was read
    driver of 0000:01:00.0 is nvme, not (none): somebody changed it since it was read
    power/control of 0000:01:00.0 is on, not sometimes: somebody changed it since it was read
    ");
}

#[test]
fn what_vanished_is_said_to_have() {
    let all = |at: &str| {
        let mut steps = bind(at, "nvme");
        steps.extend([Step::ProbeAny { bdf: bdf(at) }, Step::Reset { bdf: bdf(at) }]);
        steps
    };
    let host = host();
    host.vanish(NVME);
    for step in all(NVME) {
        let error = failed(apply(&host, &step));
        assert_eq!(error, ApplyError::Vanished { bdf: bdf(NVME) }, "{step}");
    }
}

#[test]
fn a_function_that_vanishes_under_the_write_is_said_to_have() {
    // The kernel refuses with what it has at hand; the folder is the truth.
    for step in [unbind(NVME, "nvme"), power(NVME, "auto", "on"), d3cold(NVME, true, false)] {
        let host = host();
        let mut applier = Applier::new(
            Root::new(host.root()),
            Box::new(Puller(host.clone())),
            Box::new(host.runner()),
        );
        let error = failed(applier.apply(&step));
        assert_eq!(error, ApplyError::Vanished { bdf: bdf(NVME) }, "{step}");
    }
}

/// A kernel in which the function goes while it is written to.
#[derive(Debug)]
struct Puller(FakeHost);

impl AttrWriter for Puller {
    fn write(&mut self, _: &Path, _: &str) -> Wrote {
        self.0.vanish(NVME);
        Wrote::failed(Errno::NODEV.raw_os_error())
    }

    fn read(&mut self, path: &Path) -> Showed {
        self.0.kernel().read(path)
    }
}

#[test]
fn nothing_outside_the_root_is_written() {
    let host = host();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("d3cold_allowed");
    std::fs::write(&victim, "1\n").unwrap();
    // A whole function that leads out, and one attribute that does.
    let link = host.root().join("sys/bus/pci/devices/0000:77:00.0");
    std::os::unix::fs::symlink(outside.path(), &link).unwrap();
    let inside = host.root().join(format!("sys/bus/pci/devices/{NVME}/d3cold_allowed"));
    std::fs::remove_file(&inside).unwrap();
    std::os::unix::fs::symlink(&victim, &inside).unwrap();
    for at in ["0000:77:00.0", NVME] {
        let error = failed(apply(&host, &d3cold(at, true, false)));
        assert!(matches!(error, ApplyError::Outside { .. }), "{error}");
    }
    for name in ["../nvme", "", "a/b", ".", "-x", "a b"] {
        let error = failed(apply(&host, &unbind(NVME, name)));
        assert_eq!(error, ApplyError::Name(name.into()));
    }
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "1\n");
}

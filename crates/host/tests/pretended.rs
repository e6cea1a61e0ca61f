//! The whole way on a pretended machine: observe, plan, apply, observe.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use fakehost::FakeHost;
use host::apply::{Applier, Outcome};
use host::observe::{Depth, observe_with};
use host::paths::Root;
use model::intent::{Bind, Release};
use model::usage::Use;
use model::{Bdf, Code, Intent, Snapshot, Step, plan};

const GPU: &str = "0000:65:00.0";
const DRIVE: &str = "0000:01:00.0";
const SYSTEM: &str = "0000:02:00.0";
const NIC: &str = "0000:03:00.0";

fn host() -> FakeHost {
    FakeHost::new()
        .root_port("0000:00:01.0", 0x65)
        .gpu(GPU)
        .with_audio()
        .with_usb()
        .with_ucsi()
        .group(34)
        .nvme(DRIVE)
        .nvme(SYSTEM)
        .mount("nvme1n1", "/")
        .swap("nvme1n1")
        .nic(NIC, "eth0")
        .ip("eth0", Ipv4Addr::new(192, 0, 2, 7))
        .default_route("eth0", Ipv4Addr::new(192, 0, 2, 1))
        .unit("nvidia-persistenced.service", true)
}

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

fn look(host: &FakeHost) -> Snapshot {
    observe_with(&Root::new(host.root()), Depth::Whole, &mut host.kernel())
}

fn bind(at: &str) -> Intent {
    Intent::Bind(Bind {
        devices: vec![bdf(at)],
        driver: "vfio-pci".into(),
        overrides: BTreeSet::new(),
        stop_services: true,
    })
}

/// Apply a plan, and tell which steps did something.
fn apply(host: &FakeHost, steps: &[Step]) -> Vec<Step> {
    let (kernel, runner) = (Box::new(host.kernel()), Box::new(host.runner()));
    let mut applier =
        Applier::new(Root::new(host.root()), kernel, runner).probe_wait(Duration::ZERO);
    let mut done = Vec::new();
    for step in steps {
        match applier.apply(step) {
            Outcome::Done => done.push(step.clone()),
            Outcome::Already => {}
            other => panic!("{step}: {other:?}"),
        }
    }
    done
}

#[test]
fn what_is_there_is_seen() {
    let host = host().boot_screen(GPU);
    let snapshot = look(&host);
    assert_eq!(snapshot.functions.len(), 8);
    assert_eq!(snapshot.gaps, []);
    assert!(snapshot.vanished.is_empty());
    assert!(snapshot.machine.iommu.known().is_some_and(|iommu| iommu.on));
    let uses = |at: &str| &snapshot.get(bdf(at)).unwrap().uses;
    let mount = Use::Mount { block: "nvme1n1".into(), at: "/".into() };
    assert_eq!(uses(SYSTEM), &[mount, Use::Swap { block: "nvme1n1".into() }]);
    assert_eq!(uses(DRIVE), &[]);
    let interface = Use::Interface {
        name: "eth0".into(),
        addresses: vec!["192.0.2.7/24".into()],
        up: true,
        default_route: true,
        carries: vec![],
    };
    assert_eq!(uses(NIC), &[interface]);
    assert_eq!(uses(GPU), &[Use::BootFramebuffer { region: "BOOTFB".into() }]);
    let gpu = snapshot.get(bdf(GPU)).unwrap();
    assert_eq!(gpu.upstream, [bdf("0000:00:01.0")]);
    assert_eq!(gpu.bars.known().unwrap().len(), 4);
    assert_eq!(gpu.rom.known(), Some(&Some(512 << 10)));
    assert_eq!(gpu.driver_name(), Some("nvidia"));
    assert_eq!(snapshot.movers(bdf(GPU)).len(), 4);
}

#[test]
fn virtual_functions_are_seen_as_such() {
    let host = FakeHost::new().sriov_nic(NIC, "eth0", 7);
    host.meddle(&format!("sys/bus/pci/devices/{NIC}/sriov_numvfs"), "2");
    let snapshot = look(&host);
    let parent = snapshot.get(bdf(NIC)).unwrap().sriov.clone().unwrap();
    assert_eq!(parent.active.known(), Some(&2));
    assert_eq!(parent.functions, [bdf("0000:03:10.0"), bdf("0000:03:10.2")]);
    let child = snapshot.get(bdf("0000:03:10.2")).unwrap();
    assert_eq!(child.physfn, Some(bdf(NIC)));
    assert!(child.vendor.known().is_some_and(|vendor| vendor.0 == 0x8086));
    assert!(child.capabilities().known().is_some(), "its ids are ones, the rest is not");
}

#[test]
fn a_whole_group_goes_to_vfio_and_comes_back_exactly() {
    let persistenced = Some("system.slice/nvidia-persistenced.service");
    let host = host().loaded("vfio-pci").process(
        700,
        "/usr/bin/nvidia-persistenced",
        &["nvidia0"],
        persistenced,
    );
    let before = host.snapshot_tree();
    let steps = plan::plan(&look(&host), &bind(GPU)).unwrap().steps;
    let done = apply(&host, &steps);
    for function in 0..4 {
        let at = format!("0000:65:00.{function}");
        assert_eq!(host.driver_of(&at).as_deref(), Some("vfio-pci"), "{at}");
    }
    // The intent is reached: nothing is left to plan.
    let again = plan::plan(&look(&host), &bind(GPU)).unwrap().steps;
    assert!(again.iter().all(|step| matches!(step, Step::StopUnit { .. })), "{again:?}");
    let release = Intent::Release(Release {
        devices: vec![bdf(GPU)],
        done,
        to_host: true,
        missing: Default::default(),
    });
    let steps = plan::plan(&look(&host), &release).unwrap().steps;
    apply(&host, &steps);
    assert_eq!(before.diff(&host.snapshot_tree()), [""; 0]);
    assert_eq!(host.is_active("nvidia-persistenced.service"), Some(true));
}

#[test]
fn what_the_host_needs_is_refused() {
    let host = host();
    for (at, code) in [(SYSTEM, Code::RootDisk), (NIC, Code::OnlyNetwork)] {
        let refusal = plan::plan(&look(&host), &bind(at)).unwrap_err();
        assert!(refusal.reasons.iter().any(|reason| reason.code == code), "{refusal}");
    }
}

#[test]
fn without_an_iommu_nothing_goes() {
    let host = FakeHost::new().without_iommu().nvme(DRIVE);
    let refusal = plan::plan(&look(&host), &bind(DRIVE)).unwrap_err();
    assert!(refusal.reasons.iter().any(|reason| reason.code == Code::NoIommu), "{refusal}");
}

//! The table of checks, walked; and what it says of made-up hosts.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use model::boot::cmdline::Change;
use model::boot::modprobe::{File, Settings};
use model::check::{self, Checked, Remedy, Severity, Status, Subject};
use model::setup::{Access, Guest, Maker, Modules, Pool, Processor, Setup};
use model::snapshot::ModuleState;
use model::{Fact, Snapshot, Why};

#[path = "check/boot.rs"]
mod boot;
#[path = "check/devices.rs"]
mod devices;
mod shapes;

use shapes::Shape;
use shapes::setup::ready;

fn checked(snapshot: &Snapshot, setup: &Setup) -> Vec<Checked> {
    check::check(&Subject { snapshot, setup, devices: &[] })
}

/// What modprobe is told by one file.
fn modprobe(text: &str) -> Settings {
    Settings::read(&[File { folder: "/etc/modprobe.d", name: "x.conf", text }])
}

/// What a check found.
fn of<'a>(checked: &'a [Checked], name: &str) -> &'a model::check::Finding {
    &checked.iter().find(|one| one.check.name == name).unwrap().finding
}

#[test]
fn the_table() {
    let mut names = BTreeSet::new();
    for check in check::all() {
        assert!(names.insert(check.name), "{} stands twice", check.name);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(check.name.chars().all(plain), "{}", check.name);
        assert!(check.about.ends_with(['.', ')']) && check.about.len() < 120, "{}", check.about);
    }
}

#[test]
fn a_ready_host() {
    let mut snapshot = Shape::new().0;
    snapshot.machine.memory_available = (8 << 30).into();
    snapshot.machine.memory_total = (16 << 30).into();
    let checked = checked(&snapshot, &ready());
    let not: Vec<_> = checked.iter().filter(|one| one.finding.status != Status::Pass).collect();
    assert!(not.is_empty(), "{not:#?}");
    assert!(check::is_ready(&checked));
}

#[test]
fn guests_without_a_free_root_port() {
    let with = |free| Setup {
        guests: vec![Guest { name: "g1".to_owned(), ports: Some((4, free)), pinned: 2 << 30 }]
            .into(),
        ..ready()
    };
    let mut snapshot = Shape::new().0;
    snapshot.machine.memory_available = (8 << 30).into();
    snapshot.machine.memory_total = (16 << 30).into();
    for (setup, status, text) in [
        (ready(), Status::Pass, "no guest of passthru runs"),
        (with(3), Status::Pass, "root ports: g1 has 3 of 4 free"),
        (with(0), Status::Warn, "root ports: g1 has 0 of 4 free"),
    ] {
        let checked = checked(&snapshot, &setup);
        let finding = of(&checked, "root_ports");
        assert_eq!((finding.status, &finding.text[..]), (status, text));
        let pins = of(&checked, "memory").text.contains("; guests of passthru have pinned 2 GiB");
        assert_eq!(pins, status == Status::Warn || text.contains("g1"));
    }
}

/// What is only advised never keeps a host from being ready, whatever is known.
#[test]
fn advice_does_not_fail() {
    let unknown = |why: &Why| {
        let mut setup = ready();
        setup.cmdline = Fact::Unknown(why.clone());
        setup.modules = Modules::default();
        setup.security = Fact::Unknown(why.clone());
        setup.programs.qemu = Fact::Unknown(why.clone());
        setup
    };
    for setup in [ready(), unknown(&Why::NotProvided), unknown(&Why::NotPermitted)] {
        for one in checked(&Shape::new().0, &setup) {
            if one.check.severity == Severity::Advised {
                assert_ne!(one.finding.status, Status::Fail, "{one:?}");
            }
            let sentence = &one.finding.text;
            assert!(!sentence.is_empty() && !sentence.ends_with('.'), "{one:?}");
            let amiss = matches!(one.finding.status, Status::Fail | Status::Warn);
            assert_eq!(amiss, !one.finding.hint.is_empty(), "{one:?}");
        }
    }
}

fn without_iommu(table: Option<&str>) -> Snapshot {
    let mut snapshot = Shape::new().0;
    snapshot.groups.clear();
    if let Fact::Known(iommu) = &mut snapshot.machine.iommu {
        iommu.on = false;
        iommu.firmware = table.map(str::to_owned).into();
    }
    snapshot
}

#[test]
fn the_firmware_and_the_kernel_are_told_apart() {
    let setup = ready();
    let none = checked(&without_iommu(None), &setup);
    assert_eq!(of(&none, "iommu_firmware").status, Status::Fail);
    assert!(of(&none, "iommu_firmware").hint.contains("VT-d"));
    assert!(!check::is_ready(&none));

    let off = checked(&without_iommu(Some("DMAR")), &setup);
    assert_eq!(of(&off, "iommu_firmware").status, Status::Pass);
    let kernel = of(&off, "iommu_kernel");
    assert!(
        kernel.text.contains("the firmware offers an IOMMU, the kernel has it off"),
        "{kernel}"
    );
    let on = Remedy::Argument(Change::Set("intel_iommu=on".to_owned()));
    assert_eq!(kernel.remedies, std::slice::from_ref(&on));

    // What switches it off is taken away, and on AMD nothing is added.
    let amd = Setup {
        cmdline: "amd_iommu=off quiet".to_owned().into(),
        processor: Processor { maker: Maker::Amd, virtualization: Some(true), hypervisor: false }
            .into(),
        ..ready()
    };
    let off = checked(&without_iommu(Some("IVRS")), &amd);
    let gone = Remedy::Argument(Change::Remove("amd_iommu=off".to_owned()));
    assert_eq!(of(&off, "iommu_kernel").remedies, [gone]);
    let intel = Setup { cmdline: "intel_iommu=off".to_owned().into(), ..ready() };
    let off = checked(&without_iommu(Some("DMAR")), &intel);
    assert_eq!(of(&off, "iommu_kernel").remedies.last(), Some(&on));
}

#[test]
fn interrupts_and_kvm() {
    let mut setup = ready();
    setup.remapping = Some(false).into();
    setup.kvm = Access::Refused.into();
    let found = checked(&Shape::new().0, &setup);
    assert_eq!(of(&found, "interrupt_remapping").status, Status::Fail);
    assert!(of(&found, "kvm").hint.contains("group"));
    let key = ("vfio_iommu_type1".to_owned(), "allow_unsafe_interrupts".to_owned());
    setup.modules.parameters.insert(key, "Y".to_owned().into());
    let found = checked(&Shape::new().0, &setup);
    assert_eq!(of(&found, "interrupt_remapping").status, Status::Warn);

    setup.kvm = Access::Missing.into();
    setup.modules.states.insert("kvm_intel".to_owned(), ModuleState::Loadable.into());
    let found = checked(&Shape::new().0, &setup);
    assert_eq!(of(&found, "kvm").remedies, [Remedy::Load("kvm_intel".to_owned())]);
}

#[test]
fn unsafe_interrupts() {
    let found = |setup: &Setup| of(&checked(&Shape::new().0, setup), "unsafe_interrupts").clone();
    let mut setup = ready();
    assert_eq!(found(&setup).status, Status::Pass);
    // What it will be when the module is loaded: the boot argument counts before files.
    setup.modprobe = modprobe("options vfio_iommu_type1 x=1 allow_unsafe_interrupts=1\n").into();
    assert!(found(&setup).text.contains("for nothing"), "{}", found(&setup));
    setup.cmdline = "vfio_iommu_type1.allow_unsafe_interrupts=0".to_owned().into();
    assert_eq!(found(&setup).status, Status::Pass);
    setup.modprobe = Fact::Unknown(Why::NotPermitted);
    assert_eq!(found(&setup).status, Status::Unknown);
    // And what it is.
    let key = ("vfio_iommu_type1".to_owned(), "allow_unsafe_interrupts".to_owned());
    setup.modules.parameters.insert(key, "Y".to_owned().into());
    setup.remapping = Some(false).into();
    assert!(found(&setup).text.contains("break out"), "{}", found(&setup));
}

#[test]
fn memory_for_guests() {
    let mut snapshot = Shape::new().0;
    snapshot.machine.memory_available = (8 << 30).into();
    snapshot.machine.memory_total = (32 << 30).into();
    let mut setup = ready();
    let found = |setup: &Setup, name| of(&checked(&snapshot, setup), name).text.clone();
    assert_eq!(found(&setup, "memory"), "8 GiB of 32 GiB can be given to guests");
    let small = Pool { size: 2 << 20, total: 1024, free: 512 };
    let none = Pool { size: 16 << 30, total: 0, free: 0 };
    setup.memory.pools = vec![small, Pool { size: 1 << 30, total: 4, free: 4 }, none].into();
    assert_eq!(
        found(&setup, "memory"),
        "8 GiB of 32 GiB can be given to guests, and 5 GiB more in hugepages"
    );
    let pools = found(&setup, "hugepages");
    assert!(
        pools.starts_with("512 of 1024 pages of 2 MiB free: room for guests of 1 GiB"),
        "{pools}"
    );
    assert!(!pools.contains("16 GiB"), "{pools}");
    setup.memory.lock_limit = Some(4 << 30).into();
    assert!(found(&setup, "memlock").starts_with("up to 4 GiB of memory can be locked"));
}

/// The four commits of the AIC100 guide came with Linux 5.19.
#[test]
fn guests_of_hyperv() {
    let mut setup = ready();
    let found = |setup: &Setup, kernel: &str| {
        let mut snapshot = Shape::new().0;
        snapshot.machine.kernel = kernel.to_owned().into();
        of(&checked(&snapshot, setup), "hyperv_guest").clone()
    };
    assert_eq!(found(&setup, "5.4.0").status, Status::Pass);
    setup.product = "Microsoft Corporation Virtual Machine".to_owned().into();
    for (kernel, status) in [
        ("5.19.0-1-amd64", Status::Pass),
        ("6.1.0", Status::Pass),
        ("5.18.19", Status::Warn),
        ("4.19.0", Status::Warn),
    ] {
        let found = found(&setup, kernel);
        assert_eq!(found.status, status, "{kernel}: {found}");
    }
    let hint = found(&setup, "5.15.0").hint;
    for commit in ["08e61e861a0e", "455880dfe292", "b4b77778ecc5", "a2bad844a67b"] {
        assert!(hint.contains(commit), "{commit}: {hint}");
    }
}

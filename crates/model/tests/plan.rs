//! Plans as text: what a dry run prints is what is asserted here.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod shapes;

use std::collections::BTreeSet;

use insta::assert_snapshot;
use model::intent::Bind;
use model::snapshot::ModuleState;
use model::usage::{Use, UseKind};
use model::{Code, Fact, Step, Why};
use shapes::plans::{bind, codes, planned, release};
use shapes::{Shape, bdf, consumer_card};

#[test]
fn a_group_moves_whole() {
    let plan = planned(&consumer_card(), bind(&["0000:01:00.0"])).unwrap();
    assert_snapshot!(plan, @r"
    set power/control of 0000:01:00.0 to on
    unbind 0000:01:00.0 from nvidia
    set driver_override of 0000:01:00.0 to vfio-pci
    probe 0000:01:00.0 for vfio-pci
    keep 0000:01:00.0 awake
    set d3cold_allowed of 0000:01:00.0 to 0
    set power/control of 0000:01:00.1 to on
    unbind 0000:01:00.1 from snd_hda_intel
    set driver_override of 0000:01:00.1 to vfio-pci
    probe 0000:01:00.1 for vfio-pci
    keep 0000:01:00.1 awake
    set d3cold_allowed of 0000:01:00.1 to 0
    set power/control of 0000:01:00.2 to on
    unbind 0000:01:00.2 from xhci_hcd
    set driver_override of 0000:01:00.2 to vfio-pci
    probe 0000:01:00.2 for vfio-pci
    keep 0000:01:00.2 awake
    set d3cold_allowed of 0000:01:00.2 to 0
    set power/control of 0000:01:00.3 to on
    set driver_override of 0000:01:00.3 to vfio-pci
    probe 0000:01:00.3 for vfio-pci
    keep 0000:01:00.3 awake
    set d3cold_allowed of 0000:01:00.3 to 0
    ");
    let same = planned(&consumer_card(), bind(&["0000:01:00.3", "0000:01:00.0"])).unwrap();
    assert_eq!(plan.steps, same.steps, "whichever member is named");
}

#[test]
fn what_is_bound_already_needs_nothing() {
    let mut shape = consumer_card();
    for function in shape.0.functions.values_mut().filter(|function| !function.stays()) {
        function.driver = Fact::Known(Some("vfio-pci".to_owned()));
        function.driver_override = Fact::Known(Some("vfio-pci".to_owned()));
        function.power_control = Fact::Known(model::function::PowerControl::On);
        function.d3cold_allowed = Fact::Known(false);
    }
    assert_eq!(planned(&shape, bind(&["0000:01:00.0"])).unwrap().steps, []);
}

#[test]
fn the_module_is_loaded_when_it_is_not() {
    let mut shape = consumer_card();
    let state = |state: ModuleState| [("vfio-pci".to_owned(), state.into())].into();
    shape.0.machine.guest_drivers = state(ModuleState::Loadable);
    let plan = planned(&shape, bind(&["0000:01:00.0"])).unwrap();
    assert_eq!(plan.steps[0], Step::LoadModule { module: "vfio-pci".to_owned() });
    shape.0.machine.guest_drivers = state(ModuleState::Missing);
    let refusal = planned(&shape, bind(&["0000:01:00.0"])).unwrap_err();
    assert_eq!(refusal.reasons[0].code, Code::NoVfioPci);
}

#[test]
fn so_is_the_module_of_another_driver() {
    for (driver, module) in [("mlx5_vfio_pci", "mlx5_vfio_pci"), ("pciback", "xen-pciback")] {
        let mut shape = consumer_card();
        let intent = Bind { driver: driver.to_owned(), ..bind(&["0000:01:00.0"]) };
        let drivers = &mut shape.0.machine.guest_drivers;
        drivers.insert(driver.to_owned(), ModuleState::Loadable.into());
        let plan = planned(&shape, intent.clone()).unwrap();
        assert_eq!(plan.steps[0], Step::LoadModule { module: module.to_owned() });
        let drivers = &mut shape.0.machine.guest_drivers;
        drivers.insert(driver.to_owned(), ModuleState::Missing.into());
        let refusal = planned(&shape, intent).unwrap_err();
        assert_eq!(refusal.reasons[0].code, Code::NoGuestDriver);
    }
}

#[test]
fn only_named_overrides_let_go_what_the_host_needs() {
    let mount = Use::Mount { block: "nvme0n1p2".to_owned(), at: "/".to_owned() };
    let disk = "0000:02:00.0";
    let shape = Shape::new()
        .endpoint(disk, (0x144d, 0xa80a), 0x010802, 2)
        .driver(disk, "nvme")
        .used(disk, mount);
    let refusal = planned(&shape, bind(&[disk])).unwrap_err();
    assert_eq!(refusal.reasons[0].code, Code::RootDisk);
    let other = Bind { overrides: [Code::OnlyNetwork].into(), ..bind(&[disk]) };
    assert!(planned(&shape, other).is_err());
    let named = Bind { overrides: [Code::RootDisk].into(), ..bind(&[disk]) };
    let plan = planned(&shape, named).unwrap();
    assert!(plan.notes.iter().any(|note| note.code == Code::RootDisk), "it stays told");
    // What blocks cannot be overridden.
    let shape = shape.without_iommu(None);
    let all = Bind { overrides: Code::ALL.iter().copied().collect(), ..bind(&[disk]) };
    assert_eq!(planned(&shape, all).unwrap_err().reasons[0].code, Code::NoIommu);
}

#[test]
fn every_reason_is_told_and_not_only_the_first() {
    let mount = Use::Mount { block: "nvme0n1p2".to_owned(), at: "/".to_owned() };
    let disk = "0000:02:00.0";
    let shape = Shape::new()
        .endpoint(disk, (0x144d, 0xa80a), 0x010802, 2)
        .used(disk, mount)
        .reserved(2, "direct");
    let refusal = planned(&shape, bind(&[disk, "0000:77:00.0"])).unwrap_err();
    let codes: BTreeSet<Code> = refusal.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [Code::NotFound, Code::ReservedRegion, Code::RootDisk].into());
}

#[test]
fn bridges_are_refused_by_name() {
    let refusal = planned(&consumer_card(), bind(&["0000:00:01.0"])).unwrap_err();
    assert_eq!(refusal.reasons[0].code, Code::Bridge);
    // On POWER a bridge is in no group, which is not what is wrong with passing it.
    let mut shape = consumer_card();
    let root_port = shape.0.functions.get_mut(&bdf("0000:00:01.0")).unwrap();
    root_port.group = Fact::Known(None);
    let refusal = planned(&shape, bind(&["0000:00:01.0"])).unwrap_err();
    let codes: Vec<Code> = refusal.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!(codes, [Code::Bridge]);
}

#[test]
fn release_takes_a_function_from_the_guest_driver_that_came_back() {
    // The probe was undone; the override was not, and brought vfio-pci back.
    let mut shape = consumer_card();
    let gpu = bdf("0000:01:00.0");
    let function = shape.0.functions.get_mut(&gpu).unwrap();
    function.driver = Fact::Known(Some("vfio-pci".to_owned()));
    function.driver_override = Fact::Known(Some("vfio-pci".to_owned()));
    let unbind = Step::Unbind { bdf: gpu, driver: "nvidia".to_owned() };
    let to = Some("vfio-pci".to_owned());
    let chosen = Step::SetDriverOverride { bdf: gpu, from: None, to };
    assert_snapshot!(release(&shape, &["0000:01:00.0"], vec![unbind, chosen]), @r"
    clear driver_override of 0000:01:00.0
    unbind 0000:01:00.0 from vfio-pci
    probe 0000:01:00.0 for nvidia
    ");
}

#[test]
fn release_is_the_way_back() {
    let before = consumer_card();
    let done = planned(&before, bind(&["0000:01:00.0"])).unwrap().steps;
    let mut shape = consumer_card();
    for function in shape.0.functions.values_mut().filter(|function| !function.stays()) {
        function.driver = Fact::Known(Some("vfio-pci".to_owned()));
        function.driver_override = Fact::Known(Some("vfio-pci".to_owned()));
        function.power_control = Fact::Known(model::function::PowerControl::On);
        function.d3cold_allowed = Fact::Known(false);
    }
    assert_snapshot!(release(&shape, &["0000:01:00.0"], done.clone()), @r"
    set d3cold_allowed of 0000:01:00.3 to 1
    unbind 0000:01:00.3 from vfio-pci
    clear driver_override of 0000:01:00.3
    set power/control of 0000:01:00.3 to auto
    set d3cold_allowed of 0000:01:00.2 to 1
    unbind 0000:01:00.2 from vfio-pci
    clear driver_override of 0000:01:00.2
    probe 0000:01:00.2 for xhci_hcd
    set power/control of 0000:01:00.2 to auto
    set d3cold_allowed of 0000:01:00.1 to 1
    unbind 0000:01:00.1 from vfio-pci
    clear driver_override of 0000:01:00.1
    probe 0000:01:00.1 for snd_hda_intel
    set power/control of 0000:01:00.1 to auto
    set d3cold_allowed of 0000:01:00.0 to 1
    unbind 0000:01:00.0 from vfio-pci
    clear driver_override of 0000:01:00.0
    probe 0000:01:00.0 for nvidia
    set power/control of 0000:01:00.0 to auto
    ");
    assert_eq!(release(&before, &["0000:01:00.0"], done).steps, [], "released already");
}

#[test]
fn what_somebody_else_bound_goes_to_the_driver_that_the_kernel_picks() {
    let disk = "0000:02:00.0";
    let shape = Shape::new()
        .endpoint(disk, (0x144d, 0xa80a), 0x010802, 2)
        .driver(disk, "vfio-pci")
        .with(disk, |f| f.driver_override = Fact::Known(Some("vfio-pci".to_owned())));
    assert_snapshot!(release(&shape, &[disk], Vec::new()), @r"
    unbind 0000:02:00.0 from vfio-pci
    clear driver_override of 0000:02:00.0
    probe 0000:02:00.0 for its own driver
    ");
}

#[test]
fn an_override_that_waits_for_its_driver_does_not_spoil_the_way_back() {
    let disk = "0000:02:00.0";
    let shape = Shape::new()
        .endpoint(disk, (0x144d, 0xa80a), 0x010802, 2)
        .driver(disk, "nvme")
        .with(disk, |f| f.driver_override = Fact::Known(Some("vfio-pci".to_owned())))
        .with(disk, |f| f.power_control = Fact::Known(model::function::PowerControl::On))
        .with(disk, |f| f.d3cold_allowed = Fact::Known(false));
    let there = planned(&shape, bind(&[disk])).unwrap();
    assert_snapshot!(there, @r"
    clear driver_override of 0000:02:00.0
    unbind 0000:02:00.0 from nvme
    set driver_override of 0000:02:00.0 to vfio-pci
    probe 0000:02:00.0 for vfio-pci
    keep 0000:02:00.0 awake
    ");
    let bound = shape.driver(disk, "vfio-pci");
    assert_snapshot!(release(&bound, &[disk], there.steps), @r"
    unbind 0000:02:00.0 from vfio-pci
    clear driver_override of 0000:02:00.0
    probe 0000:02:00.0 for nvme
    set driver_override of 0000:02:00.0 to vfio-pci
    ");
}

#[test]
fn nothing_is_planned_on_a_guess() {
    let (card, why) = ("0000:01:00.0", || Fact::Unknown(Why::Failed("no answer".to_owned())));
    let unread = consumer_card().with(card, |f| f.driver_override = why());
    assert_eq!(planned(&unread, bind(&[card])).unwrap_err().reasons[0].code, Code::Unreadable);
    let unread = consumer_card().with(card, |f| f.driver = why());
    assert!(planned(&unread, bind(&[card])).is_err());
}

#[test]
fn what_the_host_does_with_it_is_not_guessed() {
    let card = "0000:01:00.0";
    for kind in [UseKind::Disk, UseKind::Network, UseKind::Screen] {
        let shape = consumer_card().unseen(card, kind, Why::NotPermitted);
        // Another member's doubt is the group's.
        for named in [card, "0000:01:00.1"] {
            let refused = planned(&shape, bind(&[named]));
            assert!(refused.is_err());
            let mut want = vec![Code::UsesUnknown];
            // Why a device is spoken of that nobody named.
            want.extend((named != card).then_some(Code::GroupCompany));
            assert_eq!(codes(&refused), want);
        }
        let named = BTreeSet::from([Code::UsesUnknown]);
        assert!(planned(&shape, Bind { overrides: named, ..bind(&[card]) }).is_ok());
    }
}

#[test]
fn only_a_driver_that_hands_devices_to_guests_is_bound() {
    let card = "0000:01:00.0";
    for driver in ["", "nvme", "../../x", "../x_vfio_pci", "vfio"] {
        let refused =
            planned(&consumer_card(), Bind { driver: driver.to_owned(), ..bind(&[card]) });
        assert!(refused.is_err(), "{driver}");
        assert_eq!(codes(&refused), [Code::Unsupported], "{driver}");
    }
    for driver in ["vfio-pci", "mlx5_vfio_pci", "pci-stub", "pciback"] {
        let plan = planned(&consumer_card(), Bind { driver: driver.to_owned(), ..bind(&[card]) });
        assert!(plan.is_ok(), "{driver}: {plan:?}");
    }
}

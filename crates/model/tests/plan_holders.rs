//! Plans where somebody has the device open: who is ended for it, and who is not.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod shapes;

use std::collections::BTreeSet;

use insta::assert_snapshot;
use model::intent::Bind;
use model::{Code, Fact, Step, Why};
use shapes::plans::{bind, codes, planned, release};
use shapes::{Shape, consumer_card};

#[test]
fn services_are_stopped_with_consent_only() {
    let shape = consumer_card().held(
        "0000:01:00.0",
        "/dev/nvidia0",
        "/usr/bin/nvidia-persistenced",
        Some("nvidia-persistenced.service"),
    );
    let refusal = planned(&shape, bind(&["0000:01:00.0"])).unwrap_err();
    assert_snapshot!(refusal, @"0000:01:00.0: /usr/bin/nvidia-persistenced (pid 4242) has /dev/nvidia0 open, unit nvidia-persistenced.service; it keeps every NVIDIA card of the host initialised [service_must_stop]");
    let consent = Bind { stop_services: true, ..bind(&["0000:01:00.0"]) };
    let plan = planned(&shape, consent).unwrap();
    let unit = "nvidia-persistenced.service".to_owned();
    assert_eq!(plan.steps[0], Step::StopUnit { unit: unit.clone(), triggers: vec![] });
    let mut done = plan.steps;
    done.truncate(2);
    let unbound = shape.with("0000:01:00.0", |f| f.driver = Fact::Known(None));
    let back = release(&unbound, &["0000:01:00.0"], done);
    assert_eq!(
        back.steps.last(),
        Some(&Step::StartUnit { unit, triggers: vec![] }),
        "exactly what was stopped"
    );
}

#[test]
fn a_process_without_a_unit_is_not_ended() {
    for unit in [None, Some("session-3.scope"), Some("user@1000.service")] {
        let shape = consumer_card().held("0000:01:00.0", "/dev/nvidia0", "python3", unit);
        let consent = Bind { stop_services: true, ..bind(&["0000:01:00.0"]) };
        let refusal = planned(&shape, consent).unwrap_err();
        assert_eq!(refusal.reasons[0].code, Code::HeldByProcess, "{unit:?}");
    }
}

/// A compositor runs in its user's login, which ends with the display manager.
#[test]
fn a_desktop_ends_with_its_display_manager() {
    let card = "0000:01:00.0";
    let user = Some("user@1000.service");
    for desktop in [Some("session-2.scope"), user] {
        let shape = consumer_card()
            .held(card, "/dev/dri/card0", "gnome-shell", desktop)
            .held(card, "/dev/dri/renderD128", "firefox", user)
            .held("0000:01:00.1", "/dev/snd/controlC1", "wireplumber", user);
        let refusal = planned(&shape, bind(&[card])).unwrap_err();
        let found = codes(&Err(refusal.clone()));
        assert_eq!(found[..3], [Code::ServiceMustStop; 3], "{refusal}");
        assert!(refusal.reasons[0].text.contains("it ends the desktops"), "{refusal}");
        let consent = || Bind { stop_services: true, ..bind(&[card]) };
        let steps = planned(&shape, consent()).unwrap().steps;
        let unit = "display-manager.service".to_owned();
        assert_eq!(steps[0], Step::StopUnit { unit, triggers: vec![] });
        // Somebody else's program, over the network, would not end.
        for node in ["/dev/nvidia0", "/dev/dri/card0"] {
            let other = Shape(shape.0.clone()).held(card, node, "python3", Some("session-7.scope"));
            let refusal = planned(&other, consent()).unwrap_err();
            assert_eq!(codes(&Err(refusal)), [Code::HeldByProcess]);
        }
    }
}

#[test]
fn a_guest_keeps_what_it_has() {
    let shape = consumer_card().driver("0000:01:00.0", "vfio-pci").held(
        "0000:01:00.0",
        "/dev/vfio/1",
        "qemu-system-x86_64",
        Some("machine-qemu.scope"),
    );
    let consent = Bind { stop_services: true, ..bind(&["0000:01:00.1"]) };
    let refusal = planned(&shape, consent).unwrap_err();
    assert_eq!(refusal.reasons[0].code, Code::Assigned);
}

#[test]
fn logind_is_not_stopped_for_the_screen_that_it_holds_for_a_session() {
    let card = "0000:01:00.0";
    let logind = ("/usr/lib/systemd/systemd-logind", Some("systemd-logind.service"));
    let desktop = ("/usr/bin/Xorg", Some("lightdm.service"));
    let shape = [logind, desktop].into_iter().fold(consumer_card(), |shape, (program, unit)| {
        shape.held(card, "/dev/dri/card0", program, unit)
    });
    let consent = Bind { stop_services: true, ..bind(&[card]) };
    let steps = planned(&shape, consent).unwrap().steps;
    let stopped = steps.iter().filter(|step| matches!(step, Step::StopUnit { .. }));
    let unit = "lightdm.service".to_owned();
    assert_eq!(stopped.collect::<Vec<_>>(), [&Step::StopUnit { unit, triggers: vec![] }]);
}

#[test]
fn udev_is_not_stopped_for_the_disk_that_it_looks_at() {
    let udev = Some("systemd-udevd.service");
    let shape = consumer_card().held("0000:01:00.0", "/dev/nvme0n1", "/usr/bin/udevadm", udev);
    for stop_services in [false, true] {
        let steps = planned(&shape, Bind { stop_services, ..bind(&["0000:01:00.0"]) }).unwrap();
        let stopped = |step: &Step| matches!(step, Step::StopUnit { .. });
        assert!(!steps.steps.iter().any(stopped), "{:?}", steps.steps);
    }
}

#[test]
fn a_driver_is_not_taken_from_holders_that_are_out_of_sight() {
    let disk = "0000:02:00.0";
    let shape = |driver: Option<&str>| {
        let shape = Shape::new().endpoint(disk, (0x144d, 0xa80a), 0x010802, 20);
        let shape = driver.into_iter().fold(shape, |shape, driver| shape.driver(disk, driver));
        shape.with(disk, |f| f.holders = Fact::Unknown(Why::NotPermitted))
    };
    let driven = shape(Some("nvme"));
    assert_eq!(codes(&planned(&driven, bind(&[disk]))), [Code::HoldersUnknown]);
    let named = BTreeSet::from([Code::HoldersUnknown]);
    let plan = planned(&driven, Bind { overrides: named, ..bind(&[disk]) });
    assert!(plan.is_ok());
    assert_eq!(codes(&plan), [Code::HoldersUnknown]);
    // Where no driver has to let go, it is told.
    for driver in [None, Some("vfio-pci")] {
        let plan = planned(&shape(driver), bind(&[disk]));
        assert!(plan.is_ok(), "{plan:?}");
        assert_eq!(codes(&plan), [Code::Unknown]);
    }
}

//! Bindings that outlast a reboot: the rules, the files around them, and what becomes of both.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod shapes;

use insta::assert_snapshot;
use model::boot::source::Source;
use model::boot::udev_rules;
use model::file::Content;
use model::plan::persist::{Change, persist};
use model::plan::prepare::Preparation;
use model::setup::boot::{Boot, Generator};
use model::{Bdf, Fact, Snapshot, Step, Why};
use proptest::prelude::*;
use shapes::setup::shown;
use shapes::{Shape, bdf};

const RELEASE: &str = "6.12.43+deb13-amd64";
const RULES: &str = "/etc/udev/rules.d/10-passthru.rules";

fn boot(generator: Option<Generator>) -> Boot {
    Boot {
        loader: Fact::Unknown(Why::NotProvided),
        generator: generator.into(),
        images: [(RELEASE.to_owned(), format!("/boot/initrd.img-{RELEASE}"))].into(),
        configuration: "/etc".to_owned(),
        files: [].into(),
    }
}

/// Two drives of a kind, each behind a port of its own.
fn two_drives() -> Snapshot {
    let shape = Shape::new();
    let drive = |shape: Shape, address: &str, port: &str, group| {
        let shape = shape.endpoint(address, (0x1b36, 0x0010), 0x01_0802, group);
        shape.below(address, &[port]).driver(address, "nvme")
    };
    let shape = drive(shape, "0000:03:00.0", "0000:00:01.1", 1);
    drive(shape, "0000:04:00.0", "0000:00:01.2", 2).0
}

fn planned(boot: &Boot, change: Change<'_>) -> Preparation {
    persist(&two_drives(), boot, change, "/usr/bin/passthru").unwrap()
}

/// What the host boots by when the steps are done.
fn after(boot: &Boot, preparation: &Preparation) -> Boot {
    let mut boot = boot.clone();
    for step in &preparation.steps {
        let Step::WriteFile { path, from, to } = step else { continue };
        assert_eq!(boot.files.get(path), from.as_ref(), "{path}");
        match to.clone() {
            Some(to) => boot.files.insert(path.clone(), to),
            None => boot.files.remove(path),
        };
    }
    boot
}

#[test]
fn of_two_of_a_kind_one_goes() {
    let drive = [bdf("0000:03:00.0")];
    let change = Change::Persist { functions: &drive, driver: "vfio-pci" };
    let plan = planned(&boot(Some(Generator::InitramfsTools)), change);
    assert_snapshot!("one_of_two_drives", shown(&plan));
    for rule in after(&boot(None), &plan).bindings().unwrap() {
        let snapshot = two_drives();
        let meant = snapshot.functions.values().filter(|function| rule.is_about(function));
        assert_eq!(meant.map(|function| function.bdf).collect::<Vec<_>>(), drive);
    }
}

#[test]
fn every_generator_is_told_in_its_own_way() {
    let drive = [bdf("0000:03:00.0")];
    let change = Change::Persist { functions: &drive, driver: "vfio-pci" };
    for (generator, wanted) in [
        (
            Generator::Dracut,
            "+install_items+=\" /etc/udev/rules.d/10-passthru.rules \"\n+add_drivers+=\" vfio_pci \"\n",
        ),
        (
            Generator::Mkinitcpio,
            "+FILES+=(/etc/udev/rules.d/10-passthru.rules)\n+MODULES+=(vfio_pci)\n",
        ),
    ] {
        let text = shown(&planned(&boot(Some(generator)), change));
        assert!(text.contains(wanted), "{text}");
    }
    for (generator, told) in
        [(Some(Generator::Booster), "have no udev"), (None, "into the initramfs")]
    {
        let plan = planned(&boot(generator), change);
        assert!(plan.by_hand[0].contains(told), "{:?}", plan.by_hand);
        assert_eq!(plan.steps.len(), 3, "{}", shown(&plan));
    }
}

#[test]
fn what_is_forgotten_leaves_nothing() {
    let both = [bdf("0000:03:00.0"), bdf("0000:04:00.0")];
    let before = boot(Some(Generator::InitramfsTools));
    let one = planned(&before, Change::Persist { functions: &both[..1], driver: "vfio-pci" });
    let one = after(&before, &one);
    let two = planned(&one, Change::Persist { functions: &both, driver: "vfio-pci" });
    let two = after(&one, &two);
    assert_eq!(two.bindings().unwrap().len(), 2);
    // Once more is nothing new.
    let again = planned(&two, Change::Persist { functions: &both, driver: "vfio-pci" });
    assert_eq!(again, Preparation::default());
    // One goes, the other stays.
    let less = planned(&two, Change::Forget { functions: &both[1..] });
    let less = after(&two, &less);
    assert_eq!(less, one);
    let none = planned(&less, Change::Forget { functions: &both });
    assert!(matches!(none.steps.last(), Some(Step::Remake(_))), "{}", shown(&none));
    assert_eq!(after(&less, &none), before);
    assert_eq!(planned(&before, Change::Forget { functions: &both }), Preparation::default());
}

/// A card was put in before it, and all buses behind have moved by one.
#[test]
fn a_rule_follows_its_device() {
    let drive = [bdf("0000:03:00.0")];
    let change = Change::Persist { functions: &drive, driver: "vfio-pci" };
    let written = after(&boot(None), &planned(&boot(None), change));
    let rules = written.bindings().unwrap();
    let moved = Shape::new().endpoint("0000:04:00.0", (0x1b36, 0x0010), 0x01_0802, 1);
    let moved = moved.below("0000:04:00.0", &["0000:00:01.1"]).0;
    assert!(rules[0].is_about(moved.get(bdf("0000:04:00.0")).unwrap()));
    // It is gone altogether: its last address is what it is known by.
    let gone = Shape::new().0;
    let forget = Change::Forget { functions: &drive };
    let plan = persist(&gone, &written, forget, "/usr/bin/passthru").unwrap();
    assert_eq!(after(&written, &plan), boot(None));
    // Another device at its address is not it.
    let other = Shape::new().endpoint("0000:03:00.0", (0x8086, 0x1533), 0x02_0000, 1);
    let other = other.below("0000:03:00.0", &["0000:00:01.1"]).0;
    assert!(!rules[0].is_about(other.get(drive[0]).unwrap()));
    assert_eq!(persist(&other, &written, forget, "/usr/bin/passthru").unwrap().steps, []);
}

#[test]
fn virtual_functions_that_differ_by_their_bus_are_known_by_it() {
    let shape = Shape::new().endpoint("0000:03:10.0", (0x8086, 0x10ca), 0x02_0000, 1);
    let shape = shape.endpoint("0000:04:10.0", (0x8086, 0x10ca), 0x02_0000, 2);
    let port = ["0000:00:01.1"];
    let snapshot = shape.below("0000:03:10.0", &port).below("0000:04:10.0", &port).0;
    let meant: [Bdf; 1] = [bdf("0000:04:10.0")];
    let change = Change::Persist { functions: &meant, driver: "vfio-pci" };
    let plan = persist(&snapshot, &boot(None), change, "passthru").unwrap();
    let rules = after(&boot(None), &plan).bindings().unwrap();
    assert!(rules[0].to_string().contains(", KERNEL==\"0000:04:10.0\""), "{}", rules[0]);
    assert!(!rules[0].is_about(snapshot.get(bdf("0000:03:10.0")).unwrap()));
}

/// Somebody wrote into the file: it is theirs now.
#[test]
fn a_rule_of_somebody_else_is_left_alone() {
    let mut boot = boot(None);
    boot.files.insert(RULES.to_owned(), Content::from("# mine\nACTION==\"add\", RUN+=\"x\"\n"));
    let drive = [bdf("0000:03:00.0")];
    let change = Change::Persist { functions: &drive, driver: "vfio-pci" };
    let error = persist(&two_drives(), &boot, change, "passthru").unwrap_err();
    assert!(error.to_string().starts_with(&format!("`{RULES}`, line 2")), "{error}");
}

proptest! {
    /// What was written is read back, whatever the addresses and ids.
    #[test]
    fn rules_are_read_back(
        domain in any::<u32>(), bus in any::<u8>(), ports in proptest::collection::vec(0u8..32, 0..4),
        ids in any::<(u16, u16)>(), subsystem in proptest::option::of(any::<(u16, u16)>()),
        only_there in any::<bool>(),
    ) {
        let address = |bus: u8, device: u8| format!("{domain:04x}:{bus:02x}:{device:02x}.0");
        let last = address(bus, 31);
        let shape = Shape::new().endpoint(&last, ids, 0x01_0802, 1);
        let upstream: Vec<String> = ports.iter().map(|device| address(bus / 2, *device)).collect();
        let shape = shape.below(&last, &upstream.iter().map(String::as_str).collect::<Vec<_>>());
        let shape = shape.with(&last, |function| {
            function.subsystem = match subsystem {
                Some((vendor, device)) => (model::VendorId(vendor), model::DeviceId(device)).into(),
                None => Fact::Unknown(Why::NotProvided),
            };
        });
        let function = shape.0.get(bdf(&last)).unwrap().clone();
        let mut rule = udev_rules::Rule::of(&function, "vfio-pci").unwrap();
        rule.only_there = only_there;
        prop_assert!(rule.is_about(&function));
        let text = udev_rules::file(std::slice::from_ref(&rule)).unwrap();
        prop_assert_eq!(udev_rules::parse(Source::new("rules", &text)).unwrap(), [rule]);
    }
}

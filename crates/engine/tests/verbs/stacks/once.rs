//! An entry for one start: killed at every operation, and together with a
//! preparation for good.

use engine::prepare::Lasting;

use super::*;

const GRUB: &str = "debian-grub-uefi";
const SYSTEMD_BOOT: &str = "arch-systemd-boot";

fn once(machine: &Stacked) -> Result<(), Error> {
    let request = PrepareRequest { lasting: Lasting::Once, ..request(&devices()) };
    let planned = machine.engine().plan_prepare(&request)?;
    machine.engine().prepare(&planned).map(drop)
}

/// Whether the boot loader is told to start an entry of ours.
fn is_chosen(machine: &Stacked) -> bool {
    let entry = |text: &[u8]| String::from_utf8_lossy(text).replace('\0', "");
    let variable =
        "sys/firmware/efi/efivars/LoaderEntryOneShot-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f";
    let places = ["boot/grub/grubenv", variable].map(|path| machine.host.root().join(path));
    let texts = places.iter().filter_map(|path| std::fs::read(path).ok());
    texts.into_iter().any(|text| entry(&text).contains("passthru-testing"))
}

#[test]
fn once_and_taken_back() {
    for name in [GRUB, SYSTEMD_BOOT] {
        let machine = Stacked::named(name);
        once(&machine).unwrap();
        assert!(is_chosen(&machine), "{name}");
        machine.undo().unwrap();
        assert!(!is_chosen(&machine), "{name}");
        assert_eq!(machine.differs(), [""; 0], "{name}");
    }
}

#[test]
fn killed_at_any_operation() {
    for name in [GRUB, SYSTEMD_BOOT] {
        let prepared = |name: &str| {
            let machine = Stacked::named(name);
            once(&machine).unwrap();
            machine
        };
        let machine = Stacked::named(name);
        let before = in_use(&machine.before);
        let log = machine.operations(|machine| once(machine).unwrap());
        let after = in_use(&machine.host.snapshot_tree());
        let back = machine.operations(|machine| machine.undo().unwrap());
        for moment in moments(&log) {
            let told = format!("{name}, {moment:?}");
            let machine = Stacked::named(name);
            machine.die(moment, once);
            machine.is_between(&before, &after, &told);
            machine.recover(&told);
            assert_eq!(machine.differs(), [""; 0], "{told}");
        }
        for moment in moments(&back) {
            let told = format!("{name}, back, {moment:?}");
            let machine = prepared(name);
            machine.die(moment, Stacked::undo);
            machine.is_between(&before, &after, &told);
            machine.recover(&told);
            assert_eq!(machine.differs(), [""; 0], "{told}");
        }
    }
}

/// First to try it, and then for good: all of it is taken back.
#[test]
fn once_and_then_for_good() {
    for name in [GRUB, SYSTEMD_BOOT] {
        let machine = Stacked::named(name);
        once(&machine).unwrap();
        machine.prepare().unwrap();
        machine.undo().unwrap();
        assert!(!is_chosen(&machine), "{name}");
        assert_eq!(machine.differs(), [""; 0], "{name}");
    }
}

//! Bindings that persist, on what machines boot by: killed at every operation,
//! and refused there.

use engine::BindRequest;
use model::plan::prepare::Preparation;

use super::*;

/// One of each program that makes images, and one that has none to be asked.
const TELLING: &[&str] = &["debian-grub", "fedora-bls", "arch-systemd-boot", "synology", "ostree"];

fn written(machine: &Stacked) -> Preparation {
    let request = BindRequest { devices: devices(), ..BindRequest::default() };
    machine.engine().plan_persist(&request).unwrap()
}

fn persist(machine: &Stacked) -> Result<(), Error> {
    machine.engine().persist(&written(machine)).map(drop)
}

fn forget(machine: &Stacked) -> Result<(), Error> {
    let (forgotten, _) = machine.engine().plan_forget(&devices())?;
    machine.engine().persist(&forgotten).map(drop)
}

fn persisted(name: &str) -> Stacked {
    let machine = Stacked::named(name);
    persist(&machine).unwrap();
    machine
}

#[test]
fn persisted_and_forgotten_leaves_nothing() {
    for name in TELLING {
        let machine = persisted(name);
        let makes_all = *name == "synology";
        assert_eq!(machine.differs().is_empty(), makes_all, "{name}");
        forget(&machine).unwrap();
        let differs = machine.differs();
        // Images are made anew, with what is the same in the end.
        let differs = differs.iter().filter(|line| !line.contains("init"));
        let differs: Vec<_> = differs.filter(|line| !line.ends_with("(folder)")).collect();
        assert_eq!(differs, [""; 0], "{name}");
    }
}

/// What nothing can be written for is told.
#[test]
fn what_only_a_person_can_do() {
    let synology = written(&Stacked::named("synology"));
    assert_eq!(synology.steps, []);
    let told =
        |text: &String| text.contains("let it run `passthru bind 0000:65:00.0` at each start");
    assert!(synology.by_hand.iter().any(told), "{:?}", synology.by_hand);
    let ostree = written(&Stacked::named("ostree"));
    assert!(!ostree.steps.is_empty());
    assert!(ostree.by_hand[0].contains("into the initramfs"), "{:?}", ostree.by_hand);
    let proxmox = written(&Stacked::named("proxmox"));
    assert!(proxmox.by_hand[0].starts_with("`proxmox-boot-tool refresh`"), "{:?}", proxmox.by_hand);
}

#[test]
fn killed_at_any_operation() {
    type Given = (fn(&str) -> Stacked, fn(&Stacked) -> Result<(), Error>);
    let both: [Given; 2] = [(Stacked::named, persist), (persisted, forget)];
    for name in &TELLING[..3] {
        for (given, work) in both {
            let machine = given(name);
            let before = in_use(&machine.host.snapshot_tree());
            let log = machine.operations(|machine| work(machine).unwrap());
            let after = in_use(&machine.host.snapshot_tree());
            assert!(log.len() > 8, "{name}: {log:?}");
            for moment in moments(&log) {
                let told = format!("{name}, {moment:?}");
                let machine = given(name);
                machine.die(moment, work);
                machine.is_between(&before, &after, &told);
                machine.recover(&told);
                let now = in_use(&machine.host.snapshot_tree());
                let differs = now.iter().filter(|(path, entry)| before.get(*path) != Some(entry));
                let differs: Vec<_> = differs.map(|(path, _)| path).collect();
                assert_eq!(differs, [""; 0], "{told}");
                assert_eq!(now.len(), before.len(), "{told}");
            }
        }
    }
}

//! Killed at every operation, forth and back: whatever is in use is whole,
//! and whoever comes next brings back every byte.

use fakehost::Moment;

use super::*;

#[test]
fn killed_at_any_operation_of_a_preparation() {
    for stack in changed() {
        let machine = Stacked::of(stack);
        let before = in_use(&machine.before);
        let log = machine.operations(|machine| machine.prepare().unwrap());
        assert!(log.len() >= 4, "{}: {log:?}", stack.name);
        let after = in_use(&machine.host.snapshot_tree());
        for moment in moments(&log) {
            let told = format!("{}, {moment:?}", stack.name);
            let machine = Stacked::of(stack);
            machine.die(moment, Stacked::prepare);
            machine.is_between(&before, &after, &told);
            machine.recover(&told);
            assert_eq!(machine.differs(), [""; 0], "{told}");
        }
    }
}

#[test]
fn killed_at_any_operation_of_the_way_back() {
    for stack in telling() {
        let prepared = || {
            let machine = Stacked::of(stack);
            machine.prepare().unwrap();
            machine
        };
        let machine = prepared();
        let (before, after) = (in_use(&machine.before), in_use(&machine.host.snapshot_tree()));
        let log = machine.operations(|machine| machine.undo().unwrap());
        for moment in moments(&log) {
            let told = format!("{}, {moment:?}", stack.name);
            let machine = prepared();
            machine.die(moment, Stacked::undo);
            machine.is_between(&before, &after, &told);
            machine.recover(&told);
            assert_eq!(machine.differs(), [""; 0], "{told}");
        }
    }
}

/// The recovery is cut off as well, and another one follows.
#[test]
fn killed_while_a_killed_preparation_is_taken_back() {
    let whole = Stacked::named("debian-grub");
    let count = whole.operations(|machine| machine.prepare().unwrap()).len();
    let cut_off = || {
        let machine = Stacked::named("debian-grub");
        machine.die(Moment::Before(count), Stacked::prepare);
        machine
    };
    let log = cut_off().operations(|machine| machine.recover("whole"));
    assert!(log.len() > 8, "{log:?}");
    for moment in moments(&log) {
        let machine = cut_off();
        machine.die(moment, |machine| machine.engine().recover().map(drop));
        machine.recover(&format!("{moment:?}"));
        assert_eq!(machine.differs(), [""; 0], "{moment:?}");
    }
}

//! A failure, and a death, at every single operation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use engine::Error;
use fakehost::{Errno, Moment, On, TreeSnapshot, until_killed};

use crate::given::*;

/// What differs, but for modules that were loaded meanwhile.
fn differs(before: &TreeSnapshot, given: &Given) -> Vec<String> {
    let diff = before.diff(&given.host.snapshot_tree());
    diff.into_iter().filter(|line| !line.contains("vfio")).collect()
}

/// How many operations a bind and the release after it take.
fn operations() -> (usize, usize) {
    let given = Given::new();
    given.engine().bind(&request(&[GPU, NVME])).unwrap();
    let bind = given.host.log().len();
    given.engine().release(&typed(&[GPU, NVME])).unwrap();
    (bind, given.host.log().len() - bind)
}

#[test]
fn a_failure_at_any_operation_of_a_bind_leaves_the_machine_as_it_was() {
    for nth in 1..=operations().0 {
        let given = Given::new();
        let before = given.host.snapshot_tree();
        given.host.refuse(On::nth(nth), Errno::IO);
        // `systemctl is-active` may fail without harm; all else is an error.
        if let Err(error) = given.engine().bind(&request(&[GPU, NVME])) {
            let Error::Failed(failure) = &error else { panic!("{nth}: {error}") };
            assert!(failure.rolled_back(), "{nth}: {error}");
            assert_eq!(differs(&before, &given), [""; 0], "{nth}: {error}");
            assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true), "{nth}");
        }
        assert!(given.engine().unfinished().unwrap().is_empty(), "{nth}");
        given.host.calm();
        given.engine().bind(&request(&[GPU, NVME])).unwrap();
        given.engine().release(&typed(&[GPU, NVME])).unwrap();
        assert_eq!(differs(&before, &given), [""; 0], "{nth}");
    }
}

#[test]
fn a_failure_at_any_operation_of_a_release_can_be_tried_again() {
    for nth in 1..=operations().1 {
        let given = Given::new();
        let before = given.host.snapshot_tree();
        given.engine().bind(&request(&[GPU, NVME])).unwrap();
        given.host.calm();
        given.host.refuse(On::nth(nth), Errno::IO);
        if let Err(error) = given.engine().release(&typed(&[GPU, NVME])) {
            assert!(matches!(error, Error::Failed(_)), "{nth}: {error}");
        }
        given.host.calm();
        given.engine().release(&typed(&[GPU, NVME])).unwrap();
        assert_eq!(differs(&before, &given), [""; 0], "{nth}");
        assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true), "{nth}");
    }
}

#[test]
fn a_death_at_any_operation_of_a_bind_is_recovered_from() {
    let moments = |count| (1..=count).flat_map(|nth| [Moment::Before(nth), Moment::After(nth)]);
    for moment in moments(operations().0) {
        let given = Given::new();
        let before = given.host.snapshot_tree();
        given.host.kill(moment);
        until_killed(|| given.engine().bind(&request(&[GPU, NVME]))).unwrap_err();
        given.host.calm();
        let recovered = given.engine().recover().unwrap();
        assert!(recovered.settled.iter().all(|plan| plan.failure.is_none()), "{recovered:?}");
        assert_eq!(differs(&before, &given), [""; 0], "{moment:?}");
        assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true), "{moment:?}");
        assert!(given.engine().recover().unwrap().is_empty(), "{moment:?}: twice is once");
        given.engine().bind(&request(&[GPU, NVME])).unwrap();
    }
}

#[test]
fn a_death_at_any_operation_of_a_release_is_completed() {
    let moments = |count| (1..=count).flat_map(|nth| [Moment::Before(nth), Moment::After(nth)]);
    for moment in moments(operations().1) {
        let given = Given::new();
        let before = given.host.snapshot_tree();
        given.engine().bind(&request(&[GPU, NVME])).unwrap();
        given.host.calm();
        given.host.kill(moment);
        until_killed(|| given.engine().release(&typed(&[GPU, NVME]))).unwrap_err();
        given.host.calm();
        let recovered = given.engine().recover().unwrap();
        assert!(recovered.settled.iter().all(|plan| plan.failure.is_none()), "{recovered:?}");
        assert!(given.engine().recover().unwrap().is_empty(), "{moment:?}");
        // The group whose turn had not come is still bound; the next call takes it.
        given.engine().release(&typed(&[GPU, NVME])).unwrap();
        assert_eq!(differs(&before, &given), [""; 0], "{moment:?}");
        assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true), "{moment:?}");
    }
}

#[test]
fn a_death_on_the_way_back_is_recovered_from_as_well() {
    let given = Given::new();
    given.host.refuse_probe(NVME, "vfio-pci", Errno::IO);
    given.engine().bind(&request(&[GPU, NVME])).unwrap_err();
    let all = given.host.log().len();
    for nth in 1..=all {
        let given = Given::new();
        let before = given.host.snapshot_tree();
        given.host.refuse_probe(NVME, "vfio-pci", Errno::IO);
        given.host.kill(Moment::After(nth));
        until_killed(|| given.engine().bind(&request(&[GPU, NVME]))).unwrap_err();
        given.host.calm();
        given.engine().recover().unwrap();
        assert_eq!(differs(&before, &given), [""; 0], "{nth}");
        assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true), "{nth}");
    }
}

#[test]
fn every_error_is_reported_and_what_was_not_undone_is_tried_again() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    given.host.refuse_probe(NVME, "vfio-pci", Errno::IO);
    given.host.refuse_always(On::write("drivers/vfio-pci/unbind", GPU), Errno::BUSY);
    given.host.refuse_always(On::write("drivers/vfio-pci/unbind", AUDIO), Errno::BUSY);
    let error = given.engine().bind(&request(&[GPU, NVME])).unwrap_err();
    assert_eq!(error.code(), "not_undone");
    let Error::Failed(failure) = &error else { panic!("{error}") };
    let failed: Vec<String> = failure.undo_errors.iter().map(ToString::to_string).collect();
    for function in [GPU, AUDIO] {
        assert!(failed.iter().any(|line| line.contains(&format!("unbind {function}"))), "{error}");
    }
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("nvme"), "the others went back");
    given.host.calm();
    given.engine().recover().unwrap();
    assert_eq!(differs(&before, &given), [""; 0]);
}

#[test]
fn a_device_that_is_pulled_out_fails_the_plan_and_nothing_else() {
    let given = Given::new();
    given.engine().bind(&request(&[NVME])).unwrap();
    given.host.vanish(NVME);
    let error = given.engine().release(&typed(&[NVME])).unwrap_err();
    assert_eq!(codes(&error), ["not_found"]);
    given.engine().bind(&request(&[GPU])).unwrap();
}

#[test]
fn a_process_that_outlives_its_stopped_service_keeps_the_driver() {
    let unit = Some("system.slice/nvidia-persistenced.service");
    let host = machine().process(4242, "python3", &["nvidia0"], unit).lingers(4242);
    let given = Given { host, ..Given::new() };
    let before = given.host.snapshot_tree();
    let error = given.engine().bind(&request(&[GPU])).unwrap_err();
    assert_eq!(error.code(), "step_failed");
    assert!(error.to_string().contains("python3 (pid 4242) has /dev/nvidia0 open"), "{error}");
    assert_eq!(differs(&before, &given), [""; 0]);
    assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true));
    let unbound = |op: &fakehost::Op| op.to_string().contains("unbind");
    assert!(!given.host.log().iter().any(unbound), "{:#?}", given.host.log());
}

#[test]
fn a_signal_between_two_steps_takes_everything_back() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    let flag = Arc::new(AtomicBool::new(true));
    let error =
        given.engine().interrupted_by(Arc::clone(&flag)).bind(&request(&[GPU])).unwrap_err();
    assert_eq!(error.code(), "interrupted");
    assert_eq!(before.diff(&given.host.snapshot_tree()), [""; 0]);
    flag.store(false, Ordering::Relaxed);
    given.engine().interrupted_by(flag).bind(&request(&[GPU])).unwrap();
}

#[test]
fn the_second_of_two_at_once_is_told_who_is_at_work() {
    let given = Given::new();
    let state = engine::StateDir::new(given.state.path());
    let held = engine::lock::Lock::take(&state, "bind", Duration::ZERO).unwrap();
    let mut hasty = given.engine().patience(Duration::ZERO);
    let error = hasty.bind(&request(&[NVME])).unwrap_err();
    assert_eq!(error.code(), "busy", "{error:?}");
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    given.engine().plan_bind(&request(&[NVME])).expect("reading needs no lock");
    drop(held);
    given.engine().bind(&request(&[NVME])).unwrap();
}

#[test]
fn two_at_once_both_come_through_in_turn() {
    let given = &Given::new();
    std::thread::scope(|scope| {
        for device in [GPU, NVME] {
            scope.spawn(move || {
                let mut engine = given.engine().patience(Duration::from_secs(60));
                for _ in 0..5 {
                    engine.bind(&request(&[device])).unwrap();
                    engine.release(&typed(&[device])).unwrap();
                }
            });
        }
    });
    assert_eq!(given.host.driver_of(GPU).as_deref(), Some("nvidia"));
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn a_damaged_database_stops_every_verb_before_it_begins() {
    let given = Given::new();
    given.engine().bind(&request(&[NVME])).unwrap();
    let path = given.state.path().join("state.db");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    given.host.calm();
    for error in [
        given.engine().bind(&request(&[GPU])).unwrap_err(),
        given.engine().release(&typed(&[NVME])).unwrap_err(),
        given.engine().recover().unwrap_err(),
    ] {
        assert_eq!(error.code(), "state_damaged", "{error}");
    }
    assert_eq!(given.host.log(), []);
}

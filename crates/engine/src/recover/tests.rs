//! Recoveries that were themselves cut off, between two marks in the journal.

use std::time::Duration;

use fakehost::{FakeHost, On};
use host::paths::Root;

use crate::store::{Mark, PlanState, StepState, Store};
use crate::{BindRequest, Engine, StateDir};

const NVME: &str = "0000:65:00.0";

fn engine(host: &FakeHost, state: &tempfile::TempDir) -> Engine {
    let (kernel, runner) = (Box::new(host.kernel()), Box::new(host.runner()));
    let root = Root::new(host.root());
    Engine::new(root, StateDir::new(state.path()), kernel, runner).probe_wait(Duration::ZERO)
}

#[test]
fn a_plan_whose_doubt_was_seen_to_end_is_settled_by_the_next_recovery() {
    let host = FakeHost::new().root_port("0000:00:01.0", 0x65).nvme(NVME).loaded("vfio-pci");
    let state = tempfile::tempdir().unwrap();
    let before = host.snapshot_tree();
    // Some write of the bind hangs, after others that were done.
    host.hang(On::nth(4));
    let request = BindRequest { devices: vec![NVME.to_owned()], ..BindRequest::default() };
    assert_eq!(engine(&host, &state).bind(&request).unwrap_err().code(), "in_doubt");
    host.settle();
    // The recovery that saw its end was killed before it undid anything.
    let mut store = Store::open(&StateDir::new(state.path())).unwrap();
    let plans = store.unfinished().unwrap();
    let plan = plans.iter().find(|plan| plan.state == PlanState::InDoubt).unwrap();
    let rows = store.steps(plan.id).unwrap();
    let row = rows.iter().find(|row| row.state == StepState::InDoubt).unwrap();
    store.mark(plan.id, row.seq, &Mark::Done).unwrap();
    drop(store);
    engine(&host, &state).recover().unwrap();
    assert_eq!(host.driver_of(NVME).as_deref(), Some("nvme"));
    assert_eq!(before.diff(&host.snapshot_tree()), before.diff(&before));
    assert!(engine(&host, &state).unfinished().unwrap().is_empty());
}

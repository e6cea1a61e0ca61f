//! Steps on a pretended machine: done, undone, moved meanwhile, refused, in doubt.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod doubt;
mod files;
mod made;
mod moved;
mod refused;
mod steps;
mod undo;

use std::time::Duration;

use fakehost::{FakeHost, FunctionSpec, TreeSnapshot, devices};
use host::apply::{Applier, ApplyError, Outcome};
use host::paths::Root;
use model::{Bdf, Step};

pub const NVME: &str = "0000:01:00.0";
pub const GPU: &str = "0000:65:00.0";
pub const AUDIO: &str = "0000:65:00.1";

pub fn host() -> FakeHost {
    let nvme = FunctionSpec {
        power_control: "auto".into(),
        runtime_status: "suspended".into(),
        ..devices::nvme(bdf(NVME), "nvme0")
    };
    FakeHost::new()
        .root_port("0000:00:02.0", 0x01)
        .function(nvme)
        .gpu(GPU)
        .with_audio()
        .host_bridge("0000:00:00.0")
        .unit("nvidia-persistenced.service", true)
        .unit("sleeper.service", false)
        .loaded("vfio-pci")
}

pub fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

pub fn applier(host: &FakeHost) -> Applier {
    let root = Root::new(host.root());
    Applier::new(root, Box::new(host.kernel()), Box::new(host.runner())).probe_wait(Duration::ZERO)
}

pub fn apply(host: &FakeHost, step: &Step) -> Outcome {
    applier(host).apply(step)
}

pub fn unbind(at: &str, driver: &str) -> Step {
    Step::Unbind { bdf: bdf(at), driver: driver.into() }
}

pub fn choose(at: &str, from: Option<&str>, to: Option<&str>) -> Step {
    Step::SetDriverOverride { bdf: bdf(at), from: from.map(Into::into), to: to.map(Into::into) }
}

pub fn probe(at: &str, driver: &str) -> Step {
    Step::Probe { bdf: bdf(at), driver: driver.into() }
}

pub fn power(at: &str, from: &str, to: &str) -> Step {
    Step::SetPowerControl { bdf: bdf(at), from: from.into(), to: to.into() }
}

pub fn d3cold(at: &str, from: bool, to: bool) -> Step {
    Step::SetD3cold { bdf: bdf(at), from, to }
}

/// A function to vfio-pci, as the planner does it.
pub fn bind(at: &str, driver: &str) -> Vec<Step> {
    vec![
        power(at, "auto", "on"),
        unbind(at, driver),
        choose(at, None, Some("vfio-pci")),
        probe(at, "vfio-pci"),
        Step::KeepAwake { bdf: bdf(at) },
        d3cold(at, true, false),
    ]
}

#[track_caller]
pub fn failed(outcome: Outcome) -> ApplyError {
    match outcome {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

/// An error as a person reads it, the temporary folder left out.
pub fn text(host: &FakeHost, error: &ApplyError) -> String {
    let root = host.root().display().to_string();
    let hint = error.hint().map_or(String::new(), |hint| format!("\nhint: {hint}"));
    format!("{error}{hint}").replace(&root, "")
}

#[track_caller]
pub fn same(before: &TreeSnapshot, host: &FakeHost) {
    assert_eq!(before.diff(&host.snapshot_tree()), [""; 0]);
}

//! Undoing what was done, last first, brings back the machine exactly.

use fakehost::{Errno, FakeHost, On};
use host::apply::Outcome;
use model::Step;
use model::step::Undo;
use proptest::prelude::*;

use crate::*;

/// How a function stands before a plan.
#[derive(Clone, Debug)]
struct Start {
    unbound: bool,
    chosen: Option<&'static str>,
    awake: bool,
    d3cold: bool,
}

fn any_start() -> impl Strategy<Value = Start> {
    let chosen = prop::option::of(Just("vfio-pci"));
    (any::<bool>(), chosen, any::<bool>(), any::<bool>())
        .prop_map(|(unbound, chosen, awake, d3cold)| Start { unbound, chosen, awake, d3cold })
}

/// Bring a function to its start, and plan from there.
fn prepare(host: &FakeHost, at: &str, driver: &str, start: &Start) -> Vec<Step> {
    let file = |name: &str| format!("sys/bus/pci/devices/{at}/{name}");
    let mut steps = Vec::new();
    host.meddle(&file("power/control"), if start.awake { "on" } else { "auto" });
    steps.extend((!start.awake).then(|| power(at, "auto", "on")));
    match start.unbound {
        true => host.meddle(&format!("sys/bus/pci/drivers/{driver}/unbind"), at),
        false => steps.push(unbind(at, driver)),
    }
    match start.chosen {
        Some(chosen) => host.meddle(&file("driver_override"), chosen),
        None => steps.push(choose(at, None, Some("vfio-pci"))),
    }
    steps.extend([probe(at, "vfio-pci"), Step::KeepAwake { bdf: bdf(at) }]);
    host.meddle(&file("d3cold_allowed"), if start.d3cold { "1" } else { "0" });
    steps.extend(start.d3cold.then(|| d3cold(at, true, false)));
    steps
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 32,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// From wherever functions stand, and at whichever step the kernel
    /// refuses: undoing what was done, last first, brings back the machine
    /// exactly. So does undoing a whole plan.
    #[test]
    fn undo_restores_the_tree_exactly(
        starts in prop::collection::vec(any_start(), 3),
        refused in 1..16usize,
    ) {
        let host = host();
        let all = [(NVME, "nvme"), (GPU, "nvidia"), (AUDIO, "snd_hda_intel")];
        let plan: Vec<Step> = all
            .iter()
            .zip(&starts)
            .flat_map(|((at, driver), start)| prepare(&host, at, driver, start))
            .collect();
        // With vfio-pci chosen already, the kernel would not give a function
        // back to the driver that it was still bound to: no plan begins so.
        prop_assume!(starts.iter().all(|start| start.unbound || start.chosen.is_none()));
        let before = host.snapshot_tree();
        host.refuse(On::nth(refused), Errno::BUSY);
        let mut done = Vec::new();
        for step in &plan {
            match apply(&host, step) {
                Outcome::Done => done.push(step),
                Outcome::Failed(error) => {
                    prop_assert_eq!(error.errno(), Some(Errno::BUSY.raw_os_error()));
                    break;
                }
                other => prop_assert!(false, "{}: {:?}", step, other),
            }
        }
        prop_assert_eq!(done.len(), plan.len().min(refused - 1));
        host.calm();
        for step in done.into_iter().rev() {
            let Undo::Step(undo) = step.undo() else { continue };
            prop_assert_eq!(apply(&host, &undo), Outcome::Done, "{}", undo);
        }
        same(&before, &host);
    }
}

//! Each kind of step, done once and undone.

use fakehost::{Errno, FakeHost, On};
use host::apply::Outcome;
use model::Step;
use model::step::Undo;

use crate::*;

#[test]
fn every_kind_of_step_is_done_once_and_undone_exactly() {
    let before_all = [
        unbind(NVME, "nvme"),
        choose(NVME, None, Some("vfio-pci")),
        power(NVME, "auto", "on"),
        d3cold(NVME, true, false),
        Step::StopUnit { unit: "nvidia-persistenced.service".into(), triggers: vec![] },
        Step::StartUnit { unit: "sleeper.service".into(), triggers: vec![] },
    ];
    for step in before_all {
        let host = host();
        let before = host.snapshot_tree();
        assert_eq!(apply(&host, &step), Outcome::Done, "{step}");
        let writes = host.log().len();
        assert_eq!(apply(&host, &step), Outcome::Already, "{step}");
        let asked = host.log().split_off(writes);
        let wrote = asked.iter().filter(|op| !op.to_string().contains("is-active")).count();
        assert_eq!(wrote, 0, "{step}: twice is once");
        let Undo::Step(undo) = step.undo() else { panic!("{step} has an undo") };
        assert_eq!(apply(&host, &undo), Outcome::Done, "{undo}");
        same(&before, &host);
    }
    assert_eq!(host().is_active("sleeper.service"), Some(false));
}

#[test]
fn a_plan_is_done_and_undone_exactly() {
    let host = host();
    let before = host.snapshot_tree();
    let plan: Vec<Step> = [bind(NVME, "nvme"), bind(GPU, "nvidia"), bind(AUDIO, "snd_hda_intel")]
        .concat()
        .into_iter()
        .filter(|step| !matches!(step, Step::SetPowerControl { bdf, .. } if bdf.bus() == 0x65))
        .collect();
    for step in &plan {
        assert_eq!(apply(&host, step), Outcome::Done, "{step}");
    }
    assert_eq!(host.driver_of(AUDIO).as_deref(), Some("vfio-pci"));
    for step in plan.iter().rev() {
        let Undo::Step(undo) = step.undo() else { continue };
        assert_eq!(apply(&host, &undo), Outcome::Done, "{undo}");
    }
    same(&before, &host);
}

#[test]
fn probing_for_whichever_driver() {
    let host = host();
    let step = Step::ProbeAny { bdf: bdf(NVME) };
    assert_eq!(apply(&host, &step), Outcome::Already);
    host.meddle("sys/bus/pci/drivers/nvme/unbind", NVME);
    assert_eq!(apply(&host, &step), Outcome::Done);
    assert_eq!(host.driver_of(NVME).as_deref(), Some("nvme"));
    let bridge = Step::ProbeAny { bdf: bdf("0000:00:00.0") };
    assert_eq!(apply(&host, &bridge), Outcome::Done, "none is an answer, too");
}

#[test]
fn modules() {
    let host = FakeHost::new();
    let load = |module: &str| apply(&host, &Step::LoadModule { module: module.into() });
    assert_eq!(load("vfio-pci"), Outcome::Done);
    assert_eq!(load("vfio-pci"), Outcome::Already);
    let error = failed(load("nothing"));
    insta::assert_snapshot!(text(&host, &error), @"`modprobe nothing` ended with status 1: modprobe: FATAL: Module nothing not found in directory /lib/modules/6.12.0-fakehost");
}

#[test]
fn resets() {
    let host = host();
    assert_eq!(apply(&host, &Step::Reset { bdf: bdf(GPU) }), Outcome::Done);
    let error = failed(apply(&host, &Step::Reset { bdf: bdf("0000:00:00.0") }));
    insta::assert_snapshot!(text(&host, &error), @"`/sys/bus/pci/devices/0000:00:00.0/reset` is not there: the kernel knows no way to reset this device");
    host.refuse(On::path("/reset"), Errno::NOTTY);
    let error = failed(apply(&host, &Step::Reset { bdf: bdf(GPU) }));
    insta::assert_snapshot!(text(&host, &error), @r"
    cannot write `1` to `/sys/bus/pci/devices/0000:65:00.0/reset`: inappropriate ioctl for device
    hint: the device has no reset that works
    ");
}

#[test]
fn a_device_that_does_not_come_back_from_its_reset_is_told() {
    let host = host();
    let config = host.root().join(format!("sys/bus/pci/devices/{GPU}/config"));
    std::fs::write(&config, [0xff; 4096]).unwrap();
    let error = failed(apply(&host, &Step::Reset { bdf: bdf(GPU) }));
    insta::assert_snapshot!(text(&host, &error), @r"
    0000:65:00.0 answers every read with ones after its reset
    hint: only a power cycle of the machine may bring it back
    ");
    // A virtual function's ids are all ones, and it is well.
    let mut bytes = [0; 4096];
    bytes[..4].fill(0xff);
    std::fs::write(&config, bytes).unwrap();
    assert_eq!(apply(&host, &Step::Reset { bdf: bdf(GPU) }), Outcome::Done);
}

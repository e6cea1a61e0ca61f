//! Steps on a pretended machine: done, undone, moved meanwhile, refused, in doubt.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::path::Path;
use std::time::Duration;

use fakehost::{Errno, FakeHost, FunctionSpec, On, TreeSnapshot, devices};
use host::apply::{Applier, ApplyError, Outcome};
use host::paths::Root;
use host::write::has_ended;
use model::step::Undo;
use model::{Bdf, Step};
use proptest::prelude::*;

const NVME: &str = "0000:01:00.0";
const GPU: &str = "0000:65:00.0";
const AUDIO: &str = "0000:65:00.1";

fn host() -> FakeHost {
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

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

fn applier(host: &FakeHost) -> Applier {
    let root = Root::new(host.root());
    Applier::new(root, Box::new(host.kernel()), Box::new(host.runner())).probe_wait(Duration::ZERO)
}

fn apply(host: &FakeHost, step: &Step) -> Outcome {
    applier(host).apply(step)
}

fn unbind(at: &str, driver: &str) -> Step {
    Step::Unbind { bdf: bdf(at), driver: driver.into() }
}

fn choose(at: &str, from: Option<&str>, to: Option<&str>) -> Step {
    Step::SetDriverOverride { bdf: bdf(at), from: from.map(Into::into), to: to.map(Into::into) }
}

fn probe(at: &str, driver: &str) -> Step {
    Step::Probe { bdf: bdf(at), driver: driver.into() }
}

fn power(at: &str, from: &str, to: &str) -> Step {
    Step::SetPowerControl { bdf: bdf(at), from: from.into(), to: to.into() }
}

fn d3cold(at: &str, from: bool, to: bool) -> Step {
    Step::SetD3cold { bdf: bdf(at), from, to }
}

/// A function to vfio-pci, as the planner does it.
fn bind(at: &str, driver: &str) -> Vec<Step> {
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
fn failed(outcome: Outcome) -> ApplyError {
    match outcome {
        Outcome::Failed(error) => error,
        other => panic!("{other:?}"),
    }
}

/// An error as a person reads it, the temporary folder left out.
fn text(host: &FakeHost, error: &ApplyError) -> String {
    let root = host.root().display().to_string();
    let hint = error.hint().map_or(String::new(), |hint| format!("\nhint: {hint}"));
    format!("{error}{hint}").replace(&root, "")
}

#[track_caller]
fn same(before: &TreeSnapshot, host: &FakeHost) {
    assert_eq!(before.diff(&host.snapshot_tree()), [""; 0]);
}

#[test]
fn every_kind_of_step_is_done_once_and_undone_exactly() {
    let before_all = [
        unbind(NVME, "nvme"),
        choose(NVME, None, Some("vfio-pci")),
        power(NVME, "auto", "on"),
        d3cold(NVME, true, false),
        Step::StopUnit { unit: "nvidia-persistenced.service".into() },
        Step::StartUnit { unit: "sleeper.service".into() },
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

#[test]
fn what_moved_meanwhile_stops_the_step() {
    let host = host();
    let file = |name: &str| format!("sys/bus/pci/devices/{NVME}/{name}");
    host.meddle(&file("driver_override"), "pci-stub");
    host.meddle(&file("power/control"), "on");
    host.meddle(&file("d3cold_allowed"), "0");
    let log = host.log().len();
    let mut texts = Vec::new();
    for step in [
        unbind(NVME, "vfio-pci"),
        choose(NVME, None, Some("vfio-pci")),
        choose(NVME, Some("vfio-pci"), None),
        probe(NVME, "vfio-pci"),
        power(NVME, "sometimes", "auto"),
    ] {
        let error = failed(apply(&host, &step));
        assert!(matches!(error, ApplyError::Moved { .. }), "{step}: {error}");
        texts.push(error.to_string());
    }
    assert_eq!(host.log().len(), log, "nothing was written");
    assert_eq!(apply(&host, &d3cold(NVME, true, false)), Outcome::Already);
    insta::assert_snapshot!(texts.join("\n"), @r"
    driver of 0000:01:00.0 is nvme, not vfio-pci: somebody changed it since it was read
    driver_override of 0000:01:00.0 is pci-stub, not (none): somebody changed it since it was read
    driver_override of 0000:01:00.0 is pci-stub, not vfio-pci: somebody changed it since it was read
    driver of 0000:01:00.0 is nvme, not (none): somebody changed it since it was read
    power/control of 0000:01:00.0 is on, not sometimes: somebody changed it since it was read
    ");
}

#[test]
fn what_vanished_is_said_to_have() {
    let all = |at: &str| {
        let mut steps = bind(at, "nvme");
        steps.extend([Step::ProbeAny { bdf: bdf(at) }, Step::Reset { bdf: bdf(at) }]);
        steps
    };
    let host = host();
    host.vanish(NVME);
    for step in all(NVME) {
        let error = failed(apply(&host, &step));
        assert_eq!(error, ApplyError::Vanished { bdf: bdf(NVME) }, "{step}");
    }
}

#[test]
fn a_function_that_vanishes_under_the_write_is_said_to_have() {
    // The kernel refuses with what it has at hand; the folder is the truth.
    for step in [unbind(NVME, "nvme"), power(NVME, "auto", "on"), d3cold(NVME, true, false)] {
        let host = host();
        let mut applier = Applier::new(
            Root::new(host.root()),
            Box::new(Puller(host.clone())),
            Box::new(host.runner()),
        );
        let error = failed(applier.apply(&step));
        assert_eq!(error, ApplyError::Vanished { bdf: bdf(NVME) }, "{step}");
    }
}

/// A kernel in which the function goes while it is written to.
#[derive(Debug)]
struct Puller(FakeHost);

impl model::port::AttrWriter for Puller {
    fn write(&mut self, _: &Path, _: &str) -> model::port::Wrote {
        self.0.vanish(NVME);
        model::port::Wrote::failed(Errno::NODEV.raw_os_error())
    }

    fn read(&mut self, path: &Path) -> model::port::Showed {
        self.0.kernel().read(path)
    }
}

#[test]
fn a_driver_that_does_not_bind_is_explained() {
    let mut texts = Vec::new();
    let mut explain = |host: &FakeHost, at: &str, driver: &str| {
        let error = failed(apply(host, &probe(at, driver)));
        assert!(matches!(error, ApplyError::NotBound { .. }), "{error}");
        texts.push(text(host, &error));
    };
    let free = |host: FakeHost| {
        host.meddle("sys/bus/pci/drivers/nvme/unbind", NVME);
        host
    };
    let chosen = |host: FakeHost, at: &str, driver: &str| {
        host.meddle(&format!("sys/bus/pci/devices/{at}/driver_override"), driver);
        host
    };
    explain(&free(host()), NVME, "uio");
    explain(&free(host()), NVME, "vfio-pci");
    explain(&chosen(free(host()), NVME, "pci-stub"), NVME, "nvme");
    explain(&chosen(host(), "0000:00:00.0", "pcieport"), "0000:00:00.0", "pcieport");
    let refused = free(host());
    refused.refuse_probe(NVME, "nvme", Errno::IO);
    explain(&refused, NVME, "nvme");
    let none = FakeHost::new().without_iommu().edu("0000:04:00.0").loaded("vfio-pci");
    explain(&chosen(none, "0000:04:00.0", "vfio-pci"), "0000:04:00.0", "vfio-pci");
    insta::assert_snapshot!(texts.join("\n"), @r"
    0000:01:00.0 was not bound to uio: the kernel chose nvme
    0000:01:00.0 was not bound to vfio-pci: the kernel chose nvme
    0000:01:00.0 was not bound to nvme: driver_override asks for pci-stub
    hint: the kernel log says what the driver found
    0000:00:00.0 was not bound to pcieport: pcieport does not know the device, or refused it
    hint: the kernel log says what the driver found
    0000:01:00.0 was not bound to nvme: nvme does not know the device, or refused it
    hint: the kernel log says what the driver found
    0000:04:00.0 was not bound to vfio-pci: it is in no IOMMU group: the IOMMU is off, or absent
    hint: the kernel log says what the driver found
    ");
}

#[test]
fn refusals_carry_the_kernels_words_and_a_hint() {
    let mut texts = Vec::new();
    for (step, errno) in [
        (unbind(NVME, "nvme"), Errno::BUSY),
        (choose(NVME, None, Some("vfio-pci")), Errno::PERM),
        (power(NVME, "auto", "on"), Errno::ROFS),
        (d3cold(NVME, true, false), Errno::ACCESS),
        (probe("0000:00:00.0", "pcieport"), Errno::INVAL),
    ] {
        let host = host();
        let before = host.snapshot_tree();
        host.refuse(On::AnyWrite, errno);
        let error = failed(apply(&host, &step));
        assert_eq!(error.errno(), Some(errno.raw_os_error()), "{step}");
        texts.push(text(&host, &error));
        same(&before, &host);
    }
    insta::assert_snapshot!(texts.join("\n"), @r"
    cannot write `0000:01:00.0` to `/sys/bus/pci/drivers/nvme/unbind`: device or resource busy
    hint: something still uses the device; `passthru show` names who holds it
    cannot write `vfio-pci` to `/sys/bus/pci/devices/0000:01:00.0/driver_override`: operation not permitted
    hint: the kernel is locked down (Secure Boot), or a security module forbids it
    cannot write `on` to `/sys/bus/pci/devices/0000:01:00.0/power/control`: read-only file system
    hint: sysfs is mounted read-only, as in a container; run on the host itself
    cannot write `0` to `/sys/bus/pci/devices/0000:01:00.0/d3cold_allowed`: permission denied
    hint: only root may change devices; run as root
    cannot write `0000:00:00.0` to `/sys/bus/pci/drivers_probe`: invalid argument
    hint: the driver refuses this device: vfio-pci takes no bridge and nothing without an IOMMU group; a reserved memory region is named in the kernel log
    ");
}

#[test]
fn a_refused_write_whose_effect_is_there_is_done() {
    // Somebody was faster, or the writing process was killed over it.
    for (step, path, value) in [
        (unbind(NVME, "nvme"), "sys/bus/pci/drivers/nvme/unbind".to_owned(), NVME),
        (d3cold(NVME, true, false), format!("sys/bus/pci/devices/{NVME}/d3cold_allowed"), "0"),
    ] {
        let host = host();
        let kernel = Forgetful { host: host.clone(), path, value };
        let root = Root::new(host.root());
        let mut applier = Applier::new(root, Box::new(kernel), Box::new(host.runner()));
        assert_eq!(applier.apply(&step), Outcome::Done, "{step}");
    }
}

/// A kernel that does what it is asked and says that it did not.
#[derive(Debug)]
struct Forgetful {
    host: FakeHost,
    path: String,
    value: &'static str,
}

impl model::port::AttrWriter for Forgetful {
    fn write(&mut self, _: &Path, _: &str) -> model::port::Wrote {
        self.host.meddle(&self.path, self.value);
        model::port::Wrote::failed(Errno::PIPE.raw_os_error())
    }

    fn read(&mut self, path: &Path) -> model::port::Showed {
        self.host.kernel().read(path)
    }
}

#[test]
fn a_write_that_hangs_is_in_doubt_until_its_process_has_ended() {
    let host = host();
    let root = Root::new(host.root());
    host.hang(On::path("unbind"));
    let Outcome::InDoubt(doubt) = apply(&host, &unbind(NVME, "nvme")) else {
        panic!("it should hang");
    };
    let shown = doubt.to_string().replace(&host.root().display().to_string(), "");
    insta::assert_snapshot!(shown, @"writing `0000:01:00.0` to `/sys/bus/pci/drivers/nvme/unbind` has not come back after 30 s: process 4000001 is in the kernel, in device_del");
    assert!(!has_ended(&root, &doubt.stuck).unwrap());
    // Whoever needs the lock that it holds is told, and waits for nothing.
    let error = failed(apply(&host, &choose(NVME, None, Some("vfio-pci"))));
    assert!(matches!(error, ApplyError::Locked { .. }), "{error}");
    // Another device is not touched by it.
    assert_eq!(apply(&host, &unbind(GPU, "nvidia")), Outcome::Done);
    host.settle();
    assert!(has_ended(&root, &doubt.stuck).unwrap());
    assert_eq!(apply(&host, &unbind(NVME, "nvme")), Outcome::Already);
}

#[test]
fn units_that_fail() {
    let host = host();
    let start = |unit: &str| apply(&host, &Step::StartUnit { unit: unit.into() });
    let mut texts = vec![text(&host, &failed(start("missing.service")))];
    host.refuse(On::command("systemctl start"), Errno::IO);
    texts.push(text(&host, &failed(start("sleeper.service"))));
    host.hang(On::command("systemctl start"));
    texts.push(text(&host, &failed(start("sleeper.service"))));
    texts.push(text(&host, &failed(start("--force"))));
    let stop = apply(&host, &Step::StopUnit { unit: "missing.service".into() });
    assert_eq!(stop, Outcome::Already, "what is not there does not run");
    insta::assert_snapshot!(texts.join("\n"), @r"
    `systemctl start missing.service` ended with status 5: Failed to start missing.service: Unit missing.service not found.
    `systemctl start sleeper.service` ended with status 1: systemctl: Input/output error (os error 5)
    `systemctl` did not end within 100 s
    `--force` cannot be the name of a driver, module or unit
    ");
}

#[test]
fn nothing_outside_the_root_is_written() {
    let host = host();
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("d3cold_allowed");
    std::fs::write(&victim, "1\n").unwrap();
    // A whole function that leads out, and one attribute that does.
    let link = host.root().join("sys/bus/pci/devices/0000:77:00.0");
    std::os::unix::fs::symlink(outside.path(), &link).unwrap();
    let inside = host.root().join(format!("sys/bus/pci/devices/{NVME}/d3cold_allowed"));
    std::fs::remove_file(&inside).unwrap();
    std::os::unix::fs::symlink(&victim, &inside).unwrap();
    for at in ["0000:77:00.0", NVME] {
        let error = failed(apply(&host, &d3cold(at, true, false)));
        assert!(matches!(error, ApplyError::Outside { .. }), "{error}");
    }
    for name in ["../nvme", "", "a/b", ".", "-x", "a b"] {
        let error = failed(apply(&host, &unbind(NVME, name)));
        assert_eq!(error, ApplyError::Name(name.into()));
    }
    assert_eq!(std::fs::read_to_string(victim).unwrap(), "1\n");
}

/// How a function stands before a plan, and where the plan is cut off.
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

//! Whole groups to vfio-pci, or every reason why not.

use std::collections::BTreeMap;

use super::holders::{is_vfio_driver, quiesce};
use super::{Plan, Refusal};
use crate::bdf::Bdf;
use crate::fact::Why;
use crate::function::{Function, PowerControl, is_for_guests, module_of};
use crate::intent::Bind;
use crate::reason::{Code, Reason, Weight};
use crate::snapshot::{GroupId, ModuleState, Snapshot};
use crate::step::Step;
use crate::verdict::{self, Moving};

pub(super) fn plan(snapshot: &Snapshot, intent: &Bind) -> Result<Plan, Refusal> {
    // A guest without devices needs nothing of VFIO.
    if intent.devices.is_empty() {
        return Ok(Plan::default());
    }
    if !is_for_guests(&intent.driver) {
        return Err(Refusal { reasons: vec![no_driver_for_guests(&intent.driver)] });
    }
    let moving = Moving::groups_of(snapshot, &intent.devices);
    let lost: Vec<&Function> =
        moving.functions().flat_map(|function| moving.lost_with(function)).collect();
    let quiet = quiesce(&lost, intent.stop_services);
    let mut reasons = against(&moving, intent);
    reasons.extend(quiet.refusals);
    let (mut refused, notes): (Vec<_>, Vec<_>) =
        reasons.into_iter().partition(|reason| refuses(reason, intent));
    if !refused.is_empty() {
        // Of a device that nobody named, it must be told why it is spoken of.
        let named = |reason: &Reason| reason.at.is_none_or(|at| intent.devices.contains(&at));
        if !refused.iter().all(named) {
            refused.extend(companions(&moving, &intent.devices));
        }
        return Err(Refusal { reasons: refused.into_iter().map(with_way_out).collect() });
    }
    let mut steps = Vec::new();
    if !snapshot.machine.guest_driver(&intent.driver).known().is_some_and(|s| s.is_present()) {
        steps.push(Step::LoadModule { module: module_of(&intent.driver).to_owned() });
    }
    steps.extend(quiet.units.into_iter().map(|unit| Step::StopUnit { unit, triggers: Vec::new() }));
    for function in moving.functions() {
        steps.extend(move_one(function, &intent.driver));
    }
    Ok(Plan { steps, notes })
}

fn no_driver_for_guests(driver: &str) -> Reason {
    let text = format!("`{driver}` is no driver that hands devices to guests");
    let hint = "vfio-pci is, and so are its variants (`mlx5_vfio_pci`), pci-stub and pciback";
    Reason::machine(Code::Unsupported, text, hint)
}

fn no_module(driver: &str) -> Reason {
    let text = format!("the kernel has no driver {driver} and no module {}", module_of(driver));
    if driver == "vfio-pci" {
        let hint = "install the kernel's extra modules, or a kernel with CONFIG_VFIO_PCI";
        return Reason::machine(Code::NoVfioPci, text, hint);
    }
    let hint = "vfio-pci takes any device; variants of it come with newer kernels";
    Reason::machine(Code::NoGuestDriver, text, hint)
}

/// A reason that a bind's user may let go says how.
pub(super) fn with_way_out(mut reason: Reason) -> Reason {
    let code = reason.code;
    if code.can_be_overridden() {
        let before = if reason.hint.is_empty() { "" } else { "; " };
        reason.hint += &format!("{before}`--override {code}` lets it go");
    }
    reason
}

/// Everything that speaks against it or is worth knowing, each once.
fn against(moving: &Moving<'_>, intent: &Bind) -> Vec<Reason> {
    let snapshot = moving.snapshot;
    let mut reasons = Vec::new();
    // A bridge, something behind VMD, or nothing at all: its verdict says why.
    for bdf in intent.devices.iter().filter(|bdf| !moving.set.contains(*bdf)) {
        reasons.extend(verdict::verdict(snapshot, *bdf).reasons);
    }
    for function in moving.functions() {
        reasons.extend(moving.reasons(function));
        reasons.extend(unlooked(function));
    }
    if snapshot.machine.guest_driver(&intent.driver).is(&ModuleState::Missing) {
        reasons.push(no_module(&intent.driver));
    }
    // Holders were sorted into units and refusals before.
    reasons.retain(|reason| reason.code != Code::HeldByProcess);
    reasons.extend(companions(moving, &intent.devices));
    reasons
}

/// The members that move although nobody named them, group by group: worth
/// knowing.
fn companions(moving: &Moving<'_>, named: &[Bdf]) -> Vec<Reason> {
    let mut others: BTreeMap<GroupId, Vec<String>> = BTreeMap::new();
    for function in moving.functions().filter(|function| !named.contains(&function.bdf)) {
        let Some(group) = function.group_id() else { continue };
        others.entry(group).or_default().push(function.bdf.to_string());
    }
    let told = |(group, others): (GroupId, Vec<String>)| {
        let text = format!("moves as well, being in IOMMU group {group}: {}", others.join(" "));
        Reason::machine(Code::GroupCompany, text, "")
    };
    others.into_iter().map(told).collect()
}

/// That nobody looked for holders, or could where no driver is to be taken
/// away, is told. Where one is, a rule of the verdict refuses.
fn unlooked(function: &Function) -> Option<Reason> {
    let free = function.host_driver().is_none();
    let told = |why: &&Why| free || matches!(why, Why::NotObserved | Why::NotRecorded);
    let why = function.holders.why().filter(told)?;
    let text = format!("not known: who holds it ({why})");
    let hint = match why {
        Why::NotRecorded => "`passthru record --holders` looks",
        _ => "",
    };
    Some(Reason::at(Code::Unknown, function.bdf, text, hint))
}

fn refuses(reason: &Reason, intent: &Bind) -> bool {
    match reason.code {
        code if intent.overrides.contains(&code) => reason.weight() == Weight::Blocks,
        _ => reason.weight() >= Weight::Unsure,
    }
}

/// The steps for one function; none for what is already as wanted.
fn move_one(function: &Function, driver: &str) -> Vec<Step> {
    let bdf = function.bdf;
    let mut steps = Vec::new();
    let now = function.driver_name();
    // Awake while a guest has it: a device that the platform put into D3cold
    // may not come back ("unable to change power state from D3cold to D0").
    let (auto, on) = (PowerControl::Auto.word().to_owned(), PowerControl::On.word().to_owned());
    if function.power_control.is(&PowerControl::Auto) {
        steps.push(Step::SetPowerControl { bdf, from: auto, to: on });
    }
    let mut from = function.driver_override.known().cloned().flatten();
    if let Some(now) = now.filter(|now| *now != driver) {
        // An override that names another driver than the one that is bound
        // must be gone before, or undoing the unbind would probe for that one.
        if from.as_deref().is_some_and(|from| from != now) {
            steps.push(Step::SetDriverOverride { bdf, from: from.take(), to: None });
        }
        steps.push(Step::Unbind { bdf, driver: now.to_owned() });
    }
    if from.as_deref() != Some(driver) {
        steps.push(Step::SetDriverOverride { bdf, from, to: Some(driver.to_owned()) });
    }
    if now != Some(driver) {
        steps.push(Step::Probe { bdf, driver: driver.to_owned() });
    }
    // VFIO lets a device sleep as soon as it has it: pm_runtime_allow() in
    // vfio_pci_core_register_device().
    if now != Some(driver) && is_vfio_driver(driver) {
        steps.push(Step::KeepAwake { bdf });
    }
    if function.d3cold_allowed.is(&true) {
        steps.push(Step::SetD3cold { bdf, from: true, to: false });
    }
    steps
}

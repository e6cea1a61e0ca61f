//! `reset`: one function by the kernel's `reset` file.
//!
//! In: which device. Out: done, or why not. A reset loses what the device
//! holds, so it is refused for one that a guest or the host uses. The ladder
//! of stronger resets is not here.

use model::plan::{Plan, Refusal, is_vfio_driver};
use model::reason::{Code, Reason};
use model::usage::Use;
use model::verdict::guest_has;
use model::{Function, Snapshot, Step, Why};

use crate::Engine;
use crate::bind::{Report, with_group_of_step};
use crate::error::Error;
use crate::recover::Recovered;
use crate::store::Verb;
use crate::target::resolve;
use crate::transaction::Work;
use crate::turn::with_groups;

impl Engine {
    /// Resets one function.
    pub fn reset(&mut self, device: &str) -> Result<Report, Error> {
        let mut turn = self.turn("reset")?;
        let snapshot = turn.observe()?;
        let holdings = turn.holdings()?;
        let plan = plan(&snapshot, device, turn.engine, &holdings)?;
        let work = Work {
            verb: Verb::Reset,
            guest: None,
            steps: with_group_of_step(&snapshot, &plan.steps),
            bindings: &[],
            assignments: &[],
            interruptible: true,
        };
        turn.carry_out(&work)?;
        let recovered: Recovered = std::mem::take(&mut turn.recovered);
        let functions = plan.steps.iter().filter_map(Step::bdf).collect();
        Ok(Report { functions, steps: plan.steps, notes: plan.notes, recovered })
    }

    /// What [`reset`](Self::reset) would do.
    pub fn plan_reset(&self, device: &str) -> Result<Plan, Error> {
        plan(&self.observe(), device, self, &self.holdings()?)
    }
}

fn plan(
    snapshot: &Snapshot,
    device: &str,
    engine: &Engine,
    holdings: &crate::assignment::Holdings,
) -> Result<Plan, Error> {
    let bdf = resolve(device, snapshot, &engine.registered()?)?;
    let Some(function) = snapshot.get(bdf) else {
        let reasons = model::verdict::verdict(snapshot, bdf).reasons;
        return Err(Refusal { reasons }.into());
    };
    let mut reasons = holdings.against(None, &with_groups(snapshot, &[bdf]));
    let held = !reasons.is_empty();
    // Its holder is the guest then, and nobody should be told to end that process.
    let of_holders = [Code::HeldByProcess, Code::Assigned];
    let again = |reason: &Reason| held && of_holders.contains(&reason.code);
    let against =
        against(function).into_iter().chain(snapshot.lost_with(function).flat_map(in_use));
    reasons.extend(against.filter(|reason| !again(reason)));
    match reasons.is_empty() {
        true => {
            let notes = notes(function).into_iter().chain(behind(snapshot, function));
            Ok(Plan { steps: vec![Step::Reset { bdf }], notes: notes.collect() })
        }
        false => {
            let reasons = reasons.into_iter().map(Reason::blocking).collect();
            Err(Refusal { reasons }.into())
        }
    }
}

/// What to know about resetting this function now.
fn notes(function: &Function) -> Vec<Reason> {
    let bdf = function.bdf;
    let mut notes = Vec::new();
    if let Some(driver) = function.driver_name().filter(|driver| !is_vfio_driver(driver)) {
        // pci_dev_save_and_disable() and pci_dev_restore(), drivers/pci/pci.c.
        let text = format!(
            "{driver} has it: the kernel tells that driver before and after, if it wants to know"
        );
        let hint = "bind it to vfio-pci first to keep its driver out of it";
        notes.push(Reason::at(Code::DriverBound, bdf, text, hint));
    }
    if let Some(why) = function.holders.why() {
        let text = format!("not known: who holds it ({why})");
        notes.push(Reason::at(Code::Unknown, bdf, text, ""));
    }
    notes
}

/// What else a reset of this function takes.
fn behind(snapshot: &Snapshot, function: &Function) -> Option<Reason> {
    let lost = snapshot.lost_with(function).filter(|lost| lost.bdf != function.bdf);
    let lost: Vec<String> =
        lost.filter(|lost| !lost.stays()).map(|lost| lost.bdf.to_string()).collect();
    let text = format!("what is behind it is lost for the moment: {}", lost.join(" "));
    (!lost.is_empty()).then(|| Reason::at(Code::TakesBehind, function.bdf, text, ""))
}

/// What speaks against resetting this function now.
fn against(function: &Function) -> Vec<Reason> {
    let bdf = function.bdf;
    let mut reasons = Vec::new();
    // The kernel saves its registers before and restores them after: ones only.
    if function.config.why() == Some(&Why::AllOnes) {
        let text = "its configuration space reads as ones: it hears no reset";
        let hint = "power the host off and on; a warm restart is often not enough";
        reasons.push(Reason::at(Code::Wedged, bdf, text, hint));
    }
    if function.stays() {
        let text = "a bridge: a reset would hit everything behind it";
        reasons.push(Reason::at(Code::Bridge, bdf, text, "reset the device behind it"));
    }
    if function.reset_methods.known().is_some_and(Vec::is_empty) {
        let text = "the kernel knows no way to reset it";
        reasons.push(Reason::at(Code::NoReset, bdf, text, "restart the host to reset it"));
    }
    if let Some(active @ 1..) = function.sriov.as_ref().map(|sriov| sriov.functions.len()) {
        let text = format!("{active} of its virtual functions are active, and lost with its reset");
        let hint = "write 0 to sriov_numvfs first, when no guest has one of them";
        reasons.push(Reason::at(Code::ActiveVfs, bdf, text, hint));
    }
    reasons
}

/// Who would feel it.
fn in_use(function: &Function) -> Vec<Reason> {
    let bdf = function.bdf;
    let mut reasons = Vec::new();
    for usage in function.uses.iter().filter(|usage| usage.is_felt()) {
        let hint = "end the host's use of it first";
        reasons.push(Reason::at(code(usage), bdf, format!("the host uses it: {usage}"), hint));
    }
    for unseen in &function.unseen {
        let hint = if unseen.why == Why::NotPermitted { "root sees it" } else { "" };
        reasons.push(Reason::at(Code::UsesUnknown, bdf, format!("not known: {unseen}"), hint));
    }
    let holders = function.holders.known().into_iter().flatten();
    for holder in holders.filter(|holder| !holder.lets_go()) {
        reasons.push(guest_has(function, holder).unwrap_or_else(|| {
            Reason::at(Code::HeldByProcess, bdf, function.told(holder), "end it first")
        }));
    }
    reasons
}

/// What a use of the host's is called.
fn code(usage: &Use) -> Code {
    match usage {
        Use::Mount { .. } | Use::MountElsewhere { .. } | Use::Swap { .. } | Use::Member { .. } => {
            Code::DiskInUse
        }
        Use::Interface { .. } => Code::InterfaceInUse,
        Use::BootFramebuffer { .. } => Code::BootFramebuffer,
        Use::Console { .. } => Code::Console,
        Use::Display { .. } => Code::DisplayInUse,
    }
}

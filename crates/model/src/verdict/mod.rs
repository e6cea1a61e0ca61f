//! Can this function be passed through: yes, with company, no and why.
//!
//! In: a [`Snapshot`]. Out: a [`Verdict`] with every reason, not only the
//! first. The rules are two tables of functions, one rule each: [`alone`]
//! looks at the function itself, [`needed`] at what the host would lose if
//! the whole set that moves were gone. The planner asks the same rules about
//! the set that it is about to move, so a verdict and a refusal never differ.

mod alone;
mod needed;
mod reset;

use std::collections::BTreeSet;

pub use needed::guest_has;

use crate::bdf::Bdf;
use crate::function::Function;
use crate::reason::{Code, Reason, Weight};
use crate::snapshot::Snapshot;

/// The judgement on one function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub kind: Kind,
    pub reasons: Vec<Reason>,
}

impl Verdict {
    /// Whether too little is known for a change, which a plan would refuse.
    pub fn is_unsure(&self) -> bool {
        self.reasons.iter().any(|reason| reason.weight() == Weight::Unsure)
    }
}

/// Yes, with company, or no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Assignable,
    /// Assignable together with these members of its group.
    InCompany(Vec<Bdf>),
    Not,
}

/// The functions that a plan moves, together.
#[derive(Clone, Debug)]
pub struct Moving<'a> {
    pub snapshot: &'a Snapshot,
    pub set: BTreeSet<Bdf>,
}

impl<'a> Moving<'a> {
    /// The whole groups of these functions, bridges left out.
    pub fn groups_of(snapshot: &'a Snapshot, devices: &[Bdf]) -> Self {
        let movers = devices.iter().flat_map(|bdf| snapshot.movers(*bdf));
        Self { snapshot, set: movers.map(|function| function.bdf).collect() }
    }

    /// The functions, in bus order.
    pub fn functions(&self) -> impl Iterator<Item = &'a Function> + '_ {
        self.set.iter().filter_map(|bdf| self.snapshot.get(*bdf))
    }

    /// Whether the host loses this function when the set moves.
    fn takes(&self, bdf: Bdf) -> bool {
        let vmd = || self.snapshot.vmd_above(self.snapshot.get(bdf)?);
        self.set.contains(&bdf) || vmd().is_some_and(|vmd| self.set.contains(&vmd.bdf))
    }

    /// The function and what goes away with it: all that is behind a VMD controller.
    pub(crate) fn lost_with(&self, function: &'a Function) -> impl Iterator<Item = &'a Function> {
        self.snapshot.lost_with(function)
    }

    /// Every reason about one function of the set.
    pub fn reasons(&self, function: &'a Function) -> Vec<Reason> {
        let mut reasons = Vec::new();
        for rule in alone::RULES {
            rule(self.snapshot, function, &mut reasons);
        }
        for lost in self.lost_with(function) {
            for rule in needed::RULES {
                rule(self, lost, &mut reasons);
            }
        }
        reset::rule(self, function, &mut reasons);
        reasons
    }
}

/// The judgement on one function. An address that is not there is judged
/// [`Code::NotFound`].
pub fn verdict(snapshot: &Snapshot, bdf: Bdf) -> Verdict {
    let Some(function) = snapshot.get(bdf) else {
        let code = if snapshot.vanished.contains(&bdf) { Code::Vanished } else { Code::NotFound };
        let text = "no such device on this machine";
        let reason = Reason::at(code, bdf, text, "`passthru list --all` shows what is there");
        return Verdict { kind: Kind::Not, reasons: vec![reason] };
    };
    if function.stays() {
        return Verdict { kind: Kind::Not, reasons: vec![bridge(function)] };
    }
    let moving = Moving::groups_of(snapshot, &[bdf]);
    let mut reasons = moving.reasons(function);
    let mut company: Vec<Bdf> = moving.set.iter().copied().filter(|other| *other != bdf).collect();
    if !moving.set.contains(&bdf) {
        // Behind VMD, or the chipset: it does not move, so nothing moves with it.
        company.clear();
    }
    for other in company.iter().filter_map(|other| snapshot.get(*other)) {
        let (unsure, grave) = shared_with(&moving, other);
        reasons.extend(unsure.into_iter().chain(grave));
    }
    if !company.is_empty() {
        reasons.push(together(snapshot, bdf, &company));
    }
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight()));
    let kind = match reasons.iter().map(Reason::weight).max() {
        Some(Weight::Blocks | Weight::Override) => Kind::Not,
        _ if company.is_empty() => Kind::Assignable,
        _ => Kind::InCompany(company),
    };
    Verdict { kind, reasons }
}

fn bridge(function: &Function) -> Reason {
    let what = if function.is_bridge() { "a bridge" } else { "a host bridge" };
    let text = format!("{what} forwards traffic for others and stays with the host");
    let hint = "pass the devices behind it; it does not hinder them";
    Reason::at(Code::Bridge, function.bdf, text, hint)
}

/// What is wrong with another member of the group, seen from this one: what
/// is not known of it as it is, what is grave in this one's words.
fn shared_with(moving: &Moving<'_>, other: &Function) -> (Vec<Reason>, Vec<Reason>) {
    let grave = moving.reasons(other).into_iter().filter(|reason| {
        // The set shares these: the function itself has said so already.
        let shared = [Code::NoIommu, Code::NoGroup, Code::ReservedRegion, Code::ResetHitsOthers];
        reason.weight() >= Weight::Unsure && !shared.contains(&reason.code)
    });
    let (unsure, grave): (Vec<_>, Vec<_>) =
        grave.partition(|reason| reason.weight() == Weight::Unsure);
    let shared = |reason: Reason| {
        let text = format!("in the same IOMMU group, {}", reason.text);
        let hint = "another slot, or firmware with ACS, may give the device a group of its own";
        Reason::at(Code::GroupSharedCritical, other.bdf, text, hint)
    };
    (unsure, grave.into_iter().map(shared).collect())
}

fn together(snapshot: &Snapshot, bdf: Bdf, company: &[Bdf]) -> Reason {
    let names: Vec<String> = company.iter().map(ToString::to_string).collect();
    let group = snapshot.group_of(bdf).map_or(String::new(), |group| format!(" {}", group.id));
    let text = format!("IOMMU group{group} moves whole, with {}", names.join(" "));
    Reason::at(Code::GroupCompany, bdf, text, "bind and assign them together")
}

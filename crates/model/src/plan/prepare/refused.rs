//! What must not go to guests from boot on: the host would not start, or
//! nobody would reach it.
//!
//! In: what is, which devices are meant, what the user lets go. Out: every
//! reason against it. That the host is not ready yet is none: that is what is
//! mended.

use std::collections::BTreeSet;

use super::super::bind::with_way_out;
use crate::bdf::Bdf;
use crate::check::Subject;
use crate::reason::{Code, Reason};
use crate::verdict;

/// Whether a reason is about what the host needs, or that there is no such
/// device for guests, and not about how ready the host is today.
fn counts(code: Code) -> bool {
    matches!(
        code,
        Code::RootDisk
            | Code::DiskInUse
            | Code::OnlyNetwork
            | Code::BootFramebuffer
            | Code::Console
            | Code::UsesUnknown
            | Code::GroupSharedCritical
            | Code::Chipset
            | Code::Bridge
            | Code::BehindVmd
            | Code::NotFound
    )
}

/// Every reason against preparing the host for guests with these devices.
pub fn against(subject: &Subject<'_>, overrides: &BTreeSet<Code>) -> Vec<Reason> {
    // One that is named need not be among what moves (behind VMD), or be there.
    let moving = subject.functions().map(|function| function.bdf);
    let functions: BTreeSet<Bdf> = moving.chain(subject.devices.iter().copied()).collect();
    let reasons = functions
        .into_iter()
        .flat_map(|bdf| verdict::verdict(subject.snapshot, bdf).reasons)
        .filter(|reason| counts(reason.code) && !overrides.contains(&reason.code));
    let mut against: Vec<Reason> = Vec::new();
    for reason in reasons.map(with_way_out) {
        if !against.contains(&reason) {
            against.push(reason);
        }
    }
    against
}

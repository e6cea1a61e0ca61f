//! What runs against what will: a kernel may have been started by hand, or by
//! an entry to try, and what works now would not after the next start.
//!
//! A preparation that waits for its reboot is no such case: what the usual
//! entry says of a name counts, and only what it says nothing of is missed.

use super::{Check, Finding, Found, Remedy, Run, Severity, Status, Subject, known};
use crate::boot::cmdline::{Change, Cmdline};
use crate::setup::usual;

pub(super) const CHECKS: &[Check] = &[Check {
    name: "next_start",
    about: "The usual boot entry has what decides about devices in the arguments of the kernel that runs.",
    severity: Severity::Advised,
    run: Run::Host(next_start),
}];

/// Boot arguments that decide about devices for guests, and whether more than
/// one of a name is heeded.
const DECIDE: &[(&str, bool)] = &[
    ("amd_iommu", false),
    ("initcall_blacklist", true),
    ("intel_iommu", false),
    ("iommu", false),
    ("iommu.passthrough", false),
    ("modprobe.blacklist", true),
    ("module_blacklist", true),
    ("modules_load", true),
    ("nosmt", false),
    ("pci", true),
    ("pcie_acs_override", false),
    ("pcie_aspm", false),
    ("rd.driver.pre", true),
    ("smt-enabled", false),
    ("vfio-pci.disable_idle_d3", false),
    ("vfio-pci.ids", false),
    ("video", true),
];

/// What keeps an IOMMU off.
const OFF: &[&str] = &["amd_iommu=off", "intel_iommu=off", "iommu=off"];

fn next_start(subject: &Subject<'_>) -> Found {
    known(&subject.setup.cmdline, "what the kernel was started with")?;
    let Some(next) = usual::arguments(&subject.setup.boot) else {
        let text = "what the kernel is started with the next time is not known: no boot loader's entry says it";
        return Ok(Finding { status: Status::Unknown, ..Finding::pass(text) });
    };
    let (runs, next) = (subject.cmdline(), Cmdline::new(&next));
    let (lost, off) = (lost(runs, next), off(runs, next));
    if lost.is_empty() && off.is_empty() {
        return Ok(Finding::pass("the usual boot entry has what decides about devices"));
    }
    let words: Vec<&str> = lost.iter().map(|(word, _)| *word).collect();
    let lacks = match words.is_empty() {
        true => None,
        false => Some(format!(
            "the kernel was started with {}, and the usual boot entry lacks that",
            words.join(" ")
        )),
    };
    let has = match off.is_empty() {
        true => None,
        false => Some(format!(
            "the usual boot entry has {}, which the kernel was started without",
            off.join(" ")
        )),
    };
    let text = lacks.into_iter().chain(has).collect::<Vec<_>>().join("; ");
    let hint = "what works now may not after the next start: `passthru prepare` makes the usual entry alike";
    let on = off.iter().map(|word| {
        let name = word.trim_end_matches("=off");
        match runs.value(name) {
            Some(value) => Change::Set(format!("{name}={value}")),
            None => Change::Remove((*word).to_owned()),
        }
    });
    let back = lost.iter().map(|(word, many)| match many {
        true => Change::Add((*word).to_owned()),
        false => Change::Set((*word).to_owned()),
    });
    let changes = on.chain(back).map(Remedy::Argument);
    Ok(changes.fold(Finding::warn(text, hint), Finding::remedy))
}

/// Words of the kernel that runs which the next one is started without, and
/// whether more than one of their name is heeded.
fn lost<'a>(runs: Cmdline<'a>, next: Cmdline<'_>) -> Vec<(&'a str, bool)> {
    let mut lost = Vec::new();
    for (name, many) in DECIDE {
        let about = |word: &&str| Change::Add((*word).to_owned()).is_about(name);
        for word in runs.words().filter(about).filter(|word| !OFF.contains(word)) {
            let all: Vec<&str> = next.list(name).collect();
            let is_there = match many {
                true => Cmdline::new(word).list(name).all(|value| all.contains(&value)),
                false => next.values(name).next().is_some(),
            };
            if !is_there {
                lost.push((word, *many));
            }
        }
    }
    lost
}

/// What the next one has that keeps its IOMMU off, and the one that runs has not.
fn off(runs: Cmdline<'_>, next: Cmdline<'_>) -> Vec<&'static str> {
    OFF.iter().copied().filter(|word| next.has(word) && !runs.has(word)).collect()
}

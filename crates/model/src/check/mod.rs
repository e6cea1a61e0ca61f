//! Is this host ready for guests with devices: a table of checks.
//!
//! In: a [`Snapshot`], a [`Setup`], and the devices that are meant. Out: what
//! each check found, with what to do about it. A pure function: nothing is
//! read here. What is not known is never taken for a yes.

mod boot;
mod device;
mod early;
mod guest;
mod iommu;
mod kernel;
mod memory;
mod next;
mod programs;
mod screens;

use std::collections::BTreeSet;
use std::fmt;

pub use screens::NVIDIA;

use crate::bdf::Bdf;
use crate::boot::cmdline::Change;
use crate::fact::Fact;
use crate::function::{Function, is_vfio_driver};
use crate::setup::Setup;
use crate::snapshot::Snapshot;

/// What is checked.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub snapshot: &'a Snapshot,
    pub setup: &'a Setup,
    /// The devices that are meant for guests; none: the host alone.
    pub devices: &'a [Bdf],
}

/// One property of the host that decides about passthrough.
#[derive(Debug)]
pub struct Check {
    /// The stable name that scripts may rely on.
    pub name: &'static str,
    /// What is checked, in one sentence.
    pub about: &'static str,
    /// What it means at most when it is not as it should be.
    pub severity: Severity,
    run: Run,
}

/// What it means when something is not as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing can be passed through without it.
    Required,
    /// It works without, with a loss that is told.
    Advised,
}

/// A check of the host, or of each device.
#[derive(Clone, Copy, Debug)]
enum Run {
    Host(fn(&Subject<'_>) -> Found),
    Device(fn(&Subject<'_>, &Function) -> Found),
}

/// A finding; the error is one that ends a check early (`unknown`).
type Found = Result<Finding, Finding>;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub status: Status,
    /// One sentence, lower case, no full stop.
    pub text: String,
    /// What to do about it; empty when there is nothing to do.
    pub hint: String,
    /// What `prepare` would do about it.
    pub remedies: Vec<Remedy>,
}

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    Pass,
    Warn,
    /// It could not be found out; the text says what would be needed.
    Unknown,
    Fail,
}

/// What would mend a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Another boot argument.
    Argument(Change),
    /// A module that is loaded at every boot.
    Load(String),
    /// A driver of the host that is not to take devices.
    Keep { module: String },
    /// A service that is not to run: stopped, and kept from starting at boot.
    Stop { unit: String },
    /// A file of the X server's configuration that is not to count.
    SetAside { path: String },
    /// Simultaneous multithreading off, now and at every boot.
    SmtOff,
    /// What only a person can do.
    ByHand(String),
}

/// A finding with its check, and the device that it is about.
#[derive(Clone, Debug)]
pub struct Checked {
    pub check: &'static Check,
    pub at: Option<Bdf>,
    pub finding: Finding,
}

/// Every check, in the order of the page: what all else depends on comes first.
pub const CHECKS: &[&[Check]] = &[
    iommu::CHECKS,
    kernel::CHECKS,
    memory::CHECKS,
    programs::CHECKS,
    boot::CHECKS,
    next::CHECKS,
    screens::CHECKS,
    device::CHECKS,
    early::CHECKS,
    guest::CHECKS,
];

/// Every check.
pub fn all() -> impl Iterator<Item = &'static Check> {
    CHECKS.iter().copied().flatten()
}

/// Run every check.
pub fn check(subject: &Subject<'_>) -> Vec<Checked> {
    all().flat_map(|check| check.findings(subject)).collect()
}

/// Whether guests can be given devices: no required check has failed, and
/// each is known.
pub fn is_ready(checked: &[Checked]) -> bool {
    missed(checked).next().is_none()
}

/// What keeps the host from being ready.
pub fn missed(checked: &[Checked]) -> impl Iterator<Item = &Checked> {
    checked.iter().filter(|one| match one.finding.status {
        Status::Fail => true,
        Status::Unknown => one.check.severity == Severity::Required,
        Status::Pass | Status::Warn => false,
    })
}

impl Check {
    fn findings(&'static self, subject: &Subject<'_>) -> Vec<Checked> {
        let checked = |at, found: Found| {
            let finding = found.unwrap_or_else(|ended| ended);
            Checked { check: self, at, finding }
        };
        match self.run {
            Run::Host(run) => vec![checked(None, run(subject))],
            Run::Device(run) => {
                let functions = subject.functions();
                functions
                    .map(|function| checked(Some(function.bdf), run(subject, function)))
                    .collect()
            }
        }
    }
}

impl<'a> Subject<'a> {
    /// The functions that are meant, and those that go with them.
    pub(crate) fn functions(&self) -> impl Iterator<Item = &'a Function> {
        let movers = |bdf: &Bdf| self.snapshot.movers(*bdf).into_iter().chain(self.of_card(*bdf));
        let mut all: Vec<&Function> = self.devices.iter().flat_map(movers).collect();
        all.sort_by_key(|function| function.bdf);
        all.dedup_by_key(|function| function.bdf);
        all.into_iter()
    }

    /// The other functions of a graphics card (sound, USB), where there are no
    /// groups to say what goes with it: no IOMMU is on.
    fn of_card(&self, bdf: Bdf) -> Vec<&'a Function> {
        let is_display = |one: &Function| one.class.known().is_some_and(|class| class.is_display());
        let card = self.snapshot.get(bdf).filter(|one| is_display(one));
        if card.is_none() || !self.snapshot.groups.is_empty() {
            return Vec::new();
        }
        let same = |one: &&Function| one.bdf.same_slot(bdf) && !one.stays();
        self.snapshot.on_bus(bdf).filter(same).collect()
    }

    /// A function that stays with the host, of those for which this holds.
    pub(crate) fn stays(&self, is: impl Fn(&Function) -> bool) -> Option<Bdf> {
        let meant: BTreeSet<Bdf> = self.functions().map(|function| function.bdf).collect();
        let stays = |function: &&Function| {
            !meant.contains(&function.bdf) && !function.driver_name().is_some_and(is_vfio_driver)
        };
        self.snapshot.functions.values().filter(stays).find(|one| is(one)).map(|one| one.bdf)
    }

    /// The running kernel's arguments; nothing where they are not known.
    fn cmdline(&self) -> crate::boot::cmdline::Cmdline<'a> {
        crate::boot::cmdline::Cmdline::new(self.setup.cmdline.known().map_or("", String::as_str))
    }

    /// POWER's own way of everything: no ACPI, no x86 interrupts.
    pub(crate) fn is_power(&self) -> bool {
        self.snapshot.machine.arch.known().is_some_and(|arch| arch.starts_with("ppc"))
    }

    fn is_x86(&self) -> bool {
        self.snapshot.machine.arch.known().is_some_and(|arch| arch == "x86_64")
    }
}

impl Finding {
    fn pass(text: impl Into<String>) -> Self {
        Self { status: Status::Pass, text: text.into(), hint: String::new(), remedies: Vec::new() }
    }

    fn warn(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: Status::Warn, hint: hint.into(), ..Self::pass(text) }
    }

    fn fail(text: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { status: Status::Fail, hint: hint.into(), ..Self::pass(text) }
    }

    fn remedy(mut self, remedy: Remedy) -> Self {
        self.remedies.push(remedy);
        self
    }

    /// A boot argument as the remedy.
    fn argument(self, word: &str) -> Self {
        self.remedy(Remedy::Argument(Change::Set(word.to_owned())))
    }
}

/// The value, or the finding that it is not known.
fn known<'a, T>(fact: &'a Fact<T>, what: &str) -> Result<&'a T, Finding> {
    match fact {
        Fact::Known(value) => Ok(value),
        Fact::Unknown(why) => Err(Finding {
            status: Status::Unknown,
            ..Finding::pass(format!("{what} is not known: {why}"))
        }),
    }
}

/// Bytes for a person.
pub(crate) fn size(bytes: u64) -> String {
    const GIB: u64 = 1 << 30;
    match bytes {
        bytes if bytes >= GIB && bytes.is_multiple_of(GIB) => format!("{} GiB", bytes / GIB),
        bytes if bytes >= GIB => {
            let tenths = bytes / (GIB / 10);
            format!("{}.{} GiB", tenths / 10, tenths % 10)
        }
        bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{} KiB", bytes >> 10),
    }
}

impl Status {
    /// One word, for programs and the page.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

impl Severity {
    /// One word, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Advised => "advised",
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

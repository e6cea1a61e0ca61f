//! What is wanted: the second input of the planner.

use std::collections::BTreeSet;

use crate::bdf::Bdf;
use crate::reason::Code;
use crate::step::Step;

/// What somebody wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Move the groups of these functions to a guest's driver.
    Bind(Bind),
    /// Give functions back to their host drivers.
    Release(Release),
}

/// Move whole groups to `driver`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    pub devices: Vec<Bdf>,
    /// `vfio-pci`, or a variant of it.
    pub driver: String,
    /// Refusals that the user named and lets go (`--override root_disk`).
    pub overrides: BTreeSet<Code>,
    /// Whether services that others feel may be stopped.
    pub stop_services: bool,
}

/// Give functions back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub devices: Vec<Bdf>,
    /// What bind did, in the order in which it was done, from the journal.
    /// Empty when passthru did not bind it: then the kernel picks the driver.
    pub done: Vec<Step>,
    /// It goes to the host even where it was found with a guest's driver: a
    /// person wants it back.
    pub to_host: bool,
    /// Host drivers of then that are no longer there (a module that was
    /// unloaded, or is not in the kernel that was booted by kexec).
    pub missing: BTreeSet<String>,
}

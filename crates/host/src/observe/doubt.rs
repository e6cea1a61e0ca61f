//! Which functions are left alone, as a change to them is stuck in the kernel.
//!
//! In: what the journal says is in doubt. Out: whether a function's registers
//! may be read. While a function is reset, the kernel keeps every reader of
//! its configuration space waiting, in a state that ignores even SIGKILL
//! (`pci_wait_cfg()` in drivers/pci/access.c); who holds its lock keeps those
//! waiting who need that.
//!
//! Limit: a device that is stuck by somebody else's doing stands in no
//! journal of ours, and nothing that the kernel shows without waiting tells
//! of it. A listing waits for it then, as lspci does. A thread would be no
//! way out (a process does not end while one of its threads is in the
//! kernel), and a child process for every look would add a sixth to the time
//! of a listing of 64 functions (docs/decisions/0003).

use std::collections::BTreeSet;

use model::{Bdf, GroupId};

use super::Depth;

/// Functions, and whole groups, with a change that has not come back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InDoubt {
    pub functions: BTreeSet<Bdf>,
    pub groups: BTreeSet<GroupId>,
}

/// What to look at, and what to leave alone.
#[derive(Clone, Copy, Debug)]
pub struct Look<'a> {
    pub(super) depth: Depth,
    pub(super) in_doubt: &'a InDoubt,
    pub(super) wakes: &'a [Bdf],
}

impl<'a> Look<'a> {
    /// Read the registers of these functions even where that wakes them.
    #[must_use]
    pub fn waking(self, functions: &'a [Bdf]) -> Self {
        Self { wakes: functions, ..self }
    }
}

static NOTHING: InDoubt = InDoubt::NOTHING;

impl InDoubt {
    /// All may be looked at.
    pub const NOTHING: Self = Self { functions: BTreeSet::new(), groups: BTreeSet::new() };

    /// Whether a function is left alone. A reset may be one of the whole
    /// slot, and then keeps all of its functions.
    pub fn spares(&self, bdf: Bdf, group: Option<GroupId>) -> bool {
        group.is_some_and(|group| self.groups.contains(&group))
            || self.functions.iter().any(|other| other.same_slot(bdf))
    }
}

impl Depth {
    /// Look so deep, and read no registers of what is in doubt.
    pub fn sparing(self, in_doubt: &InDoubt) -> Look<'_> {
        Look { depth: self, in_doubt, wakes: &[] }
    }
}

impl From<Depth> for Look<'static> {
    fn from(depth: Depth) -> Self {
        depth.sparing(&NOTHING)
    }
}

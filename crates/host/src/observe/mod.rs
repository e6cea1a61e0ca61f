//! One pass over the machine.
//!
//! In: a root directory, and how much to look at. Out: a [`Snapshot`], always:
//! what cannot be read is an unknown fact with its reason, a gap, or a
//! function that vanished. Never: a write, a decision, a read that changes
//! what it looks at (a suspended device stays so), or a read that waits for a
//! device's lock.
//!
//! ```text
//! functions ──▶ groups, machine
//!     └──▶ what the host uses them for: blocks, interfaces, screens
//!             └──▶ which processes hold them (Depth::Whole)
//! ```

mod function;
mod functions;
mod groups;
mod machine;

use std::fmt;

use model::Snapshot;
use model::port::AttrWriter;

use self::functions::Found;
use crate::paths::Root;

/// How much to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What a list of devices with their verdicts needs. Facts beyond that
    /// are [`NotObserved`](model::Why::NotObserved).
    Listing,
    /// Everything.
    Whole,
}

/// How attributes are read whose reading takes the device's lock. Whoever
/// holds that lock may be stuck in the kernel, and the reader is then, too.
pub(crate) enum Locked<'a> {
    /// Not at all.
    Skip,
    /// Like any file: below a root of plain files nothing blocks.
    Plain,
    /// In a process that can be abandoned.
    Through(&'a mut dyn AttrWriter),
}

impl fmt::Debug for Locked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skip => "Skip",
            Self::Plain => "Plain",
            Self::Through(_) => "Through",
        })
    }
}

/// Look at the machine. On the real one `driver_override` is not observed, as
/// reading it may block: see [`observe_with`].
pub fn observe(root: &Root, depth: Depth) -> Snapshot {
    let mut locked = if root.is_real() { Locked::Skip } else { Locked::Plain };
    pass(root, depth, &mut locked)
}

/// Look at the machine, and read what may block through `attrs`.
pub fn observe_with(root: &Root, depth: Depth, attrs: &mut dyn AttrWriter) -> Snapshot {
    pass(root, depth, &mut Locked::Through(attrs))
}

fn pass(root: &Root, depth: Depth, locked: &mut Locked<'_>) -> Snapshot {
    let Found { functions, vanished, gaps } = functions::functions(root, depth, locked);
    let groups = groups::groups(root, depth, &functions);
    Snapshot { machine: machine::machine(root), functions, groups, vanished, gaps }
}

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
mod overrides;
mod parallel;

use model::parse::attribute;
use model::port::{AttrWriter, Showed};
use model::{Bdf, Fact, Snapshot, Why};

use self::functions::Found;
use self::overrides::Locked;
use crate::paths::Root;
use crate::read;

/// How much to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What a list of devices with their verdicts needs. Facts beyond that
    /// are [`NotObserved`](model::Why::NotObserved).
    Listing,
    /// Everything.
    Whole,
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

/// The driver that alone may bind a function, read through `attrs`: showing
/// it takes the device's lock, which a stuck unbind holds.
pub fn driver_override(root: &Root, bdf: Bdf, attrs: &mut dyn AttrWriter) -> Fact<Option<String>> {
    match attrs.read(&root.pci_device(bdf).join("driver_override")) {
        Showed::Content(bytes) => {
            attribute::driver_override(&String::from_utf8_lossy(&bytes)).into()
        }
        Showed::Failed { errno, .. } => Fact::Unknown(read::why(errno)),
        Showed::Stuck(stuck) => Fact::Unknown(Why::Failed(format!(
            "the kernel did not show it within {} s: somebody holds the device's lock",
            stuck.waited.as_secs()
        ))),
    }
}

fn pass(root: &Root, depth: Depth, locked: &mut Locked<'_>) -> Snapshot {
    let Found { mut functions, vanished, gaps } = functions::functions(root, depth);
    let groups = groups::groups(root, depth, &functions);
    if depth == Depth::Whole {
        overrides::overrides(root, &mut functions, locked);
    }
    Snapshot { machine: machine::machine(root), functions, groups, vanished, gaps }
}

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
//!             └──▶ which processes hold them (not for Depth::Listing)
//! ```

mod doubt;
mod function;
mod functions;
mod groups;
mod machine;
mod overrides;
mod sight;

mod blocks;
mod consoles;
mod interfaces;
mod screens;
mod shares;
mod uses;

mod holders;
mod masters;
mod nodes;

mod parallel;

use model::Snapshot;
use model::port::AttrWriter;

pub use self::blocks::{Named, block_device};
pub use self::doubt::{InDoubt, Look};
use self::functions::Found;
pub use self::holders::{holders_of, holders_of_any};
pub use self::machine::{guest_driver, has_driver, kernel_module};
use self::nodes::Nodes;
use self::overrides::Locked;
pub use self::overrides::driver_override;
use self::uses::Uses;
use crate::paths::Root;

/// How much to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// What a list of devices with their verdicts needs. Facts beyond that
    /// are [`NotObserved`](model::Why::NotObserved).
    Listing,
    /// What a plan needs: all of what can move, of bridges what a listing
    /// has and their nodes, and which processes hold what.
    Plan,
    /// Everything.
    Whole,
}

/// Look at the machine. On the real one `driver_override` is not observed, as
/// reading it may block: see [`observe_with`].
pub fn observe<'a>(root: &Root, look: impl Into<Look<'a>>) -> Snapshot {
    let mut locked = if root.is_real() { Locked::Skip } else { Locked::Plain };
    pass(root, look.into(), &mut locked)
}

/// Look at the machine, and read what may block through `attrs`.
pub fn observe_with<'a>(
    root: &Root,
    look: impl Into<Look<'a>>,
    attrs: &mut dyn AttrWriter,
) -> Snapshot {
    pass(root, look.into(), &mut Locked::Through(attrs))
}

fn pass(root: &Root, look: Look<'_>, locked: &mut Locked<'_>) -> Snapshot {
    let depth = look.depth;
    let Found { mut functions, vanished, mut gaps } = functions::functions(root, look);
    let groups = groups::groups(root, depth, &functions);
    let blocks = uses::uses(Uses::of(root, &mut functions, &mut gaps));
    if depth != Depth::Listing {
        overrides::overrides(root, &mut functions, locked);
        let nodes = Nodes::read(root, &blocks, &functions, &groups);
        holders::holders(root, &nodes, &mut functions);
        masters::masters(root, &mut functions, locked);
    }
    Snapshot { machine: machine::machine(root), functions, groups, vanished, gaps }
}

//! What the host does with each function.
//!
//! In: the functions, and the kernel's tables of mounts, routes and memory.
//! Out: the uses of each function; what could not be read is a gap.

use std::collections::BTreeMap;
use std::path::Path;

use model::snapshot::Gap;
use model::usage::Use;
use model::{Bdf, Function, Why};

use super::blocks::{self, Blocks};
use super::{interfaces, screens};
use crate::paths::Root;

/// Uses, as they are found.
pub(super) struct Uses<'a> {
    pub root: &'a Root,
    pub functions: &'a mut BTreeMap<Bdf, Function>,
    pub gaps: &'a mut Vec<Gap>,
}

impl Uses<'_> {
    /// One use of each of these functions.
    pub fn add(&mut self, owners: impl IntoIterator<Item = Bdf>, found: &Use) {
        for bdf in owners {
            if let Some(function) = self.functions.get_mut(&bdf) {
                function.uses.push(found.clone());
            }
        }
    }

    /// A source that could not be read.
    pub fn gap(&mut self, path: &Path, why: Why) {
        self.gaps.push(Gap { path: self.root.shown(path), why });
    }

    /// A source with parts that make no sense: told once, however many.
    pub fn garbled(&mut self, path: &Path, bad: Vec<Why>) {
        if let Some(why) = summed(bad) {
            self.gap(path, why);
        }
    }
}

/// One reason in place of many alike; `None` for none.
pub(super) fn summed(bad: Vec<Why>) -> Option<Why> {
    let others = bad.len().checked_sub(1)?;
    let first = bad.into_iter().next()?;
    Some(match others {
        0 => first,
        _ => Why::Failed(format!("{first}, and {others} more like it")),
    })
}

/// Look for all uses. The block devices serve the search for holders, too.
pub(super) fn uses(mut found: Uses<'_>) -> Blocks {
    let root = found.root;
    let blocks = Blocks::read(root).unwrap_or_else(|why| {
        found.gap(&root.class("block"), why);
        Blocks::default()
    });
    blocks::uses(root, &blocks, &mut found);
    interfaces::uses(root, &mut found);
    screens::uses(root, &mut found);
    for function in found.functions.values_mut() {
        function.uses.sort();
        function.uses.dedup();
    }
    blocks
}

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
        self.gaps.push(Gap { path: path.display().to_string(), why });
    }
}

/// Look for all uses. The block devices serve the search for holders, too.
pub(super) fn uses(root: &Root, mut found: Uses<'_>) -> Blocks {
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

//! What the host does with each function.
//!
//! In: the functions, and the kernel's tables of mounts, routes and memory.
//! Out: the uses of each function, and the kinds of use that could not be
//! looked for where it may have some; what could not be read is a gap.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use model::snapshot::Gap;
use model::usage::{Unseen, Use, UseKind};
use model::{Bdf, Function, Why};

use super::blocks::{self, Blocks};
use super::{interfaces, screens};
use crate::paths::Root;

/// Uses, as they are found.
pub(super) struct Uses<'a> {
    pub root: &'a Root,
    pub functions: &'a mut BTreeMap<Bdf, Function>,
    pub gaps: &'a mut Vec<Gap>,
    missed: Missed,
}

/// What could not be looked for.
#[derive(Default)]
struct Missed {
    /// The first reason for each kind.
    kinds: BTreeMap<UseKind, (String, Why)>,
    /// Kinds of which not even the devices could be listed.
    unlisted: BTreeSet<UseKind>,
}

impl<'a> Uses<'a> {
    pub fn of(
        root: &'a Root,
        functions: &'a mut BTreeMap<Bdf, Function>,
        gaps: &'a mut Vec<Gap>,
    ) -> Self {
        Self { root, functions, gaps, missed: Missed::default() }
    }

    /// One use of each of these functions.
    pub fn add(&mut self, owners: impl IntoIterator<Item = Bdf>, found: &Use) {
        for bdf in owners {
            if let Some(function) = self.functions.get_mut(&bdf) {
                function.uses.push(found.clone());
            }
        }
    }

    /// One function that may have uses which could not be seen.
    pub fn unseen(&mut self, bdf: Bdf, kind: UseKind, path: &Path, why: Why) {
        let path = self.root.shown(path);
        if let Some(function) = self.functions.get_mut(&bdf) {
            function.unseen.push(Unseen { kind, path, why });
        }
    }

    /// A source that could not be read, and so uses that could not be seen.
    pub fn missed(&mut self, kind: UseKind, path: &Path, why: Why) {
        let path = self.root.shown(path);
        self.missed.kinds.entry(kind).or_insert_with(|| (path.clone(), why.clone()));
        self.gaps.push(Gap { path, why });
    }

    /// The devices of a class cannot be listed, so any function that a driver
    /// of the host's has may have one. That there is no such class is no gap
    /// of a kernel that was built without, in which no such driver is.
    pub fn unlisted(&mut self, kind: UseKind, path: &Path, why: Why) {
        self.missed.unlisted.insert(kind);
        match why {
            Why::NotProvided => {
                let missed = (self.root.shown(path), why);
                self.missed.kinds.entry(kind).or_insert(missed);
            }
            why => self.missed(kind, path, why),
        }
    }

    /// A source with parts that make no sense: told once, however many.
    pub fn garbled(&mut self, kind: UseKind, path: &Path, bad: Vec<Why>) {
        if let Some(why) = summed(bad) {
            self.missed(kind, path, why);
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
        found.unlisted(UseKind::Disk, &root.class("block"), why);
        Blocks::default()
    });
    blocks::uses(root, &blocks, &mut found);
    interfaces::uses(root, &mut found);
    screens::uses(root, &mut found);
    let Uses { functions, missed, .. } = found;
    let disks = blocks.all_owners();
    for function in functions.values_mut() {
        function.uses.sort();
        function.uses.dedup();
        let concerned = |kind: &UseKind| missed.concerns(*kind, function, &disks);
        let kinds = missed.kinds.iter().filter(|(kind, _)| concerned(kind));
        let unseen = |(kind, (path, why)): (&UseKind, &(String, Why))| Unseen {
            kind: *kind,
            path: path.clone(),
            why: why.clone(),
        };
        let kinds: Vec<Unseen> = kinds.map(unseen).collect();
        function.unseen.extend(kinds);
    }
    blocks
}

impl Missed {
    /// Whether a function may have uses of a kind: it has such a device, or
    /// that cannot be known and its class and driver are no proof against it.
    fn concerns(&self, kind: UseKind, function: &Function, disks: &BTreeSet<Bdf>) -> bool {
        let class = function.class.known();
        let interface = |found: &Use| matches!(found, Use::Interface { .. });
        let (has, is_kind) = match kind {
            UseKind::Disk => {
                (disks.contains(&function.bdf), class.is_none_or(|class| class.is_storage()))
            }
            UseKind::Network => {
                (function.uses.iter().any(interface), class.is_none_or(|class| class.is_network()))
            }
            // The firmware draws without any driver.
            UseKind::Screen => return class.is_none_or(|class| class.is_display()),
        };
        let driven = function.driver.why().is_some() || function.host_driver().is_some();
        has || self.unlisted.contains(&kind) && is_kind && driven
    }
}

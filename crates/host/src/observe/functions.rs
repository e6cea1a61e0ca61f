//! All PCI functions.
//!
//! In: the folder of all functions. Out: the functions by address, those that
//! went away meanwhile, and names that are no address.

use std::collections::BTreeMap;

use model::parse::attribute::malformed;
use model::snapshot::Gap;
use model::{Bdf, Function, Why};

use super::function::{Pass, function};
use super::uses::summed;
use super::{Look, parallel};
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub functions: BTreeMap<Bdf, Function>,
    pub vanished: Vec<Bdf>,
    pub gaps: Vec<Gap>,
}

/// Read all functions.
pub(super) fn functions(root: &Root, look: Look<'_>) -> Found {
    let mut found = Found::default();
    let path = root.pci_devices();
    let listed = Folder::open(&path).and_then(|devices| Ok((devices.names()?, devices)));
    let (names, devices) = match listed {
        Ok(listed) => listed,
        Err(why) => {
            found.gaps.push(Gap { path: root.shown(&path), why });
            return found;
        }
    };
    let mut bdfs: Vec<Bdf> = Vec::with_capacity(names.len());
    let mut others = Vec::new();
    for name in names {
        match name.parse() {
            Ok(bdf) => bdfs.push(bdf),
            Err(_) => others.push(name),
        }
    }
    if let Some(first) = others.first() {
        let path = root.shown(&path.join(first));
        let why = summed(others.iter().map(|name| malformed(name)).collect());
        found.gaps.extend(why.map(|why| Gap { path, why }));
    }
    bdfs.sort_unstable();
    let pass = Pass { look, devices, grouped: is_grouped(root) };
    let functions = parallel::parts(&bdfs, |part| {
        let mut buffer = Buffer::default();
        part.iter().map(|bdf| (*bdf, function(&pass, *bdf, &mut buffer))).collect()
    });
    found.vanished = functions.iter().filter(|(_, it)| it.is_none()).map(|(bdf, _)| *bdf).collect();
    // Collected in order, not inserted: a map that grows has half-empty nodes.
    found.functions = functions.into_iter().filter_map(|(bdf, it)| Some((bdf, it?))).collect();
    name_parents(&mut found.functions);
    found
}

/// Without a group in the whole machine no function is asked for its own.
/// If that cannot be read, they are.
fn is_grouped(root: &Root) -> bool {
    match read::is_filled(&root.iommu_groups()) {
        Ok(filled) => filled,
        Err(why) => why != Why::NotProvided,
    }
}

/// A virtual function that did not show itself as one, as its registers could
/// be read and name a vendor of their own, is known by its parent's link.
fn name_parents(functions: &mut BTreeMap<Bdf, Function>) {
    let children: Vec<(Bdf, Bdf)> = functions
        .values()
        .filter_map(|parent| Some((parent.bdf, parent.sriov.as_ref()?)))
        .flat_map(|(parent, sriov)| sriov.functions.iter().map(move |child| (*child, parent)))
        .collect();
    for (child, parent) in children {
        if let Some(child) = functions.get_mut(&child) {
            child.physfn.get_or_insert(parent);
        }
    }
}

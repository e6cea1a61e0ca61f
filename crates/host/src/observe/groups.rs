//! IOMMU groups, and the units behind them.
//!
//! In: the functions, each of which names its group. Out: the groups with
//! what the kernel keeps of them, and whether and how wide the IOMMU works.

use std::collections::BTreeMap;

use model::parse::iommu::{amd_width, intel_width, reserved_regions};
use model::snapshot::{Group, GroupId, Iommu};
use model::{Bdf, Fact, Function, Why};

use super::{Depth, parallel};
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// The groups that have PCI functions.
pub(super) fn groups(
    root: &Root,
    depth: Depth,
    functions: &BTreeMap<Bdf, Function>,
) -> BTreeMap<GroupId, Group> {
    let mut members: BTreeMap<GroupId, Vec<Bdf>> = BTreeMap::new();
    for function in functions.values() {
        if let Some(id) = function.group_id() {
            members.entry(id).or_default().push(function.bdf);
        }
    }
    if members.is_empty() {
        return BTreeMap::new();
    }
    let folder = Folder::open(&root.iommu_groups());
    let members: Vec<_> = members.into_iter().collect();
    let groups = parallel::parts(&members, |part| {
        let mut buffer = Buffer::default();
        let group = |(id, members): &(GroupId, Vec<Bdf>)| {
            // Of a group of bridges alone a plan needs no more than its members.
            let stays = |member| functions.get(member).is_some_and(Function::stays);
            let idle = depth != Depth::Whole && members.iter().all(stays);
            let read = |name: &str| match &folder {
                _ if idle => Err(Why::NotObserved),
                Ok(folder) => folder.text(&format!("{id}/{name}"), &mut buffer).map(str::to_owned),
                Err(why) => Err(why.clone()),
            };
            group(depth, (*id, members), read)
        };
        part.iter().map(group).collect()
    });
    groups.into_iter().map(|group| (group.id, group)).collect()
}

fn group(
    depth: Depth,
    (id, members): (GroupId, &[Bdf]),
    mut read: impl FnMut(&str) -> Result<String, Why>,
) -> Group {
    let reserved = read("reserved_regions").and_then(|text| reserved_regions(&text)).into();
    let domain = match depth {
        Depth::Listing | Depth::Plan => Fact::Unknown(Why::NotObserved),
        Depth::Whole => read("type").map(|text| text.trim().to_owned()).into(),
    };
    Group { id, members: members.to_vec(), domain, reserved }
}

/// The IOMMU as the kernel uses it.
pub(super) fn iommu(root: &Root) -> Fact<Iommu> {
    let on = match read::is_filled(&root.iommu_groups()) {
        Ok(on) => on,
        // A kernel that was built without has no such folder.
        Err(Why::NotProvided) => false,
        Err(why) => return Fact::Unknown(why),
    };
    let mut units = read::names(&root.iommu_units()).unwrap_or_default();
    units.sort();
    let address_width = address_width(root, &units);
    Fact::Known(Iommu { on, firmware: firmware(root), address_width, units })
}

/// Tables by which firmware describes an IOMMU.
const TABLES: &[&str] = &["DMAR", "IVRS", "IORT", "VIOT"];

fn firmware(root: &Root) -> Fact<Option<String>> {
    match read::names(&root.acpi_tables()) {
        Ok(names) => {
            let table = TABLES.iter().find(|table| names.iter().any(|name| name == *table));
            Fact::Known(table.map(|table| (*table).to_owned()))
        }
        Err(Why::NotProvided) => device_tree(root),
        Err(why) => Fact::Unknown(why),
    }
}

/// In a device tree an IOMMU is a node of that name, at the top or in the
/// system on a chip. On POWER every PCI host bridge translates (PowerISA
/// platforms have no bridge without TCE tables).
fn device_tree(root: &Root) -> Fact<Option<String>> {
    let base = root.device_tree();
    let mut names = match read::names(&base) {
        Ok(names) => names,
        Err(why) => return Fact::Unknown(why),
    };
    let chips: Vec<String> = names.iter().filter(|name| is_node(name, "soc")).cloned().collect();
    for chip in chips {
        names.extend(read::names(&base.join(chip)).unwrap_or_default());
    }
    let power = |name: &String| is_node(name, "pciex") || is_node(name, "vdevice");
    let iommu = |name: &String| is_node(name, "iommu") || is_node(name, "smmu") || power(name);
    Fact::Known(names.iter().any(iommu).then(|| "device tree".to_owned()))
}

/// A device tree node: a name, or a name and its address behind an `@`.
fn is_node(name: &str, kind: &str) -> bool {
    name.split('@').next() == Some(kind)
}

/// Bits of an address that every unit translates.
fn address_width(root: &Root, units: &[String]) -> Fact<u8> {
    let width = |unit: &String| {
        let unit = root.iommu_units().join(unit);
        match read::text(&unit.join("intel-iommu/cap")) {
            Ok(text) => intel_width(&text),
            Err(Why::NotProvided) => {
                read::text(&unit.join("amd-iommu/features")).and_then(|text| amd_width(&text))
            }
            Err(why) => Err(why),
        }
    };
    let widths: Result<Vec<u8>, Why> = units.iter().map(width).collect();
    widths.and_then(|widths| widths.into_iter().min().ok_or(Why::NotProvided)).into()
}

//! Who may run guests with devices, other than root.
//!
//! In: a group of the host. Out: a rule for udev that gives its members the
//! nodes of VFIO and iommufd, and a limit of locked memory that a guest fits
//! in, both in files of our own.

use thiserror::Error;

use super::Preparation;
use crate::fact::{Fact, Why};
use crate::ours::{ACCESS, LIMITS, PREPARED};
use crate::plan::write;
use crate::setup::boot::Boot;

/// A group, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserGroup {
    pub name: String,
    /// Its number on the host; `None` where the host has no such group.
    pub number: Fact<Option<u32>>,
}

/// Why a group cannot be given the nodes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoGroup {
    #[error("the groups of this host are not known: {0}")]
    Unknown(Why),
    #[error("this host itself has no group `{0}`")]
    Missing(String),
    #[error(
        "the group {name} is one of people ({number}): udev gives nodes to those below {PEOPLE}"
    )]
    OfPeople { name: String, number: u32 },
}

/// From here on groups are people's (`SYS_GID_MAX` in login.defs(5)). systemd
/// 258 passes over rules with one of them, and earlier ones advise against it.
const PEOPLE: u32 = 1000;

pub(super) fn plan(
    group: &UserGroup,
    boot: &Boot,
    preparation: &mut Preparation,
) -> Result<(), NoGroup> {
    let group = named(group)?;
    let files = [(ACCESS, rules(group)), (LIMITS, limits(group))];
    let before = preparation.steps.len();
    for (name, text) in files {
        let text = PREPARED.to_owned() + &text;
        preparation.steps.extend(write(boot, &boot.path(name), Some(&text)));
    }
    if preparation.steps.len() > before {
        preparation.by_hand.push(format!(
            "members of {group} have to log in anew; it counts for devices that are bound from then on"
        ));
    }
    Ok(())
}

/// Its name, if it can be given the nodes.
fn named(group: &UserGroup) -> Result<&str, NoGroup> {
    let UserGroup { name, number } = group;
    // As useradd(8) makes them, so that it says nothing else in a rule.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    match number {
        Fact::Unknown(why) => Err(NoGroup::Unknown(why.clone())),
        Fact::Known(Some(number)) if *number >= PEOPLE => {
            Err(NoGroup::OfPeople { name: name.clone(), number: *number })
        }
        Fact::Known(Some(_)) if name.chars().all(is_plain) => Ok(name),
        Fact::Known(_) => Err(NoGroup::Missing(name.clone())),
    }
}

/// The nodes of groups (`/dev/vfio/12`), of devices (`/dev/vfio/devices/vfio0`)
/// and of iommufd; `/dev/vfio/vfio` is everybody's by the kernel's own mode
/// (drivers/vfio/container.c), as nothing comes of it alone.
fn rules(group: &str) -> String {
    let node = |is: &str| format!("{is}, GROUP=\"{group}\", MODE=\"0660\"\n");
    [
        node("SUBSYSTEM==\"vfio\""),
        node("SUBSYSTEM==\"vfio-dev\""),
        node("SUBSYSTEM==\"misc\", KERNEL==\"iommu\""),
    ]
    .concat()
}

/// All of a guest's memory is locked while it has a device, within the limit
/// of whoever runs it (limits.conf(5)).
fn limits(group: &str) -> String {
    format!("@{group} - memlock unlimited\n")
}

//! What the host does with a function, as JSON.

use model::usage::{Holder, Master, Use, UseKind};
use serde::Serialize;

/// One use that the host makes of a function.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum UseJson<'a> {
    Mount {
        block: &'a str,
        at: &'a str,
    },
    MountElsewhere {
        block: &'a str,
        at: &'a str,
        pid: u32,
    },
    Swap {
        block: &'a str,
    },
    Member {
        block: &'a str,
        of: &'a str,
    },
    Interface {
        name: &'a str,
        addresses: &'a [String],
        up: bool,
        default_route: bool,
        carries: &'a [String],
    },
    BootFramebuffer {
        region: &'a str,
    },
    Console {
        screen: &'a str,
    },
    Display {
        connector: &'a str,
    },
}

/// A process that holds one of the device's nodes open.
#[derive(Serialize)]
pub struct HolderJson<'a> {
    pid: u32,
    program: &'a str,
    node: &'a str,
    unit: Option<&'a str>,
}

/// A process that may set modes of the card.
#[derive(Serialize)]
pub struct MasterJson<'a> {
    pid: u32,
    program: &'a str,
}

/// The name under which `unknown` says that uses of this kind are not.
pub fn unseen_field(kind: UseKind) -> &'static str {
    match kind {
        UseKind::Disk => "uses.disk",
        UseKind::Network => "uses.network",
        UseKind::Screen => "uses.screen",
    }
}

impl<'a> MasterJson<'a> {
    pub fn of(master: &'a Master) -> Self {
        Self { pid: master.pid, program: &master.program }
    }
}

impl<'a> UseJson<'a> {
    pub fn of(usage: &'a Use) -> Self {
        match usage {
            Use::Mount { block, at } => Self::Mount { block, at },
            Use::MountElsewhere { block, at, pid } => Self::MountElsewhere { block, at, pid: *pid },
            Use::Swap { block } => Self::Swap { block },
            Use::Member { block, of } => Self::Member { block, of },
            Use::Interface { name, addresses, up, default_route, carries } => {
                let (up, default_route) = (*up, *default_route);
                Self::Interface { name, addresses, up, default_route, carries }
            }
            Use::BootFramebuffer { region } => Self::BootFramebuffer { region },
            Use::Console { screen } => Self::Console { screen },
            Use::Display { connector } => Self::Display { connector },
        }
    }
}

impl<'a> HolderJson<'a> {
    pub fn of(holder: &'a Holder) -> Self {
        let Holder { pid, program, node, unit, .. } = holder;
        Self { pid: *pid, program, node, unit: unit.as_deref() }
    }
}

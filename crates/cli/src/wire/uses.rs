//! What the host does with a function, as JSON.

use model::usage::{Holder, Use};
use serde::Serialize;

/// One use that the host makes of a function.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum UseJson<'a> {
    Mount { block: &'a str, at: &'a str },
    Swap { block: &'a str },
    Member { block: &'a str, of: &'a str },
    Interface { name: &'a str, addresses: &'a [String], up: bool, default_route: bool },
    BootFramebuffer { region: &'a str },
    Display { connector: &'a str },
}

/// A process that holds one of the device's nodes open.
#[derive(Serialize)]
pub struct HolderJson<'a> {
    pid: u32,
    program: &'a str,
    node: &'a str,
    unit: Option<&'a str>,
}

impl<'a> UseJson<'a> {
    pub fn of(usage: &'a Use) -> Self {
        match usage {
            Use::Mount { block, at } => Self::Mount { block, at },
            Use::Swap { block } => Self::Swap { block },
            Use::Member { block, of } => Self::Member { block, of },
            Use::Interface { name, addresses, up, default_route } => {
                Self::Interface { name, addresses, up: *up, default_route: *default_route }
            }
            Use::BootFramebuffer { region } => Self::BootFramebuffer { region },
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

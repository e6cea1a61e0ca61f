//! Rules about what the host would lose if a set of functions were gone.
//!
//! "The only network" is a property of a set: two cards, each with a default
//! route, can each go, but not both at once.

use super::Moving;
use crate::fact::{Fact, Why};
use crate::function::{Function, is_vfio_driver};
use crate::reason::{Code, Reason};
use crate::usage::{Holder, Use};

type Rule = fn(&Moving<'_>, &Function, &mut Vec<Reason>);

pub(super) const RULES: &[Rule] = &[disk, network, unseen, screen, display, held];

/// Folders of the root without which the system does not run on. What is
/// mounted below them counts too: a host seldom survives losing part of `var`.
const SYSTEM: &[&str] = &["boot", "efi", "etc", "nix", "sysroot", "usr", "var"];

fn disk(_: &Moving<'_>, function: &Function, out: &mut Vec<Reason>) {
    let mut grave = Vec::new();
    let mut light = Vec::new();
    for usage in &function.uses {
        match usage {
            Use::Mount { at, .. } if is_system(at) => grave.push(usage.to_string()),
            Use::Swap { .. } => grave.push(usage.to_string()),
            Use::Mount { .. } | Use::MountElsewhere { .. } | Use::Member { .. } => {
                light.push(usage.to_string());
            }
            _ => {}
        }
    }
    if !grave.is_empty() {
        let hint = "the host runs from it; move the system to another disk first";
        out.push(Reason::at(Code::RootDisk, function.bdf, list(&grave), hint));
    } else if !light.is_empty() {
        let hint = "unmount it, or take it out of its volume, first";
        out.push(Reason::at(Code::DiskInUse, function.bdf, list(&light), hint));
    }
}

/// The root, or something in one of the system's own folders.
fn is_system(at: &str) -> bool {
    let first = at.trim_start_matches('/').split('/').next().unwrap_or_default();
    first.is_empty() || SYSTEM.contains(&first)
}

fn list(items: &[String]) -> String {
    const SHOWN: usize = 4;
    match items.len() {
        count if count > SHOWN => {
            format!("{} and {} more", items[..SHOWN].join(", "), count - SHOWN)
        }
        _ => items.join(", "),
    }
}

fn network(moving: &Moving<'_>, function: &Function, out: &mut Vec<Reason>) {
    let interfaces = function.uses.iter().filter(|usage| matches!(usage, Use::Interface { .. }));
    let mut interfaces = interfaces.peekable();
    if interfaces.peek().is_none() {
        return;
    }
    let only = is_only_way(moving, function);
    for usage in interfaces {
        let Use::Interface { name, .. } = usage else { continue };
        if only {
            let text = format!("{usage}: the host reaches the network by nothing else");
            let hint = "give the host another way out first";
            out.push(Reason::at(Code::OnlyNetwork, function.bdf, text, hint));
        } else if usage.is_felt() {
            let text = format!("the host's {usage} goes away with it");
            let hint = format!("take {name} down if nothing needs it");
            out.push(Reason::at(Code::InterfaceInUse, function.bdf, text, hint));
        }
    }
}

/// Whether the host's traffic goes through this function, and through no
/// other that stays: by the default routes, or, where there is none, by the
/// addresses of interfaces that are up.
fn is_only_way(moving: &Moving<'_>, function: &Function) -> bool {
    let all = || moving.snapshot.functions.values();
    let stays = |carries: fn(&Function) -> bool| {
        all().any(|other| carries(other) && !moving.takes(other.bdf))
    };
    if is_routed(function) {
        return !stays(is_routed);
    }
    // In this order, where thousands have addresses the first look ends it:
    // a verdict on all of them must not look at all for each.
    is_addressed(function) && !stays(is_addressed) && !all().any(is_routed)
}

fn is_routed(function: &Function) -> bool {
    let default = |usage: &Use| matches!(usage, Use::Interface { default_route: true, .. });
    function.uses.iter().any(default)
}

fn is_addressed(function: &Function) -> bool {
    let addressed = |usage: &Use| matches!(usage, Use::Interface { up: true, addresses, .. } if !addresses.is_empty());
    function.uses.iter().any(addressed)
}

/// What could not be looked for is not "not there".
fn unseen(_: &Moving<'_>, function: &Function, out: &mut Vec<Reason>) {
    for unseen in &function.unseen {
        let text = format!("not known: {unseen}");
        let hint = match unseen.why {
            Why::NotPermitted => "root sees it",
            _ => "make sure that the host does not need it, then let it go by name",
        };
        out.push(Reason::at(Code::UsesUnknown, function.bdf, text, hint));
    }
}

/// The console, once: the framebuffer of the firmware, else that of the
/// card's own driver, else the first screen while it is lit. The last holds
/// where there is no text console, or it waits for something to print
/// (CONFIG_FRAMEBUFFER_CONSOLE_DEFERRED_TAKEOVER).
fn screen(_: &Moving<'_>, function: &Function, out: &mut Vec<Reason>) {
    let mut found = false;
    for usage in &function.uses {
        if let Use::BootFramebuffer { region } = usage {
            let text = format!(
                "the firmware's framebuffer ({region}) is in its memory: the console draws there"
            );
            let hint = "make another card the primary display in the firmware setup, \
                        boot with initcall_blacklist=sysfb_init, or let it go by name";
            out.push(Reason::at(Code::BootFramebuffer, function.bdf, text, hint));
            found = true;
        }
    }
    if found {
        return;
    }
    let console = function.uses.iter().find(|usage| matches!(usage, Use::Console { .. }));
    let lit = function.uses.iter().find(|usage| matches!(usage, Use::Display { .. }));
    let text = match (console, lit) {
        (Some(console), _) => format!("the host's {console}"),
        (None, Some(lit)) if function.boot_vga == Some(true) => {
            format!("it is the host's first screen, with a {lit}")
        }
        _ => return,
    };
    let hint = "make another card the primary display in the firmware setup, put the console \
                on a serial line (console=ttyS0 at boot), or let it go by name";
    out.push(Reason::at(Code::Console, function.bdf, text, hint));
}

fn display(_: &Moving<'_>, function: &Function, out: &mut Vec<Reason>) {
    for usage in &function.uses {
        if let Use::Display { connector } = usage {
            let text = format!("a display of the host is lit on {connector}");
            out.push(Reason::at(Code::DisplayInUse, function.bdf, text, "that screen goes dark"));
        }
    }
}

fn held(_: &Moving<'_>, function: &Function, out: &mut Vec<Reason>) {
    let holders = match &function.holders {
        Fact::Known(holders) => holders,
        // A listing does not look, and nothing waits for anybody in a recording.
        Fact::Unknown(Why::NotObserved | Why::NotRecorded) => return,
        Fact::Unknown(why) => return out.extend(unheld(function, why)),
    };
    for holder in holders {
        if let Some(reason) = guest_has(function, holder) {
            out.push(reason);
            continue;
        }
        let hint = match holder.service() {
            _ if holder.lets_go() => "it lets go by itself".to_owned(),
            Some(unit) => format!("systemctl stop {unit}"),
            None => "end it first".to_owned(),
        };
        out.push(Reason::at(Code::HeldByProcess, function.bdf, function.told(holder), hint));
    }
}

/// The reason against moving a function that a guest has: a user of VFIO on
/// a function that is bound to it is a hypervisor, whoever started it.
pub fn guest_has(function: &Function, holder: &Holder) -> Option<Reason> {
    let vfio = function.driver_name().is_some_and(is_vfio_driver);
    (vfio && holder.node.contains("/vfio/")).then(|| {
        let text = format!("a guest has it: {holder}");
        let hint = "detach it from that guest, or shut the guest down, first";
        Reason::at(Code::Assigned, function.bdf, text, hint)
    })
}

/// Where no driver of the host's has to let go, no holder can keep it from it.
fn unheld(function: &Function, why: &Why) -> Option<Reason> {
    let driver = function.host_driver()?;
    let text = format!("not known: who holds it while {driver} has it ({why})");
    let hint = match why {
        Why::NotPermitted => "root sees it",
        _ => "run where the host's processes are in sight, or let it go by name",
    };
    Some(Reason::at(Code::HoldersUnknown, function.bdf, text, hint))
}

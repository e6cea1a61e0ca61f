//! Who holds a device, and what is done about it.
//!
//! A driver cannot let go while a process has the device open: `unbind` then
//! waits in the kernel, for NVIDIA's driver for ever. So holders are ended
//! first, through systemd where a unit runs them, and only with the user's
//! consent: a display manager takes its users' desktops with it.

use std::collections::BTreeSet;

use crate::function::Function;
pub use crate::function::is_vfio_driver;
use crate::reason::{Code, Reason};
use crate::usage::Holder;
use crate::verdict;

/// A service that is known to hold devices.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    /// The systemd unit, without its suffix.
    pub unit: &'static str,
    /// What stopping it means for others.
    pub felt: &'static str,
}

/// Services that hold devices as their purpose, and what others feel when
/// they stop. Which unit is stopped is not decided here: the processes that
/// hold the device do that (docs/decisions/0011).
pub const RECIPES: &[Recipe] = &[
    Recipe {
        unit: "nvidia-persistenced",
        felt: "it keeps every NVIDIA card of the host initialised",
    },
    Recipe { unit: "nvidia-dcgm", felt: "it monitors every NVIDIA card of the host" },
    Recipe { unit: "dcgm", felt: "it monitors every NVIDIA card of the host" },
    Recipe { unit: "dcgm-exporter", felt: "it exports metrics of every NVIDIA card of the host" },
    Recipe {
        unit: "nvidia-powerd",
        felt: "it shares out power among the processor and every NVIDIA card",
    },
    Recipe {
        unit: "nvidia-fabricmanager",
        felt: "it runs the links between the NVIDIA cards of the host",
    },
    Recipe {
        unit: "multipathd",
        felt: "it keeps the disks of the host reachable that have several paths",
    },
    Recipe { unit: "display-manager", felt: "it ends the desktops of its users" },
    Recipe { unit: "gdm", felt: "it ends the desktops of its users" },
    Recipe { unit: "gdm3", felt: "it ends the desktops of its users" },
    Recipe { unit: "sddm", felt: "it ends the desktops of its users" },
    Recipe { unit: "lightdm", felt: "it ends the desktops of its users" },
    Recipe { unit: "lxdm", felt: "it ends the desktops of its users" },
    Recipe { unit: "xdm", felt: "it ends the desktops of its users" },
    Recipe { unit: "greetd", felt: "it ends the desktops of its users" },
    Recipe { unit: "ly", felt: "it ends the desktops of its users" },
];

/// What is to be done about the holders of a set of functions.
#[derive(Debug, Default)]
pub(super) struct Quiesce {
    /// Units to stop, each once.
    pub units: BTreeSet<String>,
    pub refusals: Vec<Reason>,
}

/// Sort the holders of these functions into units to stop and reasons against.
pub(super) fn quiesce(functions: &[&Function], consent: bool) -> Quiesce {
    let holders = || {
        let of = |function: &&Function| function.holders.known().cloned().unwrap_or_default();
        functions.iter().flat_map(of)
    };
    let desktops: Vec<Holder> =
        holders().filter(|holder| holder.draws() && holder.desktop).collect();
    let mut quiet = Quiesce::default();
    for function in functions {
        for holder in function.holders.known().into_iter().flatten() {
            // What a guest has is a reason of the verdict's.
            if !holder.lets_go() && verdict::guest_has(function, holder).is_none() {
                quiet.sort(function, holder, &desktops, consent);
            }
        }
    }
    quiet
}

impl Quiesce {
    fn sort(&mut self, function: &Function, holder: &Holder, desktops: &[Holder], consent: bool) {
        let desktop = ends_with(desktops, holder).then_some(DISPLAY_MANAGER);
        match holder.service().or(desktop) {
            Some(unit) if consent => {
                self.units.insert(unit.to_owned());
            }
            Some(unit) => self.refusals.push(needs_consent(function, holder, unit)),
            None => {
                let text = function.told(holder);
                let hint = match holder.login {
                    Some(_) => "end it first; what a user runs is not ended for you",
                    None => "end it first; what systemd does not run is not ended for you",
                };
                let reason = Reason::at(Code::HeldByProcess, function.bdf, text, hint);
                self.refusals.push(reason.blocking());
            }
        }
    }
}

/// The name by which systemd knows the display manager, whichever it is
/// (`display-manager.service`, systemd.special(7)).
const DISPLAY_MANAGER: &str = "display-manager.service";

/// Whether a holder ends with one of these desktops. A desktop's X server or
/// compositor runs in the login that the display manager opened for it (a
/// session's scope, or the user's own systemd), and with that login all else of
/// the user's in such a one. Another login, over the network say, outlives it.
fn ends_with(desktops: &[Holder], holder: &Holder) -> bool {
    holder.desktop && desktops.iter().any(|desktop| desktop.login == holder.login)
}

fn needs_consent(function: &Function, holder: &Holder, unit: &str) -> Reason {
    let name = unit.trim_end_matches(".service");
    let recipe = RECIPES.iter().find(|recipe| recipe.unit == name);
    let felt = recipe.map_or(String::new(), |recipe| format!("; {}", recipe.felt));
    let text = format!("{}{felt}", function.told(holder));
    let hint = format!("--stop-services stops {unit} now and starts it again on release");
    Reason::at(Code::ServiceMustStop, function.bdf, text, hint)
}

//! One change to the machine, with its undo.
//!
//! A step holds every value it needs; whoever applies it decides nothing. Its
//! one-line text is the dry run, the log line, the journal row and the golden
//! test line at once. Steps are kept in the journal as JSON: a variant or a
//! field is never renamed, only added.

mod made;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::bdf::Bdf;
use crate::file::{self, Content};

pub use made::{Made, Once, Wanted};

/// One change to the machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Load a kernel module.
    LoadModule { module: String },
    /// Stop a systemd unit that holds a device, together with the units that
    /// would start it again (sockets, paths, timers).
    StopUnit {
        unit: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        triggers: Vec<String>,
    },
    /// Start a systemd unit again, together with these. In one go, for a
    /// socket cannot be started when its service runs already.
    StartUnit {
        unit: String,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        triggers: Vec<String>,
    },
    /// Take a function from its driver.
    Unbind { bdf: Bdf, driver: String },
    /// Say which driver alone may bind a function; `None` clears it.
    SetDriverOverride { bdf: Bdf, from: Option<String>, to: Option<String> },
    /// Let the kernel look for a driver, and see that it is this one.
    Probe { bdf: Bdf, driver: String },
    /// Let the kernel look for a driver and take whichever it finds, or none.
    ProbeAny { bdf: Bdf },
    /// `power/control`: `on` keeps the device awake.
    SetPowerControl { bdf: Bdf, from: String, to: String },
    /// `power/control` to `on`, for a function that VFIO has.
    KeepAwake { bdf: Bdf },
    /// `d3cold_allowed`: whether the platform may cut its power.
    SetD3cold { bdf: Bdf, from: bool, to: bool },
    /// Reset one function by the kernel's `reset` file.
    Reset { bdf: Bdf },
    /// Put a file of the configuration in the place of another; `None` is no file.
    WriteFile { path: String, from: Option<Content>, to: Option<Content> },
    /// Give a variable of GRUB's environment block another value; `None` is no
    /// such variable. The others may change at each boot.
    SetGrubVariable { path: String, name: String, from: Option<String>, to: Option<String> },
    /// Let a program make a file anew: a boot menu, an initramfs. The old one is kept beside it.
    Make(Made),
    /// Put back the file that was kept, or make it anew where that would not be right.
    Restore(Made),
    /// Let a program make a file anew from what it is made from now. None is
    /// kept: the way back is to make it once more, from what was put back.
    Remake(Made),
    /// Have the boot loader start this entry at the next boot, and its usual
    /// one again after that; `None` is the usual one.
    BootOnce { by: Once, from: Option<String>, to: Option<String> },
    /// Simultaneous multithreading of the running kernel (`on`, `off`).
    SetSmt { from: String, to: String },
}

/// The way back from a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    Step(Step),
    /// There is none, and why that is no harm.
    None(&'static str),
}

impl Step {
    /// The way back.
    pub fn undo(&self) -> Undo {
        Undo::Step(match self {
            Self::WriteFile { path, from, to } => {
                Self::WriteFile { path: path.clone(), from: to.clone(), to: from.clone() }
            }
            Self::SetGrubVariable { path, name, from, to } => Self::SetGrubVariable {
                path: path.clone(),
                name: name.clone(),
                from: to.clone(),
                to: from.clone(),
            },
            Self::Make(made) => Self::Restore(made.clone()),
            Self::Restore(_) => {
                return Undo::None("what was made stands until it is made again");
            }
            Self::Remake(made) => Self::Remake(made.back()),
            Self::BootOnce { by, from, to } => {
                Self::BootOnce { by: by.clone(), from: to.clone(), to: from.clone() }
            }
            Self::SetSmt { from, to } => Self::SetSmt { from: to.clone(), to: from.clone() },
            Self::LoadModule { .. } => {
                return Undo::None(
                    "a module that nobody uses does nothing, and others may have begun to use it",
                );
            }
            Self::Reset { .. } => {
                return Undo::None("a reset device has no earlier state to go back to");
            }
            Self::KeepAwake { .. } => {
                // pm_runtime_forbid() in vfio_pci_core_unregister_device().
                return Undo::None("VFIO keeps a device awake itself when it lets go of it");
            }
            Self::ProbeAny { .. } => {
                return Undo::None("the kernel chose the driver and would choose it again");
            }
            Self::StopUnit { unit, triggers } => {
                Self::StartUnit { unit: unit.clone(), triggers: triggers.clone() }
            }
            Self::StartUnit { unit, triggers } => {
                Self::StopUnit { unit: unit.clone(), triggers: triggers.clone() }
            }
            Self::Unbind { bdf, driver } => Self::Probe { bdf: *bdf, driver: driver.clone() },
            Self::Probe { bdf, driver } => Self::Unbind { bdf: *bdf, driver: driver.clone() },
            Self::SetDriverOverride { bdf, from, to } => {
                Self::SetDriverOverride { bdf: *bdf, from: to.clone(), to: from.clone() }
            }
            Self::SetPowerControl { bdf, from, to } => {
                Self::SetPowerControl { bdf: *bdf, from: to.clone(), to: from.clone() }
            }
            Self::SetD3cold { bdf, from, to } => {
                Self::SetD3cold { bdf: *bdf, from: *to, to: *from }
            }
        })
    }

    /// The file that it changes.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::WriteFile { path, .. } | Self::SetGrubVariable { path, .. } => Some(path),
            Self::Make(made) | Self::Restore(made) | Self::Remake(made) => Some(&made.path),
            Self::LoadModule { .. }
            | Self::StopUnit { .. }
            | Self::StartUnit { .. }
            | Self::Unbind { .. }
            | Self::SetDriverOverride { .. }
            | Self::Probe { .. }
            | Self::ProbeAny { .. }
            | Self::SetPowerControl { .. }
            | Self::KeepAwake { .. }
            | Self::SetD3cold { .. }
            | Self::Reset { .. }
            | Self::BootOnce { .. }
            | Self::SetSmt { .. } => None,
        }
    }

    /// Whether an image of the initramfs is another one after it.
    pub fn makes_image(&self) -> bool {
        match self {
            Self::Make(made) | Self::Restore(made) | Self::Remake(made) => {
                matches!(made.wanted, Wanted::Initramfs { .. })
            }
            _ => false,
        }
    }

    /// The function that it changes.
    pub fn bdf(&self) -> Option<Bdf> {
        match self {
            Self::LoadModule { .. }
            | Self::StopUnit { .. }
            | Self::StartUnit { .. }
            | Self::WriteFile { .. }
            | Self::SetGrubVariable { .. }
            | Self::Make(_)
            | Self::Restore(_)
            | Self::Remake(_)
            | Self::BootOnce { .. }
            | Self::SetSmt { .. } => None,
            Self::Unbind { bdf, .. }
            | Self::SetDriverOverride { bdf, .. }
            | Self::Probe { bdf, .. }
            | Self::ProbeAny { bdf }
            | Self::SetPowerControl { bdf, .. }
            | Self::KeepAwake { bdf }
            | Self::SetD3cold { bdf, .. }
            | Self::Reset { bdf } => Some(*bdf),
        }
    }

    /// Whether a reboot takes its effect away by itself. Units are started
    /// anew by systemd, sysfs is made anew by the kernel.
    pub fn void_after_reboot(&self) -> bool {
        match self {
            Self::LoadModule { .. }
            | Self::StopUnit { .. }
            | Self::StartUnit { .. }
            | Self::Unbind { .. }
            | Self::SetDriverOverride { .. }
            | Self::Probe { .. }
            | Self::ProbeAny { .. }
            | Self::SetPowerControl { .. }
            | Self::KeepAwake { .. }
            | Self::SetD3cold { .. }
            | Self::BootOnce { .. }
            | Self::SetSmt { .. }
            | Self::Reset { .. } => true,
            Self::WriteFile { .. }
            | Self::SetGrubVariable { .. }
            | Self::Make(_)
            | Self::Restore(_)
            | Self::Remake(_) => false,
        }
    }

    /// Whether it changes a file and nothing else: that can be done in the
    /// tree of a machine that does not run.
    pub fn is_of_files(&self) -> bool {
        matches!(self, Self::WriteFile { .. } | Self::SetGrubVariable { .. })
    }

    /// What it changes in a file, as a unified diff; empty where it changes none that is known
    /// beforehand.
    pub fn diff(&self) -> String {
        match self {
            Self::WriteFile { path, from, to } => file::diff(path, from.as_ref(), to.as_ref()),
            Self::SetGrubVariable { path, name, from, to } => {
                let line = |value: &Option<String>| {
                    let value = value.as_ref()?;
                    Some(Content::from(&format!("{name}={value}\n")[..]))
                };
                file::diff(path, line(from).as_ref(), line(to).as_ref())
            }
            _ => String::new(),
        }
    }
}

/// Units that go with another.
struct With<'a>(&'a [String]);

impl fmt::Display for With<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => Ok(()),
            units => write!(f, " with {}", units.join(", ")),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoadModule { module } => write!(f, "load module {module}"),
            Self::StopUnit { unit, triggers } => write!(f, "stop {unit}{}", With(triggers)),
            Self::StartUnit { unit, triggers } => write!(f, "start {unit}{}", With(triggers)),
            Self::Unbind { bdf, driver } => write!(f, "unbind {bdf} from {driver}"),
            Self::SetDriverOverride { bdf, to: Some(to), .. } => {
                write!(f, "set driver_override of {bdf} to {to}")
            }
            Self::SetDriverOverride { bdf, to: None, .. } => {
                write!(f, "clear driver_override of {bdf}")
            }
            Self::Probe { bdf, driver } => write!(f, "probe {bdf} for {driver}"),
            Self::SetPowerControl { bdf, to, .. } => {
                write!(f, "set power/control of {bdf} to {to}")
            }
            Self::KeepAwake { bdf } => write!(f, "keep {bdf} awake"),
            Self::SetD3cold { bdf, to, .. } => {
                write!(f, "set d3cold_allowed of {bdf} to {}", u8::from(*to))
            }
            Self::ProbeAny { bdf } => write!(f, "probe {bdf} for its own driver"),
            Self::Reset { bdf } => write!(f, "reset {bdf}"),
            Self::WriteFile { path, from: None, .. } => write!(f, "make {path}"),
            Self::WriteFile { path, to: None, .. } => write!(f, "remove {path}"),
            Self::WriteFile { path, .. } => write!(f, "change {path}"),
            Self::SetGrubVariable { path, name, to: Some(_), .. } => {
                write!(f, "set {name} in {path}")
            }
            Self::SetGrubVariable { path, name, .. } => write!(f, "clear {name} in {path}"),
            Self::Make(made) | Self::Remake(made) => {
                write!(f, "make {} anew by {}", made.path, made.program())
            }
            Self::Restore(made) => write!(f, "put {} back", made.path),
            Self::BootOnce { to: Some(to), .. } => write!(f, "boot the entry {to} once"),
            Self::BootOnce { to: None, .. } => write!(f, "boot the usual entry next"),
            Self::SetSmt { to, .. } => write!(f, "set simultaneous multithreading to {to}"),
        }
    }
}

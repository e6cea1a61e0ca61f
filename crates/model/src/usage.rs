//! What the host does with a function: disks, network, screen, processes.
//!
//! "None found" and "could not be looked for" are two facts: the second is an
//! [`Unseen`], and no verdict takes it for the first.

use std::fmt::{self, Write as _};

use crate::fact::Why;
use crate::parse::link;

/// One use that the host makes of a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// A file system on one of its block devices.
    Mount { block: String, at: String },
    /// The same in the mount namespace of a process: a container's, or that of
    /// a service with mounts of its own.
    MountElsewhere { block: String, at: String, pid: u32 },
    /// Swap on one of its block devices.
    Swap { block: String },
    /// One of its block devices is part of a volume (`dm-0`, `md127`), which
    /// may itself be mounted: that is listed as its own [`Use::Mount`].
    Member { block: String, of: String },
    /// A network interface. `default_route` is the way to everywhere else.
    Interface {
        name: String,
        addresses: Vec<String>,
        up: bool,
        default_route: bool,
        /// Interfaces on top of it: bridges, bonds, VLANs, guests' taps.
        carries: Vec<String>,
    },
    /// A framebuffer of the firmware lies in one of its memory ranges.
    BootFramebuffer { region: String },
    /// The host's text console is drawn on it: by its own driver's
    /// framebuffer (`fb0 (i915drmfb)`), or in VGA text mode.
    Console { screen: String },
    /// A display is lit through it: a connector of its DRM card is enabled.
    Display { connector: String },
}

/// A kind of use. Each is looked for in tables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UseKind {
    /// File systems, swap and volumes on its block devices.
    Disk,
    /// Addresses and routes of its network interfaces.
    Network,
    /// The console, framebuffers and displays.
    Screen,
}

/// A kind of use that could not be looked for: there may be some.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unseen {
    pub kind: UseKind,
    /// What could not be read, the first if there are several.
    pub path: String,
    pub why: Why,
}

/// Who may set modes of a DRM card: only one process at a time, those that
/// it leases a connector to apart (drm_auth.c). Usually a desktop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Master {
    pub pid: u32,
    /// As the kernel keeps it: 15 characters at most.
    pub program: String,
}

/// A process that holds one of the device's nodes open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    pub pid: u32,
    /// Start time in clock ticks after boot (`/proc/PID/stat`, field 22):
    /// with it a pid is not mistaken for a later process of the same number.
    pub start_time: u64,
    /// The program, from `/proc/PID/exe`; a kernel thread has none, then it
    /// is `comm`, which holds 15 characters only.
    pub program: String,
    /// The device node, as in `/dev/nvidia0`.
    pub node: String,
    /// The systemd unit that it runs in.
    pub unit: Option<String>,
    /// The user in whose login it runs, if any.
    pub login: Option<u32>,
    /// That login shows a desktop on a seat: a display manager opened it.
    pub desktop: bool,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount { block, at } => write!(f, "{block} is mounted at {}", Plain(at)),
            Self::MountElsewhere { block, at, pid } => {
                write!(f, "{block} is mounted at {} of process {pid}", Plain(at))
            }
            Self::Swap { block } => write!(f, "{block} is swap"),
            Self::Member { block, of } => write!(f, "{block} is part of {of}"),
            Self::Interface { name, addresses, up, default_route, carries } => {
                write!(f, "network interface {}", Plain(name))?;
                if !up {
                    write!(f, ", down")?;
                }
                if !addresses.is_empty() {
                    write!(f, ", {}", addresses.join(" "))?;
                }
                if *default_route {
                    write!(f, ", default route")?;
                }
                if !carries.is_empty() {
                    write!(f, ", carries {}", Plain(&carries.join(" ")))?;
                }
                Ok(())
            }
            Self::BootFramebuffer { region } => write!(f, "boot framebuffer ({region})"),
            Self::Console { screen } => write!(f, "text console on {screen}"),
            Self::Display { connector } => write!(f, "display on {connector}"),
        }
    }
}

impl Use {
    /// Whether somebody would miss it: an interface that is down and carries
    /// nothing is only there.
    pub fn is_felt(&self) -> bool {
        match self {
            Self::Interface { addresses, up, carries, .. } => {
                *up || !addresses.is_empty() || !carries.is_empty()
            }
            _ => true,
        }
    }
}

impl UseKind {
    /// One word, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Network => "network",
            Self::Screen => "screen",
        }
    }
}

impl fmt::Display for UseKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disk => "file systems and swap on its block devices",
            Self::Network => "addresses and routes of its interfaces",
            Self::Screen => "whether the console is drawn on it",
        })
    }
}

impl fmt::Display for Unseen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}: {})", self.kind, self.path, self.why)
    }
}

impl fmt::Display for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", Plain(&self.program), self.pid)
    }
}

impl Holder {
    /// Its unit, if that can be stopped and started again as it was. A scope
    /// (a user's session) cannot, and a user's manager is the whole login.
    pub fn service(&self) -> Option<&str> {
        let service = |unit: &&str| unit.ends_with(".service") && !unit.starts_with("user@");
        self.unit.as_deref().filter(service)
    }

    /// Whether it draws on the screens of a card: an X server, a compositor.
    pub fn draws(&self) -> bool {
        link::name(&self.node).starts_with("card") && self.node.contains("/dri/")
    }

    /// Whether it lets go by itself, and soon.
    pub fn lets_go(&self) -> bool {
        self.unit.as_deref().is_some_and(|unit| PASSING.contains(&unit))
    }
}

/// Services that hold a device for somebody else, or for a moment. logind opens
/// a screen's node for the session that shows itself there, and lets go with it
/// (`TakeDevice`, org.freedesktop.login1(5)); stopping it would end every
/// session of the host. udevd looks at a disk whenever it comes (udev(7)).
const PASSING: &[&str] = &["systemd-logind.service", "systemd-udevd.service"];

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}) has {} open", Plain(&self.program), self.pid, self.node)?;
        match &self.unit {
            Some(unit) => write!(f, ", unit {unit}"),
            None => Ok(()),
        }
    }
}

/// A name that others than root may have chosen (a program's, a disk label's
/// in a mount point): on a terminal it must not end the line, or be a command.
struct Plain<'a>(&'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| match char.is_control() {
            true => write!(f, "{}", char.escape_default()),
            false => f.write_char(char),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_nothing_to_the_terminal() {
        let (block, at) = ("sda1".to_owned(), "/media/\u{1b}[2Jmy disk\n- ü".to_owned());
        let mount = Use::Mount { block, at };
        assert_eq!(mount.to_string(), r"sda1 is mounted at /media/\u{1b}[2Jmy disk\n- ü");
    }
}

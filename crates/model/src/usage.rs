//! What the host does with a function: disks, network, screen, processes.

use std::fmt::{self, Write as _};

/// One use that the host makes of a function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Use {
    /// A file system on one of its block devices.
    Mount { block: String, at: String },
    /// Swap on one of its block devices.
    Swap { block: String },
    /// One of its block devices is part of a volume (`dm-0`, `md127`), which
    /// may itself be mounted: that is listed as its own [`Use::Mount`].
    Member { block: String, of: String },
    /// A network interface. `default_route` is the way to everywhere else.
    Interface { name: String, addresses: Vec<String>, up: bool, default_route: bool },
    /// A framebuffer of the firmware lies in one of its memory ranges.
    BootFramebuffer { region: String },
    /// A display is lit through it: a connector of its DRM card is enabled.
    Display { connector: String },
}

/// A process that holds one of the device's nodes open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    pub pid: u32,
    /// Start time in clock ticks after boot (`/proc/PID/stat`, field 22):
    /// with it a pid is not mistaken for a later process of the same number.
    pub start_time: u64,
    /// The program, from `/proc/PID/exe` or the first argument; `comm` holds
    /// 15 characters only and is the last resort.
    pub program: String,
    /// The device node, as in `/dev/nvidia0`.
    pub node: String,
    /// The systemd unit that it runs in.
    pub unit: Option<String>,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mount { block, at } => write!(f, "{block} is mounted at {}", Plain(at)),
            Self::Swap { block } => write!(f, "{block} is swap"),
            Self::Member { block, of } => write!(f, "{block} is part of {of}"),
            Self::Interface { name, addresses, up, default_route } => {
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
                Ok(())
            }
            Self::BootFramebuffer { region } => write!(f, "boot framebuffer ({region})"),
            Self::Display { connector } => write!(f, "display on {connector}"),
        }
    }
}

impl Holder {
    /// Its unit, if that can be stopped and started again as it was. A scope
    /// (a user's session) cannot, and a user's manager is the whole login.
    pub fn service(&self) -> Option<&str> {
        let service = |unit: &&str| unit.ends_with(".service") && !unit.starts_with("user@");
        self.unit.as_deref().filter(service)
    }
}

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

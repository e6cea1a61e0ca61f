//! What steps are about that programs do: files that they make, entries that
//! they have the boot loader start.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::boot::cmdline::Change;
use crate::file::Content;

/// Who remembers which entry is started once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Once {
    /// GRUB's environment block (`next_entry`), which this program writes.
    Grub { program: String, environment: String },
    /// The firmware (`LoaderEntryOneShot`), by bootctl(1).
    SystemdBoot,
}

impl Once {
    /// What an entry is called, by its id.
    pub fn name_of(&self, id: &str) -> String {
        match self {
            Self::Grub { .. } => id.to_owned(),
            Self::SystemdBoot => format!("{id}.conf"),
        }
    }
}

/// A file that a program makes from others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// As in `/boot/grub/grub.cfg`, `/boot/initrd.img-6.12.43+deb13-amd64`.
    pub path: String,
    /// The program and its arguments; [`Made::OUT`] stands for the file to make.
    pub command: Vec<String>,
    pub wanted: Wanted,
    /// How many preparations before this one made the same file and are in
    /// effect: each keeps the file that it found. The journal knows.
    #[serde(default, skip_serializing_if = "is_first")]
    pub layer: u32,
}

fn is_first(layer: &u32) -> bool {
    *layer == 0
}

/// What must be in a file that was made, or it is not put in place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// A boot loader's menu, in which kernels are started with these arguments.
    Menu { arguments: Vec<Change> },
    /// An initramfs, with these modules and without those, and these copies of files.
    Initramfs { with: Vec<String>, without: Vec<String>, files: BTreeMap<String, Content> },
}

impl Made {
    /// Stands for the file to make in a command.
    pub const OUT: &str = "{out}";

    /// A file that no preparation in effect has made before.
    pub fn new(path: impl Into<String>, command: Vec<String>, wanted: Wanted) -> Self {
        Self { path: path.into(), command, wanted, layer: 0 }
    }

    /// What the file is called that is kept beside another: no program takes
    /// it for one of its own, for it begins with a dot, and does not end as
    /// the file does.
    pub fn beside(name: &str, what: &str) -> String {
        format!(".{name}.passthru-{what}")
    }

    /// The path of the one that was there before the first preparation.
    pub fn kept(&self) -> String {
        let (folder, name) = self.path.rsplit_once('/').unwrap_or_default();
        format!("{folder}/{}", Self::beside(name, "old"))
    }

    /// The same file from what was there before, of which nothing is asked
    /// but that it is whole.
    pub fn back(&self) -> Self {
        let wanted = match &self.wanted {
            Wanted::Menu { .. } => Wanted::Menu { arguments: Vec::new() },
            Wanted::Initramfs { .. } => {
                Wanted::Initramfs { with: Vec::new(), without: Vec::new(), files: BTreeMap::new() }
            }
        };
        Self { wanted, ..self.clone() }
    }

    /// The name of the program that makes it.
    pub fn program(&self) -> &str {
        self.command.first().map_or("nothing", String::as_str)
    }
}

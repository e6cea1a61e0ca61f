//! Why nothing can be planned, and what to do about it.

use thiserror::Error;

use super::{NoFolder, NoGroup, NoHugepages, NoService};
use crate::boot::source::EditError;

/// Why nothing can be planned.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unplanned {
    #[error(transparent)]
    Edit(#[from] EditError),
    #[error(transparent)]
    Hugepages(#[from] NoHugepages),
    #[error(transparent)]
    Group(#[from] NoGroup),
    #[error(transparent)]
    Service(#[from] NoService),
    #[error(transparent)]
    Folder(#[from] NoFolder),
}

impl Unplanned {
    /// The stable name of it, for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Edit(_) => "not_understood",
            Self::Hugepages(_) => "no_hugepages",
            Self::Group(_) => "no_user_group",
            Self::Service(_) => "no_service",
            Self::Folder(_) => "no_folder",
        }
    }

    /// What to do about it; empty when the error says it all.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Edit(_) => "nothing was changed; mend that file, then try again",
            Self::Hugepages(NoHugepages::NotWhole { .. }) => "--hugepage-size names a smaller size",
            Self::Hugepages(NoHugepages::TooMuch { .. }) => {
                "ask for less: what is reserved is lost to the host"
            }
            Self::Hugepages(NoHugepages::Unknown(_) | NoHugepages::Size { .. })
            | Self::Group(NoGroup::Unknown(_))
            | Self::Service(NoService::Unknown(_)) => "",
            Self::Group(_) => {
                "`groupadd --system NAME` makes one, `usermod -aG NAME USER` adds a user"
            }
            Self::Service(_) => "`systemctl list-unit-files` lists them",
            Self::Folder(_) => "name a folder like /var/lib/libvirt/roms",
        }
    }
}

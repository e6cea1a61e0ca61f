//! An error's stable name, and what to do about it.
//!
//! In: an error. Out: a word for scripts, and a line for people in the words
//! of the command line. A code is never renamed.

use std::io;

use super::{Error, Failure};
use hypervisors::ControlError;

use crate::store::InstanceState;

impl Error {
    /// The stable name of it, for scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Failed(failure) if !failure.doubts.is_empty() => "in_doubt",
            Self::Failed(failure) if !failure.undo_errors.is_empty() => "not_undone",
            Self::Failed(failure) if failure.interrupted => "interrupted",
            Self::Failed(failure) => {
                failure.journal.as_ref().map_or("step_failed", |error| error.code())
            }
            Self::UnknownDevice(_) => "unknown_device",
            Self::AmbiguousDevice { .. } => "ambiguous_device",
            Self::BadName(_) => "bad_name",
            Self::NameTaken(_) => "name_taken",
            Self::AlreadyRegistered { .. } => "already_registered",
            Self::NotRegistered(_) => "not_registered",
            Self::NoIdentity(_) => "no_identity",
            Self::Busy { .. } => "busy",
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "not_permitted"
            }
            Self::File { .. } => "file",
            Self::State { .. } => "state",
            Self::StateDamaged { .. } => "state_damaged",
            Self::StateOfOthers { .. } => "state_of_others",
            Self::StateFull { .. } => "state_full",
            Self::StateNewer { .. } => "state_newer",
            Self::StateOlder { .. } => "state_older",
            Self::StateMissing { .. } => "state_missing",
            Self::StateForeign { .. } => "state_foreign",
            Self::StateOpen { .. } => "state_open",
            Self::NoBootId(_) => "no_boot_id",
            Self::Process { .. } => "process",
            Self::Run(_) => "command_not_run",
            Self::Command { .. } => "command_failed",
            Self::NotQemu { .. } => "not_qemu",
            Self::Unplanned(error) => error.code(),
            Self::Image { .. } => "image",
            Self::SocketPath { .. } => "socket_path",
            Self::InstanceExists(_) => "instance_exists",
            Self::Interrupted { .. } => "interrupted",
            Self::NotStarted { .. } => "not_started",
            Self::NoSupervisor { .. } => "no_supervisor",
            Self::Control { .. } => "guest_control",
            Self::Undying { .. } => "undying",
            Self::InstanceSpec { .. } => "instance_spec",
            Self::Signals(_) => "signals",
            Self::Terminal(_) => "terminal",
            Self::NoInstance(_) => "no_instance",
            Self::InstanceState { .. } => "instance_state",
        }
    }

    /// What to do about it; empty when the error says it all.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::UnknownDevice(_) => {
                "`passthru list` shows the devices, `passthru device list` the names"
            }
            Self::AmbiguousDevice { .. } => "say which one by its address",
            Self::NameTaken(_) | Self::NotRegistered(_) => "`passthru device list` shows the names",
            Self::NoIdentity(_) => "`passthru show` says why",
            Self::Unplanned(error) => error.hint(),
            Self::InstanceState { state: InstanceState::Running, .. } => {
                "`passthru instance stop` ends it"
            }
            Self::NoInstance(_) | Self::InstanceState { .. } => {
                "`passthru instance list` shows the instances"
            }
            Self::InstanceExists(_) => "`passthru instance delete` frees the name",
            Self::Interrupted { hint, .. } => hint,
            Self::NotStarted { .. } => "everything that had been changed was taken back",
            Self::Control { source: ControlError::NotLetGo { .. }, .. } => {
                "try again when its operating system is up; --wait gives it longer"
            }
            Self::Undying { .. } => "its devices stay its own until the kernel lets it end",
            Self::SocketPath { .. } => "choose a shorter --state directory",
            Self::Busy { .. } => "try again when it has ended; looking needs no turn",
            Self::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                "root may do this"
            }
            Self::StateDamaged { .. } => {
                "nothing was changed; to begin anew, end its guests and move the state directory \
                 away: `passthru release` then leaves each device to the driver that the kernel picks"
            }
            Self::StateOfOthers { .. } => "leave it, and name another directory (--state)",
            Self::StateFull { .. } => "free some space and try again",
            Self::StateNewer { .. } => "use the passthru that wrote it, or a later one",
            Self::StateOlder { .. } => "`passthru recover` brings it up to date",
            Self::StateMissing { .. } => {
                "put it back, or move the whole directory away to begin anew"
            }
            Self::StateForeign { .. } => {
                "its owner may do this, or use a state directory of your own (--state)"
            }
            Self::NoBootId(_) => "a recording has it in its `host.sidecar`",
            Self::StateOpen { .. } => {
                "they could have put anything there: see that they did not, then `chmod go-w` it"
            }
            Self::Failed(failure) => failure.hint(),
            _ => "",
        }
    }
}

impl Failure {
    /// What to do about it; empty when all was taken back.
    fn hint(&self) -> &'static str {
        if !self.doubts.is_empty() {
            "the device is not used until the kernel lets go; then `passthru recover` settles it"
        } else if !self.undo_errors.is_empty() {
            "`passthru recover` tries the way back again"
        } else {
            ""
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_has_to_be_stopped_first() {
        for (state, want) in [(InstanceState::Running, "stop"), (InstanceState::Stopped, "list")] {
            let name = "vm1".parse().unwrap();
            let hint = Error::InstanceState { name, state }.hint();
            assert!(hint.starts_with(&format!("`passthru instance {want}`")), "{hint}");
        }
    }
}

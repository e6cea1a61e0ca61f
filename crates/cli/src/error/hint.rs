//! What to do about an error, in the words of the command line.

use std::io;

use engine::error::Failure;
use engine::{InstanceState, Name};

use super::Error;
use crate::context::Context;

impl Error {
    /// What to do about it; empty when nothing comes to mind.
    pub(super) fn hint(&self) -> String {
        let text = match self {
            Self::Misnamed { near, .. } => return format!("did you mean {near}?"),
            Self::Engine(error) => of_engine(error),
            Self::Arguments(_) => "--help tells what there is",
            Self::NoDevice(_) => "`passthru list --all` shows what is there",
            Self::NotThisMachine => "--dry-run shows what would be done",
            Self::StillInDoubt => "`passthru recover` again, once the kernel has let go",
            Self::Replay(_) | Self::Record(_) | Self::Output(_) | Self::Io { .. } => "",
        };
        text.to_owned()
    }

    /// The same error, with the name that was probably meant.
    pub fn with_near_name(self, cx: &Context) -> Self {
        let Self::Engine(error) = self else { return self };
        let typed = match &error {
            engine::Error::UnknownDevice(text) => text.clone(),
            engine::Error::NotRegistered(name) | engine::Error::NoInstance(name) => {
                name.to_string()
            }
            _ => return Self::Engine(error),
        };
        let engine = cx.engine();
        let names: Vec<Name> = match &error {
            engine::Error::NoInstance(_) => {
                engine.instances().into_iter().flatten().map(|instance| instance.name).collect()
            }
            _ => engine.registered().into_iter().flatten().map(|device| device.name).collect(),
        };
        match nearest(&typed, names.iter().map(Name::as_str)) {
            Some(near) => Self::Misnamed { near: near.to_owned(), error },
            None => Self::Engine(error),
        }
    }
}

fn of_engine(error: &engine::Error) -> &'static str {
    use engine::Error as E;
    match error {
        E::UnknownDevice(_) => {
            "`passthru list` shows the devices, `passthru device list` the names"
        }
        E::AmbiguousDevice { .. } => "say which one by its address",
        E::NameTaken(_) | E::NotRegistered(_) => "`passthru device list` shows the names",
        E::NoIdentity(_) => "`passthru show` says why",
        E::InstanceState { state: InstanceState::Running, .. } => {
            "`passthru instance stop` ends it"
        }
        E::NoInstance(_) | E::InstanceState { .. } => {
            "`passthru instance list` shows the instances"
        }
        E::InstanceExists(_) => "`passthru instance delete` frees the name",
        E::NotStarted { .. } => "everything that had been changed was taken back",
        E::Undying { .. } => "its devices stay its own until the kernel lets it end",
        E::SocketPath { .. } => "choose a shorter --state directory",
        E::Busy { .. } => "try again when it has ended; looking needs no turn",
        E::File { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
            "root may do this"
        }
        E::StateDamaged { .. } => {
            "nothing was changed in it; without it passthru does not know what it moved"
        }
        E::StateFull { .. } => "free some space and try again",
        E::StateNewer { .. } => "use the passthru that wrote it, or a later one",
        E::StateOlder { .. } => "`passthru recover` brings it up to date",
        E::StateMissing { .. } => "put it back, or move the whole directory away to begin anew",
        E::Failed(failure) => of_failure(failure),
        _ => "",
    }
}

fn of_failure(failure: &Failure) -> &'static str {
    if !failure.doubts.is_empty() {
        "the device is not used until the kernel lets go; then `passthru recover` settles it"
    } else if !failure.undo_errors.is_empty() {
        "`passthru recover` tries the way back again"
    } else {
        ""
    }
}

/// The name that is most like what was typed, if any is enough so.
fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Clap's own threshold for suggesting an option.
    const LIKE: f64 = 0.7;
    let rated = known.map(|name| (strsim::jaro(typed, name), name));
    let best = rated.filter(|(like, _)| *like > LIKE).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_has_to_be_stopped_first() {
        for (state, want) in [(InstanceState::Running, "stop"), (InstanceState::Stopped, "list")] {
            let name = "vm1".parse().unwrap();
            let hint = of_engine(&engine::Error::InstanceState { name, state });
            assert!(hint.starts_with(&format!("`passthru instance {want}`")), "{hint}");
        }
    }

    #[test]
    fn a_name_is_suggested_when_it_is_much_like_what_was_typed() {
        let known = ["gpu0", "gpu1", "disk"];
        for (typed, want) in
            [("gpo0", Some("gpu0")), ("dissk", Some("disk")), ("network", None), ("", None)]
        {
            assert_eq!(nearest(typed, known.into_iter()), want, "{typed}");
        }
    }
}

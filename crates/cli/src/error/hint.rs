//! What to do about an error, in the words of the command line.

use std::io::ErrorKind;

use engine::Name;
use host::record::RecordingError;

use super::Error;
use crate::context::Context;

impl Error {
    /// What to do about it; empty when nothing comes to mind.
    pub(super) fn hint(&self) -> String {
        let text = match self {
            Self::Misnamed { near, .. } => return format!("did you mean {near}?"),
            Self::Engine(error) => error.hint(),
            Self::Arguments(_) => "--help tells what there is",
            Self::NamesUnknown(_) | Self::NoDevice(_) => {
                "`passthru list --all` shows what is there"
            }
            Self::NotThisMachine => "--dry-run shows what would be done",
            Self::StepElsewhere(_) => {
                "--dry-run shows what would be done; run passthru there, its programs are not run from here"
            }
            Self::NotAgreed => "--yes does it without asking",
            Self::ChangedSince(_) => {
                "--changed keep leaves the changes and takes out what was prepared, --changed put-back loses the changes"
            }
            Self::NotReady(_) => {
                "each check that failed says what to do; one that is not known, what would be needed to know"
            }
            Self::StillInDoubt => "`passthru recover` again, once the kernel has let go",
            Self::Record(RecordingError::Write { source, .. }) => match source.kind() {
                ErrorKind::AlreadyExists => {
                    "nothing is written over: name a new file, or a folder without a recording"
                }
                ErrorKind::IsADirectory => "make the folder first, or name a file",
                _ => "",
            },
            Self::RecordingAsRoot(dir) => return format!("--machine {}", dir.display()),
            Self::Unreported(_) => "`passthru list` shows how things are now",
            Self::Replay(_)
            | Self::Record(_)
            | Self::Output(_)
            | Self::NotShown(_)
            | Self::Io { .. } => "",
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
    fn a_name_is_suggested_when_it_is_much_like_what_was_typed() {
        let known = ["gpu0", "gpu1", "disk"];
        for (typed, want) in
            [("gpo0", Some("gpu0")), ("dissk", Some("disk")), ("network", None), ("", None)]
        {
            assert_eq!(nearest(typed, known.into_iter()), want, "{typed}");
        }
    }
}

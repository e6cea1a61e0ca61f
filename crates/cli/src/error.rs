//! What goes wrong, and how it is told: one printer, one table of exit codes.
//!
//! In: an [`Error`]. Out: `error:` with the chain of causes and `hint:` on
//! standard error, or one JSON object `{"code","message","hint","details"}`
//! there, and the exit code. A refusal lists every reason.

mod hint;
mod json;
mod told;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anstyle::{AnsiColor, Style};
use thiserror::Error;

use host::record::RecordingError;
use host::replay::ReplayError;
use model::Bdf;

use crate::output::{self, Look};

use self::told::Told;
pub use self::told::chain;

/// Why the program did not do what was asked.
#[derive(Debug, Error)]
pub enum Error {
    /// Clap's own error, which is also how it prints help.
    #[error("{}", first_paragraph(.0))]
    Arguments(clap::Error),
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// A name that nobody has, and one that is much like it.
    #[error("{error}")]
    Misnamed { error: engine::Error, near: String },
    /// A changing verb with `--root` or `--machine`.
    #[error("this is not the machine that passthru runs on: nothing can be changed there")]
    NotThisMachine,
    /// A step of `prepare` with `--root` that takes more than files.
    #[error(
        "this is not the machine that passthru runs on: nothing was done, for only that machine can {0}"
    )]
    StepElsewhere(String),
    #[error("`{0}` is no address and no vendor:device here; registered names are not known")]
    NamesUnknown(String),
    #[error("there is no device at {0}")]
    NoDevice(Bdf),
    /// Nothing was changed.
    #[error("nothing was done: it was not agreed to")]
    NotAgreed,
    #[error("somebody changed {} since: nothing was done", .0.join(", "))]
    ChangedSince(Vec<String>),
    /// Checks that failed, by their names.
    #[error("this host is not ready: {}", .0.join(", "))]
    NotReady(Vec<&'static str>),
    #[error("{} is a recording, and no machine's tree", .0.display())]
    RecordingAsRoot(PathBuf),
    #[error("cannot replay the recording")]
    Replay(#[source] ReplayError),
    #[error("cannot record this machine")]
    Record(#[source] RecordingError),
    /// A write of an earlier verb has not come back.
    #[error("a change is still in the kernel; its device is in doubt")]
    StillInDoubt,
    #[error("cannot write to standard output")]
    Output(#[source] io::Error),
    /// Nothing is done that was not shown.
    #[error("nothing was changed, for what would be could not be shown")]
    NotShown(#[source] io::Error),
    /// What was asked for is done.
    #[error("it is done, but cannot be reported on standard output")]
    Unreported(#[source] io::Error),
    #[error("cannot {doing}")]
    Io { doing: String, source: io::Error },
}

/// Done, failed, usage, refused, in doubt: the only place that decides.
fn exit_code(error: &Error) -> u8 {
    use engine::Error as E;
    match error {
        Error::Arguments(clap) => u8::try_from(clap.exit_code()).unwrap_or(2),
        // The reader has seen enough.
        Error::Output(source) | Error::Unreported(source)
            if source.kind() == io::ErrorKind::BrokenPipe =>
        {
            0
        }
        Error::NotThisMachine
        | Error::StepElsewhere(_)
        | Error::NamesUnknown(_)
        | Error::NoDevice(_)
        | Error::NotReady(_)
        | Error::NotAgreed
        | Error::ChangedSince(_) => 3,
        Error::StillInDoubt => 4,
        Error::Engine(error) | Error::Misnamed { error, .. } => match error {
            E::AmbiguousDevice { .. } | E::BadName(_) => 2,
            E::Refused(_)
            | E::Unplanned(_)
            | E::UnknownDevice(_)
            | E::NameTaken(_)
            | E::AlreadyRegistered { .. }
            | E::NotRegistered(_)
            | E::NoInstance(_)
            | E::InstanceExists(_)
            | E::InstanceState { .. }
            | E::Busy { .. } => 3,
            E::Failed(failure) if !failure.doubts.is_empty() => 4,
            E::Undying { .. } => 4,
            _ => 1,
        },
        Error::RecordingAsRoot(_) => 2,
        Error::Replay(_)
        | Error::Record(_)
        | Error::Output(_)
        | Error::NotShown(_)
        | Error::Unreported(_)
        | Error::Io { .. } => 1,
    }
}

impl Error {
    /// The stable name of it.
    fn code(&self) -> &'static str {
        match self {
            Self::Arguments(_) => "usage",
            Self::Engine(error) | Self::Misnamed { error, .. } => error.code(),
            Self::NotThisMachine | Self::StepElsewhere(_) => "not_this_machine",
            Self::NamesUnknown(_) => "unknown_device",
            Self::NoDevice(_) => model::Code::NotFound.as_str(),
            Self::NotReady(_) => "not_ready",
            Self::NotAgreed => "not_agreed",
            Self::ChangedSince(_) => "changed_since",
            Self::RecordingAsRoot(_) => "usage",
            Self::Replay(_) => "bad_recording",
            Self::Record(_) => "not_recorded",
            Self::StillInDoubt => "in_doubt",
            Self::NotShown(_) => "not_shown",
            Self::Output(_) | Self::Unreported(_) => "output",
            Self::Io { .. } => "io",
        }
    }
}

/// Tells the user, and says how the program ends.
pub fn report(error: &Error, json: bool) -> ExitCode {
    let code = exit_code(error);
    if let Error::Arguments(help) = error
        && code == 0
    {
        return asked_for(help).map_or_else(|error| report(&error, json), |()| ExitCode::SUCCESS);
    }
    // Nobody is left to tell when standard error is closed, too.
    let _ = match error {
        _ if code == 0 => Ok(()),
        Error::Arguments(usage) if !json => usage.print(),
        _ if json => json::write(error, &mut io::stderr().lock()),
        _ => human(error, &mut anstream::stderr().lock()),
    };
    ExitCode::from(code)
}

/// Help and version, which clap hands over as errors, are output.
fn asked_for(help: &clap::Error) -> Result<(), Error> {
    let text = help.render();
    output::print(|out| match Look::of_stdout().colour {
        true => write!(out, "{}", text.ansi()),
        false => write!(out, "{text}"),
    })
}

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

fn human(error: &Error, err: &mut impl Write) -> io::Result<()> {
    let told = Told::of(error);
    writeln!(err, "{ERROR}error:{ERROR:#} {}", told.line)?;
    for item in &told.items {
        writeln!(err, "- {}", item.text)?;
        if !item.hint.is_empty() {
            writeln!(err, "  {HINT}hint:{HINT:#} {}", item.hint)?;
        }
    }
    match told.hint.as_str() {
        "" => Ok(()),
        hint => writeln!(err, "{HINT}hint:{HINT:#} {hint}"),
    }
}

/// The first paragraph of clap's message, on one line, without its `error: `.
fn first_paragraph(error: &clap::Error) -> String {
    let text = error.to_string();
    let lines = text.lines().take_while(|line| !line.is_empty()).map(str::trim);
    let text = lines.collect::<Vec<_>>().join(" ");
    text.strip_prefix("error: ").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests;

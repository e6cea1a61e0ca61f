//! The way out: standard output, as text or JSON.
//!
//! In: lines and values. Out: bytes on standard output, coloured on a
//! terminal only. A reader that went away (`passthru list | head`) ends the
//! program in silence. Never: what to say.

pub mod guarded;
pub mod json;
pub mod page;
pub mod table;

use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use rustix::io::Errno;

use crate::error::Error;

/// Words to stress.
pub const HEADING: Style = Style::new().bold();
pub const YES: Style = AnsiColor::Green.on_default();
pub const PARTLY: Style = AnsiColor::Yellow.on_default();
pub const NO: Style = AnsiColor::Red.on_default();
pub const FAINT: Style = Style::new().dimmed();

/// How text on standard output may look.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// NO_COLOR, CLICOLOR_FORCE, TERM=dumb and whether it is a terminal decide.
    pub colour: bool,
    /// Columns, on a terminal.
    pub width: Option<usize>,
}

impl Look {
    /// What standard output can take.
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        let colour = anstream::AutoStream::choice(&stdout) != anstream::ColorChoice::Never;
        let width = stdout.is_terminal().then(|| rustix::termios::tcgetwinsize(&stdout).ok());
        let width = width.flatten().map(|size| usize::from(size.ws_col)).filter(|width| *width > 0);
        Self { colour, width }
    }

    /// The text in a style, where there is colour.
    pub fn paint(self, style: Style, text: impl Display) -> String {
        match self.colour {
            true => format!("{style}{text}{style:#}"),
            false => text.to_string(),
        }
    }
}

/// Whether standard output was closed when the program started.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Says that standard output was closed when the program started: what
/// stands in its place by now would take everything and keep nothing.
pub fn stdout_was_closed() {
    CLOSED.store(true, Ordering::Relaxed);
}

/// Prints by `write`, which is given a buffered standard output.
pub fn print(
    write: impl FnOnce(&mut BufWriter<io::StdoutLock<'static>>) -> io::Result<()>,
) -> Result<(), Error> {
    if CLOSED.load(Ordering::Relaxed) {
        return Err(Error::Output(Errno::BADF.into()));
    }
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).map_err(Error::Output)
}

/// Says something beside the output, on standard error. That it cannot be
/// delivered is no failure of the verb.
pub fn note(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "note: {text}");
}

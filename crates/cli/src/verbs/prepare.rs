//! `passthru prepare`: the host made ready, shown first, and taken back.

use std::io::{self, BufRead, IsTerminal, Write};

use clap::{Args, ValueEnum};
use engine::prepare::{OnChanged, WayBack};
use model::Step;
use model::file;
use model::plan::prepare::Preparation;
use serde::Serialize;

use crate::args::Change;
use crate::context::Context;
use crate::device;
use crate::error::Error;
use crate::output::{HEADING, Look, NO, YES, json, print};

/// Make this host ready for guests with devices: boot arguments, modules, initramfs
///
/// What `passthru check` finds amiss, and can be mended by files of the
/// configuration, is shown as a diff of every file, and done when you say so.
/// Each file is kept as it was. What only a person can do is listed. --undo
/// puts everything back; a preparation that was cut off is taken back by
/// whatever verb comes next.
#[derive(Debug, Args)]
pub struct Prepare {
    /// Addresses, registered names, or vendor:device, of what is meant for guests
    #[arg(value_name = "DEVICE", value_parser = device::parse, conflicts_with = "undo")]
    devices: Vec<String>,

    /// Put back what all preparations changed
    #[arg(long)]
    undo: bool,

    /// What becomes of files that somebody changed since, with --undo
    #[arg(long, value_name = "WHAT", requires = "undo")]
    changed: Option<ChangedFiles>,

    /// Do it without asking
    #[arg(short, long)]
    yes: bool,

    #[command(flatten)]
    change: Change,
}

/// What becomes of files that somebody changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ChangedFiles {
    /// They stay as they are
    Keep,
    /// They get back what they had before the preparation; the changes are lost
    PutBack,
}

impl Prepare {
    pub fn exec(self, cx: &Context) -> Result<(), Error> {
        match self.undo {
            true => self.take_back(cx),
            false => self.prepare(cx),
        }
    }

    fn prepare(&self, cx: &Context) -> Result<(), Error> {
        let planned = cx.engine().plan_prepare(&self.devices)?;
        let preparation = planned.preparation;
        if preparation.steps.is_empty() || self.change.dry_run {
            return show(cx, &preparation, self.change.dry_run);
        }
        if !cx.json || !self.yes {
            show(cx, &preparation, true)?;
        }
        self.agreed()?;
        let recovered = cx.changing_engine()?.prepare(&preparation)?;
        if cx.json {
            return show(cx, &preparation, false);
        }
        super::recover::tell(&recovered);
        print(|out| {
            let next = match preparation.reboot {
                true => "; reboot, then `passthru check` again",
                false => "",
            };
            writeln!(out, "prepared{next}")
        })
    }

    fn take_back(&self, cx: &Context) -> Result<(), Error> {
        let way = cx.engine().plan_undo()?;
        if way.steps.is_empty() || self.change.dry_run {
            return show_way_back(cx, &way, self.change.dry_run);
        }
        if !cx.json || !self.yes {
            show_way_back(cx, &way, true)?;
        }
        let on_changed = match (way.changed.is_empty(), self.changed) {
            (true, _) | (false, Some(ChangedFiles::Keep)) => OnChanged::Keep,
            (false, Some(ChangedFiles::PutBack)) => OnChanged::PutBack,
            (false, None) => {
                let paths = way.changed.into_iter().map(|changed| changed.path);
                return Err(Error::ChangedSince(paths.collect()));
            }
        };
        self.agreed()?;
        let recovered = cx.changing_engine()?.undo_preparations(on_changed)?;
        if cx.json {
            return show_way_back(cx, &way, false);
        }
        super::recover::tell(&recovered);
        print(|out| writeln!(out, "taken back; reboot to run without it"))
    }

    /// Asks, unless the answer was given.
    fn agreed(&self) -> Result<(), Error> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Error::NotAgreed);
        }
        let mut answer = String::new();
        let asked = write!(io::stderr(), "do this? [y/N] ").and_then(|()| {
            io::stderr().flush()?;
            io::stdin().lock().read_line(&mut answer)
        });
        asked.map_err(|source| Error::Io { doing: "ask".to_owned(), source })?;
        match answer.trim().to_lowercase().as_str() {
            "y" | "yes" => Ok(()),
            _ => Err(Error::NotAgreed),
        }
    }
}

/// What would be done, or was.
#[derive(Serialize)]
struct PreparationJson<'a> {
    dry_run: bool,
    steps: Vec<StepJson>,
    /// What only a person can do.
    by_hand: &'a [String],
    reboot: bool,
}

#[derive(Serialize)]
struct StepJson {
    text: String,
    /// A unified diff; empty where no text is known beforehand.
    diff: String,
}

/// What taking back would do, or did.
#[derive(Serialize)]
struct WayBackJson {
    dry_run: bool,
    steps: Vec<StepJson>,
    /// Files that somebody changed since.
    changed: Vec<StepJson>,
}

fn steps(steps: &[Step]) -> Vec<StepJson> {
    let step = |step: &Step| StepJson { text: step.to_string(), diff: step.diff() };
    steps.iter().map(step).collect()
}

fn show(cx: &Context, preparation: &Preparation, dry_run: bool) -> Result<(), Error> {
    let Preparation { steps: all, by_hand, reboot } = preparation;
    if cx.json {
        return json::print(&PreparationJson {
            dry_run,
            steps: steps(all),
            by_hand,
            reboot: *reboot,
        });
    }
    print(|out| {
        if all.is_empty() && by_hand.is_empty() && !*reboot {
            return writeln!(out, "nothing to do");
        }
        write_steps(all, cx.look, out)?;
        if !by_hand.is_empty() {
            writeln!(out, "{}", cx.look.paint(HEADING, "by hand"))?;
        }
        by_hand.iter().try_for_each(|text| writeln!(out, "  - {text}"))?;
        if *reboot { writeln!(out, "a reboot is needed") } else { Ok(()) }
    })
}

fn show_way_back(cx: &Context, way: &WayBack, dry_run: bool) -> Result<(), Error> {
    let differs =
        |path: &str, before: Option<&_>, found: Option<&_>| file::diff(path, found, before);
    let changed = || {
        way.changed.iter().map(|changed| StepJson {
            text: format!("{} was changed since", changed.path),
            diff: differs(&changed.path, changed.before.as_ref(), changed.found.as_ref()),
        })
    };
    if cx.json {
        let changed = changed().collect();
        return json::print(&WayBackJson { dry_run, steps: steps(&way.steps), changed });
    }
    print(|out| {
        if way.steps.is_empty() {
            return writeln!(out, "nothing to do: no preparation is in effect");
        }
        write_steps(&way.steps, cx.look, out)?;
        for StepJson { text, diff } in changed() {
            writeln!(out, "{}", cx.look.paint(HEADING, text))?;
            write_diff(&diff, cx.look, out)?;
        }
        Ok(())
    })
}

fn write_steps(steps: &[Step], look: Look, out: &mut impl Write) -> io::Result<()> {
    for step in steps {
        writeln!(out, "{}", look.paint(HEADING, step))?;
        write_diff(&step.diff(), look, out)?;
    }
    Ok(())
}

fn write_diff(diff: &str, look: Look, out: &mut impl Write) -> io::Result<()> {
    for line in diff.lines() {
        match line.as_bytes().first() {
            Some(b'+') => writeln!(out, "{}", look.paint(YES, line))?,
            Some(b'-') => writeln!(out, "{}", look.paint(NO, line))?,
            _ => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

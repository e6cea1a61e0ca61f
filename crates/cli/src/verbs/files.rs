//! Changes of files: shown as diffs, and agreed to, before they are done.
//!
//! In: steps. Out: their text with every diff, or JSON, and the user's word.

use std::io::{self, BufRead, IsTerminal, Write};

use model::Step;
use model::plan::Plan;
use model::plan::prepare::Preparation;
use serde::Serialize;

use super::told::{self, Beside};
use crate::context::Context;
use crate::error::Error;
use crate::output::{HEADING, Look, NO, YES, json, note, print};

/// Asks, unless the answer was given.
pub fn agreed(yes: bool) -> Result<(), Error> {
    if yes {
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

/// Settles what was cut off before it is looked what there is to do: half of
/// an earlier change is no ground to plan on. A dry run says so.
pub fn settled(cx: &Context, dry_run: bool) -> Result<(), Error> {
    let unfinished = match cx.engine().unfinished() {
        // Whoever may not read the state may look all the same.
        Err(_) if dry_run => return Ok(()),
        unfinished => unfinished?,
    };
    if unfinished.is_empty() {
        return Ok(());
    }
    if dry_run {
        note(
            "an earlier change was cut off; `passthru recover` takes it back, and then another plan may be right",
        );
        return Ok(());
    }
    let recovered = cx.engine_for(&[])?.recover()?;
    if !cx.json {
        super::recover::tell(&recovered);
    }
    Ok(())
}

/// What was to be shown before it is done: that nobody reads on is no
/// yes to it.
pub fn beforehand(shown: Result<(), Error>) -> Result<(), Error> {
    shown.map_err(|error| match error {
        Error::Output(source) => Error::NotShown(source),
        error => error,
    })
}

/// Shows changes and asks; where there are none, there is nothing to agree to.
pub fn agreed_to(cx: &Context, preparation: &Preparation, yes: bool) -> Result<(), Error> {
    if preparation.steps.is_empty() {
        return match preparation.by_hand.is_empty() || cx.json {
            true => Ok(()),
            false => show(cx, preparation, true),
        };
    }
    if !cx.json || !yes {
        beforehand(show(cx, preparation, true))?;
    }
    agreed(yes)
}

/// Changes of files, beside those of devices.
pub fn beside(preparation: &Preparation) -> Beside {
    let after = preparation.steps.iter().map(ToString::to_string).collect();
    Beside { by_hand: preparation.by_hand.clone(), ..Beside::after(after) }
}

/// Tells what would be done to devices, and to files.
pub fn plan_with(cx: &Context, plan: &Plan, preparation: &Preparation) -> Result<(), Error> {
    told::plan_and(cx, plan, beside(preparation))?;
    match *preparation == Preparation::default() || cx.json {
        true => Ok(()),
        false => show(cx, preparation, true),
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
pub struct StepJson {
    pub text: String,
    /// A unified diff; empty where no text is known beforehand.
    pub diff: String,
}

pub fn steps(steps: &[Step]) -> Vec<StepJson> {
    let step = |step: &Step| StepJson { text: step.to_string(), diff: step.diff() };
    steps.iter().map(step).collect()
}

pub fn show(cx: &Context, preparation: &Preparation, dry_run: bool) -> Result<(), Error> {
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
        if all.is_empty() && by_hand.is_empty() {
            writeln!(out, "nothing more to change")?;
        }
        write_steps(all, cx.look, out)?;
        write_by_hand(by_hand, cx.look, out)?;
        if *reboot { writeln!(out, "a reboot is needed") } else { Ok(()) }
    })
}

pub fn write_steps(steps: &[Step], look: Look, out: &mut impl Write) -> io::Result<()> {
    for step in steps {
        writeln!(out, "{}", look.paint(HEADING, step))?;
        write_diff(&step.diff(), look, out)?;
    }
    Ok(())
}

pub fn write_by_hand(by_hand: &[String], look: Look, out: &mut impl Write) -> io::Result<()> {
    if !by_hand.is_empty() {
        writeln!(out, "{}", look.paint(HEADING, "by hand"))?;
    }
    by_hand.iter().try_for_each(|text| writeln!(out, "  - {text}"))
}

pub fn write_diff(diff: &str, look: Look, out: &mut impl Write) -> io::Result<()> {
    for line in diff.lines() {
        match line.as_bytes().first() {
            Some(b'+') => writeln!(out, "{}", look.paint(YES, line))?,
            Some(b'-') => writeln!(out, "{}", look.paint(NO, line))?,
            _ => writeln!(out, "{line}")?,
        }
    }
    Ok(())
}

//! What the host boots by, and whether it runs with what was prepared.

use super::early::remake;
use super::{Check, Finding, Found, Run, Severity, Status, Subject, known};
use crate::boot::cmdline::Change;
use crate::fact::{Fact, Why};
use crate::list::add;
use crate::ours::{LOAD, MODPROBE};
use crate::setup::boot::Loader;
use crate::setup::planned::{Planned, Stands};
use crate::snapshot::ModuleState;
use crate::step::{Made, Step, Wanted};

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "boot_loader",
        about: "The boot loader and the initramfs are of a kind that `passthru prepare` changes itself.",
        severity: Severity::Advised,
        run: Run::Host(boot_loader),
    },
    Check {
        name: "planned",
        about: "The host runs with what `passthru prepare` planned.",
        severity: Severity::Advised,
        run: Run::Host(planned),
    },
];

fn boot_loader(subject: &Subject<'_>) -> Found {
    let boot = &subject.setup.boot;
    let generator = known(&boot.generator, "what makes the initramfs")?;
    let image = match generator {
        Some(generator) => format!("{} makes its initramfs", generator.name()),
        None => "no program is found that makes an initramfs".to_owned(),
    };
    let loader = match &boot.loader {
        Fact::Known(loader) => loader,
        Fact::Unknown(Why::NotProvided) => {
            return Ok(Finding::warn(
                format!("no boot loader is found that passthru knows; {image}"),
                "`passthru prepare` lists the boot arguments; give them to whatever starts the kernel",
            ));
        }
        Fact::Unknown(_) => known(&boot.loader, "the boot loader")?,
    };
    let by_hand = !loader.is_changed_here();
    let name = &loader.name;
    let makes_menu = loader.menu.as_ref().is_some_and(|menu| menu.program.is_some());
    if by_hand && makes_menu {
        return Ok(Finding::warn(
            format!(
                "{name} starts the kernel, and its settings are not there or cannot be read; {image}"
            ),
            "see that its settings are a file that can be read: `passthru prepare` lists boot arguments until then",
        ));
    }
    Ok(match (by_hand, generator) {
        (true, _) => Finding::warn(
            format!(
                "passthru does not change boot arguments here: they are the matter of {name}; {image}"
            ),
            "`passthru prepare` lists the boot arguments for it",
        ),
        (false, _) => Finding::pass(format!("{name} starts the kernel, {image}")),
    })
}

/// What runs, against what was prepared.
fn planned(subject: &Subject<'_>) -> Found {
    let all = known(&subject.setup.planned, "what was prepared")?;
    if all.is_empty() {
        return Ok(Finding::pass("nothing was prepared"));
    }
    let loader = subject.setup.boot.loader.known().cloned().unwrap_or_default();
    // They are over with the next start, however that went.
    let (trials, all): (Vec<&Planned>, Vec<&Planned>) =
        all.iter().partition(|one| one.is_trial(&loader));
    if all.is_empty() {
        let at = date(trials.iter().map(|one| one.at).max().unwrap_or_default());
        return Ok(Finding::pass(format!(
            "an entry to try was added to the boot menu on {at}, and no more was prepared"
        )));
    }
    let mut amiss = Amiss::default();
    for one in &all {
        amiss.files(one);
        amiss.half = amiss.half.or(one.is_half.then_some(one.at));
        match one.restarted {
            true => amiss.running(subject, one, &loader)?,
            false => amiss.waiting(subject, one, &loader),
        }
    }
    Ok(amiss.finding(subject, &all))
}

/// What is not as it was planned.
#[derive(Default)]
struct Amiss {
    /// Arguments and modules that the kernel runs without.
    missing: Vec<String>,
    /// What was changed since, or is gone.
    changed: Vec<String>,
    /// A program made an image anew that lacks something.
    image: bool,
    /// A menu that lacks something.
    menu: bool,
    /// Prepared then, and only a part of it was taken back.
    half: Option<i64>,
    /// Prepared then, and not started anew since.
    waiting: Option<i64>,
    unknown: Vec<String>,
}

impl Amiss {
    fn files(&mut self, planned: &Planned) {
        for (step, stands) in &planned.steps {
            let Some(path) = step.path() else { continue };
            let image = matches!(step, Step::Make(Made { wanted: Wanted::Initramfs { .. }, .. }));
            match stands {
                Fact::Unknown(why) => self.unknown.push(format!("{path}: {why}")),
                // With its kernel.
                Fact::Known(Stands::Gone) if image => {}
                Fact::Known(Stands::Gone) => self.changed.push(format!("{path} is gone")),
                Fact::Known(Stands::Changed(None)) => {
                    self.changed.push(format!("{path} was changed since"));
                }
                Fact::Known(Stands::Changed(Some(lacks))) => {
                    self.image |= image;
                    self.menu |= !image;
                    self.changed.push(format!("{path} was made anew since: {lacks}"));
                }
                Fact::Known(Stands::AsLeft | Stands::Superseded) => {}
            }
        }
    }

    /// The kernel was started anew: it has to run with all of it.
    fn running(
        &mut self,
        subject: &Subject<'_>,
        planned: &Planned,
        loader: &Loader,
    ) -> Result<(), Finding> {
        let arguments = planned.arguments(loader);
        if !arguments.is_empty() {
            let cmdline = known(&subject.setup.cmdline, "what the kernel was started with")?;
            let lacking = arguments.iter().filter(|change| !change.is_in(cmdline));
            let told = lacking.map(|change| match change {
                Change::Remove(word) => format!("with {word}"),
                change => format!("without {change}"),
            });
            told.for_each(|text| add(&mut self.missing, text));
        }
        for module in planned.modules(LOAD) {
            let state = subject.setup.modules.state(&module);
            if matches!(state, Fact::Known(ModuleState::Loadable | ModuleState::Missing)) {
                add(&mut self.missing, format!("without the module {module}"));
            }
        }
        Ok(())
    }

    /// It was not: does anything wait for that?
    fn waiting(&mut self, subject: &Subject<'_>, planned: &Planned, loader: &Loader) {
        let cmdline = subject.setup.cmdline.known().map_or("", String::as_str);
        let arguments = planned.arguments(loader);
        let waits = arguments.iter().any(|change| !change.is_in(cmdline))
            || planned.steps.iter().any(|(step, _)| match step {
                Step::WriteFile { path, .. } => path.ends_with(MODPROBE),
                Step::Make(made) => matches!(made.wanted, Wanted::Initramfs { .. }),
                _ => false,
            });
        if waits {
            self.waiting = self.waiting.max(Some(planned.at));
        }
    }

    fn finding(self, subject: &Subject<'_>, all: &[&Planned]) -> Finding {
        let mut texts = Vec::new();
        let mut hint = "`passthru prepare` shows what is missing, and does it again";
        let image = remake(subject);
        if !self.missing.is_empty() {
            let reason = match self.menu {
                true => "the menu was made anew without it",
                false => "another menu entry or another kernel was started",
            };
            let missing = self.missing.join(", ");
            texts.push(format!(
                "the kernel was started anew since it was prepared, and runs {missing}: {reason}"
            ));
            if !self.menu {
                hint = "start the entry that was prepared; if it was that one, `passthru prepare` shows what is missing";
            }
        }
        if let Some(at) = self.waiting {
            texts.push(format!(
                "prepared on {}, and the kernel was not started anew since",
                date(at)
            ));
            hint = "reboot, then check again";
        }
        if let Some(at) = self.half {
            texts.push(format!(
                "only a part of what was prepared on {} could be taken back",
                date(at)
            ));
            hint = "`passthru prepare --undo` again; what failed then has to be mended first";
        }
        if !self.changed.is_empty() {
            texts.push(self.changed.join(", "));
            if self.image {
                hint = &image;
            }
        }
        match (texts.is_empty(), self.unknown.is_empty()) {
            (false, _) => Finding::warn(texts.join("; "), hint),
            (true, false) => Finding {
                status: Status::Unknown,
                ..Finding::pass(format!(
                    "what was prepared is not known whole: {}",
                    self.unknown.join(", ")
                ))
            },
            (true, true) => {
                let at = all.iter().map(|one| one.at).max().unwrap_or_default();
                Finding::pass(format!("what was prepared is in effect (the last on {})", date(at)))
            }
        }
    }
}

/// A day of the Gregorian calendar, as ISO 8601 writes it, in UTC.
fn date(seconds: i64) -> String {
    let is_leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let mut days = seconds.clamp(0, LAST) / (24 * 60 * 60);
    let mut year = 1970;
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    let february = 28 + i64::from(is_leap(year));
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 1;
    for length in months {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    format!("{year}-{month:02}-{:02}", days + 1)
}

/// The end of the year 9999: a clock behind it is wrong.
const LAST: i64 = 253_402_300_799;

#[cfg(test)]
mod tests {
    use super::date;

    #[test]
    fn days() {
        for (seconds, day) in [
            (0, "1970-01-01"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_798_761_599, "2026-12-31"),
            (1_798_761_600, "2027-01-01"),
            (-5, "1970-01-01"),
            (i64::MAX, "9999-12-31"),
        ] {
            assert_eq!(date(seconds), day, "{seconds}");
        }
    }
}

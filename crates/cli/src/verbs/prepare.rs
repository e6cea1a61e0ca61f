//! `passthru prepare`: the host made ready, shown first, and taken back.

use std::io::Write;

use clap::{Args, ValueEnum};
use engine::prepare::{Lasting, OnChanged, PrepareRequest, WayBack};
use model::Code;
use model::boot;
use model::file;
use model::plan::prepare::Hugepages;
use model::setup::services::ServiceName;
use serde::Serialize;

use super::files::{
    StepJson, agreed, beforehand, settled, show, steps, write_by_hand, write_diff, write_steps,
};
use crate::args::{Change, override_code};
use crate::context::Context;
use crate::device;
use crate::error::Error;
use crate::output::{HEADING, json, note, print};
use crate::size;

/// Make this host ready for guests with devices: boot arguments, modules, initramfs, services
///
/// What `passthru check` finds amiss, and can be mended by files of the
/// configuration, is shown as a diff of every file, and done when you say so.
/// Services that have nothing left but devices that go to guests are kept from
/// starting at boot.
/// Each file is kept as it was. What only a person can do is listed. --undo
/// puts everything back; a preparation that was cut off is taken back by
/// whatever verb comes next.
#[derive(Debug, Args)]
pub struct Prepare {
    /// Addresses, registered names, or vendor:device, of what is meant for guests
    #[arg(value_name = "DEVICE", value_parser = device::parse, conflicts_with = "undo")]
    devices: Vec<String>,

    /// Change nothing for good: add an entry to the boot menu, a copy of the
    /// usual one with `- passthru testing` in its title, and boot it once
    ///
    /// The start after that is by the usual entry again. Where the boot loader
    /// cannot be told (Petitboot), choose the entry in its menu.
    #[arg(long, conflicts_with = "undo")]
    once: bool,

    /// Reserve so much memory as hugepages at boot, as in 64G
    #[arg(long, value_name = "SIZE", value_parser = size::parse, conflicts_with = "undo")]
    hugepages: Option<u64>,

    /// The size of one hugepage, as in 2M or 1G; without it, the largest that fits
    #[arg(long, value_name = "SIZE", value_parser = size::parse, requires = "hugepages")]
    hugepage_size: Option<u64>,

    /// Let members of this group use devices that are bound: the nodes of VFIO are
    /// theirs, and they may lock a guest's memory
    #[arg(long, value_name = "NAME", conflicts_with_all = ["undo", "once"])]
    group: Option<String>,

    /// Let this systemd service lock a guest's memory: it runs guests with devices, and not as root
    #[arg(long = "service", value_name = "UNIT", value_parser = ServiceName::parse, conflicts_with_all = ["undo", "once"])]
    services: Vec<ServiceName>,

    /// One more boot argument, as in pcie_aspm=off; it replaces another value of the same name
    #[arg(long = "argument", value_name = "WORD", value_parser = argument, conflicts_with = "undo")]
    arguments: Vec<String>,

    /// Let libvirt's guests read the ROM files in this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["undo", "once"])]
    rom_folder: Option<String>,

    /// Let go what the host needs, by the code of the refusal
    #[arg(long = "override", value_name = "CODE", value_parser = override_code(), conflicts_with = "undo")]
    overrides: Vec<Code>,

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

/// One word for the kernel.
fn argument(text: &str) -> Result<String, &'static str> {
    let word = boot::cmdline::Change::Set(text.to_owned());
    let one = !text.is_empty() && !text.contains(char::is_whitespace) && !text.starts_with('=');
    // Boot loaders, and the shells that make their menus, mean something else by these.
    let is_plain = !text.contains([';', '|', '&', '<', '>', '$', '`', '\'', '\\']);
    match (one && word.is_sound() && text != "--", is_plain) {
        (true, true) => Ok(text.to_owned()),
        (true, false) => Err("it has a character that boot loaders take for another thing"),
        (false, _) => Err("not one boot argument, as in key=value or key"),
    }
}

/// What becomes of files that somebody changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ChangedFiles {
    /// They keep the changes and lose what was prepared; where both are about the same lines, they
    /// stay as they are
    Keep,
    /// They get back what they had before the preparation, unless that names kernels which are
    /// gone; the changes are lost
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
        let page = self.hugepage_size;
        let request = PrepareRequest {
            devices: self.devices.clone(),
            lasting: if self.once { Lasting::Once } else { Lasting::ForGood },
            hugepages: self.hugepages.map(|bytes| Hugepages { bytes, page }),
            group: self.group.clone(),
            services: self.services.iter().cloned().collect(),
            arguments: self.arguments.clone(),
            roms: self.rom_folder.clone(),
            overrides: self.overrides.iter().copied().collect(),
        };
        settled(cx, self.change.dry_run)?;
        let preparation = cx.engine().plan_prepare(&request)?;
        if preparation.steps.is_empty() || self.change.dry_run {
            return show(cx, &preparation, self.change.dry_run);
        }
        if !cx.json || !self.yes {
            beforehand(show(cx, &preparation, true))?;
        }
        let mut engine = cx.engine_for(&preparation.steps)?;
        agreed(self.yes)?;
        let recovered = engine.prepare(&preparation)?;
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
        settled(cx, self.change.dry_run)?;
        let on_changed = self.changed.map(|changed| match changed {
            ChangedFiles::Keep => OnChanged::Keep,
            ChangedFiles::PutBack => OnChanged::PutBack,
        });
        let way = cx.engine().plan_undo(on_changed)?;
        if (way.steps.is_empty() && way.changed.is_empty()) || self.change.dry_run {
            return show_way_back(cx, &way, self.change.dry_run);
        }
        if !cx.json || !self.yes {
            beforehand(show_way_back(cx, &way, true))?;
        }
        let on_changed = match (way.changed.is_empty(), on_changed) {
            (_, Some(on_changed)) => on_changed,
            (true, None) => OnChanged::Keep,
            (false, None) => {
                let paths = way.changed.into_iter().map(|changed| changed.path);
                return Err(Error::ChangedSince(paths.collect()));
            }
        };
        let mut engine = cx.engine_for(&way.steps)?;
        agreed(self.yes)?;
        let recovered = engine.undo_preparations(on_changed)?;
        if cx.json {
            return show_way_back(cx, &way, false);
        }
        super::recover::tell(&recovered);
        let is_put_back = on_changed == OnChanged::PutBack;
        way.changed.iter().filter(|one| one.stays || one.is_outdated && is_put_back).for_each(
            |one| {
                let path = &one.path;
                note(match (one.stays, &one.found) {
                    (true, Some(_)) => format!(
                        "{path} stays as it is: somebody changed the very lines that were prepared; take out of them yourself what `passthru prepare` brought"
                    ),
                    (true, None) => format!("{path} stays removed"),
                    (false, _) => format!("{path} keeps the changes, without what was prepared"),
                });
            },
        );
        print(|out| writeln!(out, "taken back; reboot to run without it"))
    }
}

/// What taking back would do, or did.
#[derive(Serialize)]
struct WayBackJson<'a> {
    dry_run: bool,
    steps: Vec<StepJson>,
    /// Files that somebody changed since.
    changed: Vec<ChangedJson>,
    /// What only a person can do.
    by_hand: &'a [String],
}

#[derive(Serialize)]
struct ChangedJson {
    text: String,
    /// From what was left to what is there.
    diff: String,
    /// It stays as it is, with what was prepared in it.
    stays: bool,
    /// What it had before names kernels that are gone: it is not put back.
    is_outdated: bool,
}

fn show_way_back(cx: &Context, way: &WayBack, dry_run: bool) -> Result<(), Error> {
    let changed = || {
        way.changed.iter().map(|changed| ChangedJson {
            text: {
                let how = if changed.found.is_some() { "changed" } else { "removed" };
                let cannot = match changed.is_outdated {
                    true => {
                        "; what it had before names kernels that are gone, and cannot be put back"
                    }
                    false => "",
                };
                format!("{} was {how} since{cannot}", changed.path)
            },
            diff: file::diff(&changed.path, changed.left.as_ref(), changed.found.as_ref()),
            stays: changed.stays,
            is_outdated: changed.is_outdated,
        })
    };
    if cx.json {
        let changed = changed().collect();
        let steps = steps(&way.steps);
        return json::print(&WayBackJson { dry_run, steps, changed, by_hand: &way.by_hand });
    }
    print(|out| {
        if way.steps.is_empty() && way.changed.is_empty() {
            return writeln!(out, "nothing to do: no preparation is in effect");
        }
        for ChangedJson { text, diff, .. } in changed() {
            writeln!(out, "{}", cx.look.paint(HEADING, text))?;
            write_diff(&diff, cx.look, out)?;
        }
        write_steps(&way.steps, cx.look, out)?;
        write_by_hand(&way.by_hand, cx.look, out)
    })
}

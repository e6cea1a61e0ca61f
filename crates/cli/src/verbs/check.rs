//! `passthru check`: is this host ready, and what is missing.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Write};

use clap::Args;
use host::observe::Depth;
use model::Bdf;
use model::check::{self, Checked, Status, Subject};

use crate::context::Context;
use crate::device;
use crate::error::Error;
use crate::naming::Naming;
use crate::output::{FAINT, HEADING, Look, NO, PARTLY, YES, json, note, print};
use crate::wire::CheckJson;

/// Check whether this host is ready for guests with devices, and say what is missing
///
/// Each check passes, warns (it works, with a loss), fails, or is unknown, and
/// what does not pass says what to do. With devices, what they need is checked,
/// too. Exits with 3 when the host is not ready: a check has failed, or one
/// without which nothing works is unknown. Nothing is changed.
#[derive(Debug, Args)]
pub struct Check {
    /// Addresses, registered names, or vendor:device, of what is meant for guests
    #[arg(value_name = "DEVICE", value_parser = device::parse)]
    devices: Vec<String>,
}

impl Check {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        let naming = Naming::load(cx);
        let in_doubt = naming.known.in_doubt();
        let snapshot = cx.observe_whole(Depth::Whole.sparing(&in_doubt));
        if !cx.json {
            naming.known.note().into_iter().for_each(note);
        }
        let named = self.devices.iter().map(|text| Ok(naming.known.find(text, &snapshot)?.bdf));
        let devices = named.collect::<Result<Vec<Bdf>, Error>>()?;
        let setup = cx.engine().setup(&snapshot, &devices);
        let subject = Subject { snapshot: &snapshot, setup: &setup, devices: &devices };
        let checked = check::check(&subject);
        let ready = check::is_ready(&checked);
        let shown = match cx.json {
            true => json::print(&CheckJson::of(&checked, ready)),
            false => print(|out| page(&checked, cx.look, out)),
        };
        match shown {
            // Nobody reads on; whether the host is ready is asked for all the same.
            Err(Error::Output(source)) if !ready && source.kind() == ErrorKind::BrokenPipe => {}
            shown => shown?,
        }
        match ready {
            true => Ok(()),
            false => {
                let mut names: Vec<_> = check::missed(&checked).map(|one| one.check.name).collect();
                // One that several devices fail is told once; the page says which.
                let mut seen = BTreeSet::new();
                names.retain(|name| seen.insert(*name));
                Err(Error::NotReady(names))
            }
        }
    }
}

/// The host's checks, then those of each device.
fn page(checked: &[Checked], look: Look, out: &mut impl Write) -> std::io::Result<()> {
    let width = checked.iter().map(|one| one.check.name.len()).max().unwrap_or(0);
    let mut at: Option<Option<Bdf>> = None;
    let mut sorted: Vec<&Checked> = checked.iter().collect();
    // Stable: the order of the table stays within each.
    sorted.sort_by_key(|one| one.at);
    for one in sorted {
        if at != Some(one.at) {
            let title = one.at.map_or_else(|| "host".to_owned(), |bdf| bdf.to_string());
            let gap = if at.is_some() { "\n" } else { "" };
            writeln!(out, "{gap}{}", look.paint(HEADING, title))?;
            at = Some(one.at);
        }
        let status = one.finding.status;
        let style = match status {
            Status::Pass => YES,
            Status::Warn | Status::Unknown => PARTLY,
            Status::Fail => NO,
        };
        let word = look.paint(style, format_args!("{:7}", status.word()));
        writeln!(out, "  {word}  {:width$}  {}", one.check.name, one.finding.text)?;
        if !one.finding.hint.is_empty() {
            let hint = look.paint(FAINT, "hint:");
            writeln!(out, "  {:7}  {:width$}  {hint} {}", "", "", one.finding.hint)?;
        }
    }
    Ok(())
}

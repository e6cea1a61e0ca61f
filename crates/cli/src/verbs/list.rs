//! `passthru list`: devices, their groups and drivers, and whether they can go.

mod tree;

use std::io::Write;

use clap::Args;
use model::reason::{Code, Weight};
use model::verdict::{Kind, Verdict};
use model::{Fact, Function, Snapshot};

use crate::context::Context;
use crate::error::Error;
use crate::naming::Naming;
use crate::output::table::{Cell, Table};
use crate::output::{FAINT, NO, PARTLY, YES, json, note, print};
use crate::wire::ListJson;

/// List the devices: group, driver, and whether they can be passed through
///
/// The verdict is `yes`, `with` the members of its IOMMU group that must go
/// along, or `no`, each followed by codes: what has to be minded behind the
/// first two, what stands in the way behind the last. `unsure` is a yes that
/// too little is known for: every change is refused until more is seen, or the
/// code let go by name. `passthru show` explains the codes, and has mere notes
/// as well. Which processes hold a device is looked at
/// by `show` and by every plan only. Listing needs no privilege and never wakes
/// a device.
#[derive(Debug, Args)]
pub struct List {
    /// Bridges and host bridges too, which always stay with the host
    #[arg(short, long)]
    all: bool,

    /// Draw how devices hang below bridges
    #[arg(short, long)]
    tree: bool,
}

impl List {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        let naming = Naming::load(cx);
        let snapshot = cx.observe(&naming.known.in_doubt());
        if cx.json {
            let shown: Vec<&Function> = self.shown(&snapshot).collect();
            return json::print(&ListJson::of(&snapshot, &naming, &shown));
        }
        let rows: Vec<(String, &Function)> = match self.tree {
            true => tree::rows(&snapshot, self.all),
            false => self.shown(&snapshot).map(|f| (f.bdf.to_string(), f)).collect(),
        };
        let mut table = Table::new(HEADING, DEVICE_COLUMN);
        let mut incomplete = 0;
        for (place, function) in rows {
            let verdict = naming.known.verdict(&snapshot, function.bdf);
            incomplete += usize::from(is_incomplete(&verdict));
            table.push(row(&naming, place, function, &verdict));
        }
        print(|out| match table.is_empty() {
            true => writeln!(out, "no PCI devices"),
            false => table.write(out, cx.look),
        })?;
        notes(&snapshot, &naming, incomplete);
        Ok(())
    }

    fn shown<'a>(&self, snapshot: &'a Snapshot) -> impl Iterator<Item = &'a Function> {
        let all = self.all;
        snapshot.functions.values().filter(move |function| all || !function.stays())
    }
}

const HEADING: [&str; 7] = ["ADDRESS", "NAME", "IDS", "DEVICE", "DRIVER", "GROUP", "VERDICT"];
const DEVICE_COLUMN: usize = 3;

fn row(naming: &Naming, place: String, function: &Function, verdict: &Verdict) -> [Cell; 7] {
    let named = naming.of(function);
    let device = format!("{}: {}", named.class_text(function), named.device_text(function));
    [
        place.into(),
        named.registered.unwrap_or_default().into(),
        function.ids_text().into(),
        device.into(),
        word(&function.driver),
        word(&function.group),
        verdict_cell(function, verdict),
    ]
}

/// Whether a fact that the verdict would need is not known.
fn is_incomplete(verdict: &Verdict) -> bool {
    verdict.is_unsure() || verdict.reasons.iter().any(|reason| reason.code == Code::Unknown)
}

/// A value, `-` for none, `?` for not known.
fn word<T: ToString>(fact: &Fact<Option<T>>) -> Cell {
    match fact {
        Fact::Known(Some(value)) => value.to_string().into(),
        Fact::Known(None) => Cell::styled("-", FAINT),
        Fact::Unknown(_) => Cell::styled("?", FAINT),
    }
}

/// Yes, with company, or no, and the codes that matter for it.
fn verdict_cell(function: &Function, verdict: &Verdict) -> Cell {
    if function.stays() {
        return Cell::styled("-", FAINT);
    }
    match &verdict.kind {
        Kind::Not => Cell::styled(with_codes("no".to_owned(), verdict, Weight::Override), NO),
        Kind::Assignable if verdict.is_unsure() => {
            Cell::styled(with_codes("unsure".to_owned(), verdict, Weight::Condition), PARTLY)
        }
        Kind::Assignable => {
            Cell::styled(with_codes("yes".to_owned(), verdict, Weight::Condition), YES)
        }
        Kind::InCompany(company) => {
            let company: Vec<String> = company.iter().map(ToString::to_string).collect();
            let unsure = if verdict.is_unsure() { "unsure, " } else { "" };
            let text = format!("{unsure}with {}", company.join(" "));
            Cell::styled(with_codes(text, verdict, Weight::Condition), PARTLY)
        }
    }
}

fn with_codes(mut text: String, verdict: &Verdict, least: Weight) -> String {
    let mut codes: Vec<Code> = Vec::new();
    for reason in &verdict.reasons {
        // Company is what the text says already.
        let said = reason.code == Code::GroupCompany || codes.contains(&reason.code);
        if reason.weight() >= least && !said {
            codes.push(reason.code);
        }
    }
    for (n, code) in codes.iter().enumerate() {
        text.push_str(if n == 0 { ": " } else { ", " });
        text.push_str(code.as_str());
    }
    text
}

/// What the listing could not know, on standard error.
fn notes(snapshot: &Snapshot, naming: &Naming, incomplete: usize) {
    for gap in &snapshot.gaps {
        note(format_args!("{}: {}", gap.path, gap.why));
    }
    for bdf in &snapshot.vanished {
        note(format_args!("{bdf} vanished while it was read"));
    }
    if incomplete > 0 {
        let devices = if incomplete == 1 { "1 device" } else { &format!("{incomplete} devices") };
        note(format_args!("not all is known of {devices}; `passthru show` says what and why"));
    }
    naming.known.note().into_iter().for_each(note);
}

//! `passthru show`: one device, whole.

mod hardware;
mod host_side;

use std::fmt::Display;

use clap::Args;
use host::observe::Depth;
use model::reason::{Reason, Weight};
use model::verdict::{Kind, Verdict};
use model::{Fact, Function, Snapshot, Why};

use crate::context::Context;
use crate::device;
use crate::error::Error;
use crate::naming::Naming;
use crate::output::page::Page;
use crate::output::{FAINT, NO, PARTLY, YES, json, note, print};
use crate::wire::DetailsJson;

/// Show one device, whole: what it is, where it is, who uses it, can it go
///
/// What is not known is said, with the reason; most of it is known to root. A
/// sleeping device is left asleep, and its registers unread, unless --wake is given.
#[derive(Debug, Args)]
pub struct Show {
    /// Address, registered name, or vendor:device
    #[arg(value_parser = device::parse)]
    device: String,

    /// Read the registers of a sleeping device, which wakes it
    #[arg(long)]
    wake: bool,
}

impl Show {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        let naming = Naming::load(cx);
        let in_doubt = naming.known.in_doubt();
        let mut snapshot = cx.observe_whole(Depth::Whole.sparing(&in_doubt));
        if !cx.json {
            naming.known.note().into_iter().for_each(note);
        }
        let mut function = naming.known.find(&self.device, &snapshot)?;
        if self.wake && function.config.why() == Some(&Why::Suspended) {
            let bdf = function.bdf;
            snapshot = cx.observe_whole(Depth::Whole.sparing(&in_doubt).waking(&[bdf]));
            function = snapshot.get(bdf).ok_or(Error::NoDevice(bdf))?;
        }
        let verdict = naming.known.verdict(&snapshot, function.bdf);
        if cx.json {
            let details = DetailsJson::of(&snapshot, function, &naming, &verdict);
            return json::print(&details);
        }
        let subject = Subject { snapshot: &snapshot, function, naming: &naming };
        let mut page = Page::new(cx.look);
        subject.identity(&mut page);
        subject.place(&mut page);
        subject.driver(&mut page);
        subject.memory(&mut page);
        subject.interrupts(&mut page);
        subject.reset(&mut page);
        subject.power(&mut page);
        subject.virtual_functions(&mut page);
        subject.uses(&mut page);
        subject.verdict(&mut page, &verdict);
        print(|out| page.write(out))
    }
}

/// The function that a page is about.
struct Subject<'a> {
    snapshot: &'a Snapshot,
    function: &'a Function,
    naming: &'a Naming,
}

/// The value in words, or why it is not known.
fn fact<T>(fact: &Fact<T>, words: impl FnOnce(&T) -> String) -> String {
    match fact {
        Fact::Known(value) => words(value),
        Fact::Unknown(why) => format!("unknown ({why})"),
    }
}

/// The value, `none`, or why it is not known.
fn option<T: Display>(value: &Fact<Option<T>>, none: &str) -> String {
    fact(value, |value| value.as_ref().map_or_else(|| none.to_owned(), ToString::to_string))
}

fn weight_word(reason: &Reason) -> &'static str {
    match reason.weight() {
        Weight::Note => "note",
        Weight::Condition => "condition",
        Weight::Unsure => "unsure",
        Weight::Override => "unless overridden",
        Weight::Blocks => "blocked",
    }
}

impl Subject<'_> {
    fn verdict(&self, page: &mut Page, verdict: &Verdict) {
        let look = page.look();
        page.section("verdict");
        let but = if verdict.is_unsure() { ", but too little is known to do it" } else { "" };
        let text = match &verdict.kind {
            Kind::Assignable if verdict.is_unsure() => {
                look.paint(PARTLY, format!("can be passed through{but}"))
            }
            Kind::Assignable => look.paint(YES, "can be passed through"),
            Kind::InCompany(company) => {
                let company: Vec<String> = company.iter().map(ToString::to_string).collect();
                let company = company.join(" ");
                look.paint(PARTLY, format!("can be passed through with {company}{but}"))
            }
            Kind::Not => look.paint(NO, "cannot be passed through"),
        };
        page.line("answer", text);
        for reason in &verdict.reasons {
            match reason.at == Some(self.function.bdf) {
                true => page
                    .line(weight_word(reason), format_args!("{} [{}]", reason.text, reason.code)),
                false => page.line(weight_word(reason), reason),
            }
            if !reason.hint.is_empty() {
                page.line("", format_args!("{} {}", look.paint(FAINT, "hint:"), reason.hint));
            }
        }
    }

    fn identity(&self, page: &mut Page) {
        let function = self.function;
        let named = self.naming.of(function);
        page.section(format!("{}  {}", function.bdf, named.device_text(function)));
        if let Some(name) = named.registered {
            page.line("registered as", name);
        }
        let class = fact(&function.class, ToString::to_string);
        page.line(
            "class",
            match named.class {
                Some(name) => format!("{name} [{class}]"),
                None => class,
            },
        );
        page.line("ids", function.ids_text());
        let subsystem = fact(&function.subsystem, |(vendor, device)| format!("{vendor}:{device}"));
        page.line("subsystem", join([Some(subsystem.as_str()), self.naming.card(function)]));
        page.line("revision", fact(&function.revision, |revision| format!("{revision:02x}")));
        let serial = function.extended().map(|extended| extended.serial);
        page.line(
            "serial",
            fact(&serial, |serial| match serial {
                Some(serial) => format!("{serial:016x}"),
                None => "none".to_owned(),
            }),
        );
    }
}

/// The parts that are there, with two blanks between.
fn join<'a>(parts: impl IntoIterator<Item = Option<&'a str>>) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

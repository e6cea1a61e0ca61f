//! `passthru run`: an instance with its devices.

mod options;

use std::io::Write;

use clap::Args;
use clap::builder::PossibleValuesParser;
use engine::{Name, RunPlan, RunRequest, Started};
use hypervisors::Start;
use model::Reason;
use serde::Serialize;

use self::options::{Boot, Shape};
use super::instance::InstanceJson;
use super::told;
use super::told::{PlanJson, ReportJson};
use crate::args::{Change, Consent};
use crate::context::Context;
use crate::device;
use crate::error::Error;
use crate::output::{json, print};

/// Start a virtual machine that has the devices
///
/// The devices go to vfio-pci with their whole groups, and back to the host
/// when the guest ends, whether or not anybody is logged in then. A start that
/// fails takes everything back.
#[derive(Debug, Args)]
pub struct Run {
    /// The instance's name: 1 to 63 of a-z, 0-9, `_`, `.` and `-`, the first a letter or a digit
    name: Name,

    /// A device to hand over: address, registered name, or vendor:device
    #[arg(long = "device", short, value_name = "DEVICE", value_parser = device::parse)]
    devices: Vec<String>,

    /// The hypervisor; `null` starts nothing and shows what it would have
    #[arg(long, value_name = "HYPERVISOR", default_value = "qemu", value_parser = hypervisor())]
    on: String,

    #[command(flatten)]
    boot: Boot,

    #[command(flatten)]
    shape: Shape,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    change: Change,
}

#[derive(Serialize)]
struct PlannedJson<'a> {
    #[serde(flatten)]
    plan: PlanJson<'a>,
    /// The hypervisor's command line, of one that is a program.
    command: Option<Vec<&'a str>>,
    /// The guest in words, of one that starts nothing.
    guest: Option<&'a str>,
}

#[derive(Serialize)]
struct StartedJson<'a> {
    instance: InstanceJson<'a>,
    report: ReportJson<'a>,
}

impl Run {
    pub fn exec(self, cx: &Context) -> Result<(), Error> {
        let starts = hypervisors::backend(&self.on).is_some_and(|on| on.capabilities().runs);
        let dry_run = self.change.dry_run || !starts;
        let request = self.into_request()?;
        match dry_run {
            true => planned(cx, &cx.engine().plan_run(&request)?),
            false => {
                let mut engine = cx.changing_engine()?;
                cx.waiting(format_args!("starting {}", request.name));
                started(cx, &engine.run(&request)?)
            }
        }
    }

    fn into_request(self) -> Result<RunRequest, Error> {
        let mut request = RunRequest::new(self.name);
        request.on = self.on;
        request.devices = self.devices;
        request.overrides = self.consent.overrides.into_iter().collect();
        request.stop_services = self.consent.stop_services;
        self.boot.into_request(&mut request)?;
        self.shape.into_request(&mut request)?;
        Ok(request)
    }
}

fn hypervisor() -> PossibleValuesParser {
    PossibleValuesParser::new(hypervisors::BACKENDS.iter().map(|backend| backend.name()))
}

fn planned(cx: &Context, plan: &RunPlan) -> Result<(), Error> {
    let RunPlan { plan, rendered } = plan;
    if cx.json {
        let (command, guest) = match &rendered.start {
            Start::Process { program, args } => (Some(command(program, args)), None),
            Start::Print(text) => (None, Some(text.as_str())),
        };
        let notes: Vec<Reason> = plan.notes.iter().chain(&rendered.notes).cloned().collect();
        let plan = PlanJson::of(true, &plan.steps, &notes);
        return json::print(&PlannedJson { plan, command, guest });
    }
    print(|out| match &rendered.start {
        Start::Process { program, args } => {
            writeln!(out, "{plan}start {}", command_lines(&command(program, args)))
        }
        Start::Print(text) => write!(out, "{plan}{text}"),
    })?;
    told::notes(&plan.notes);
    told::notes(&rendered.notes);
    Ok(())
}

fn command<'a>(program: &'a str, args: &'a [String]) -> Vec<&'a str> {
    std::iter::once(program).chain(args.iter().map(String::as_str)).collect()
}

/// A command as a shell takes it, a line for each option.
fn command_lines(command: &[&str]) -> String {
    let mut text = String::new();
    for (n, word) in command.iter().enumerate() {
        if n > 0 {
            text.push_str(if word.starts_with('-') { " \\\n  " } else { " " });
        }
        text.push_str(&quoted(word));
    }
    text
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_=+.,:/@%".contains(&byte);
    match !word.is_empty() && word.bytes().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn started(cx: &Context, started: &Started) -> Result<(), Error> {
    let Started { instance, report } = started;
    if cx.json {
        let (instance, report) = (InstanceJson::of(instance), ReportJson::of(report));
        return json::print(&StartedJson { instance, report });
    }
    super::recover::tell(&report.recovered);
    told::notes(&report.notes);
    let pid = instance.process.map(|process| format!(", process {}", process.pid));
    let pid = pid.unwrap_or_default();
    print(|out| writeln!(out, "instance {} is {}{pid}", instance.name, instance.state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_has_a_line_of_its_own() {
        let text = command_lines(&["qemu", "-m", "1G", "-append", "a b"]);
        assert_eq!(text, "qemu \\\n  -m 1G \\\n  -append 'a b'");
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        for (word, want) in [
            ("qemu-system-x86_64", "qemu-system-x86_64"),
            ("q35,kernel-irqchip=split", "q35,kernel-irqchip=split"),
            ("console=ttyS0 quiet", "'console=ttyS0 quiet'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
            ("$(reboot)", "'$(reboot)'"),
        ] {
            assert_eq!(quoted(word), want);
        }
    }
}

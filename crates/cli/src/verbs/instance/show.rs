//! `passthru instance show`: one instance, and its JSON.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use engine::{Instance, Name};
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::output::page::Page;
use crate::output::{json, print};
use crate::words;

/// Show one instance, and what happened to it
#[derive(Debug, Args)]
pub struct Show {
    /// A name from `passthru instance list`
    name: Name,
}

/// An instance.
#[derive(Serialize)]
pub struct InstanceJson<'a> {
    name: &'a str,
    state: &'static str,
    pid: Option<u32>,
    supervisor_pid: Option<u32>,
    devices: Vec<String>,
    backend: &'a str,
    cpus: u32,
    memory: u64,
    image: Option<&'a Path>,
    kernel: Option<&'a Path>,
    command: Vec<&'a str>,
    exit_status: Option<i32>,
    error: Option<&'a str>,
    /// Seconds since 1970.
    made_at: i64,
    changed_at: i64,
    console_log: String,
    hypervisor_log: String,
}

#[derive(Serialize)]
struct DetailsJson<'a> {
    #[serde(flatten)]
    instance: InstanceJson<'a>,
    events: Vec<EventJson<'a>>,
}

#[derive(Serialize)]
struct EventJson<'a> {
    at: i64,
    text: &'a str,
}

impl<'a> InstanceJson<'a> {
    pub fn of(instance: &'a Instance) -> Self {
        let spec = &instance.spec;
        Self {
            name: instance.name.as_str(),
            state: instance.state.as_str(),
            pid: instance.process.map(|process| process.pid),
            supervisor_pid: instance.supervisor.map(|process| process.pid),
            devices: instance.devices.iter().map(ToString::to_string).collect(),
            backend: &spec.backend,
            cpus: spec.cpus,
            memory: spec.memory,
            image: spec.image.as_deref(),
            kernel: spec.kernel.as_deref(),
            command: std::iter::once(&spec.program).chain(&spec.args).map(String::as_str).collect(),
            exit_status: instance.exit_status,
            error: instance.error.as_deref(),
            made_at: instance.made_at,
            changed_at: instance.changed_at,
            console_log: instance.files.console_log().display().to_string(),
            hypervisor_log: instance.files.hypervisor_log().display().to_string(),
        }
    }
}

impl Show {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        let engine = cx.engine();
        let instance = engine.instance(&self.name)?;
        let events = engine.events(&self.name)?;
        if cx.json {
            let events = events.iter().map(|event| EventJson { at: event.at, text: &event.text });
            let instance = InstanceJson::of(&instance);
            return json::print(&DetailsJson { instance, events: events.collect() });
        }
        let mut page = Page::new(cx.look);
        guest(&mut page, &instance);
        page.section("what happened");
        for event in &events {
            page.line(ago(event.at), &event.text);
        }
        print(|out| page.write(out))
    }
}

fn guest(page: &mut Page, instance: &Instance) {
    let spec = &instance.spec;
    page.section(instance.name.as_str());
    page.line("state", format!("{}, {}", instance.state, ago(instance.changed_at)));
    if let Some(error) = &instance.error {
        page.lines("error", error.lines());
    }
    if let Some(status) = instance.exit_status {
        page.line("exit status", status);
    }
    match instance.process {
        Some(process) => page.line("process", process.pid),
        None => page.line("process", "none"),
    }
    if instance.state.is_live() {
        let supervisor = instance.supervisor.map(|process| process.pid.to_string());
        page.line("supervisor", supervisor.as_deref().unwrap_or("none; the next verb sees to it"));
    }
    page.lines("devices", &instance.devices);
    page.line("processors", spec.cpus);
    page.line("memory", words::size(spec.memory));
    page.lines("image", spec.image.iter().map(|image| image.display()));
    page.lines("kernel", spec.kernel.iter().map(|kernel| kernel.display()));
    page.line("console log", instance.files.console_log().display());
    page.line("hypervisor log", instance.files.hypervisor_log().display());
}

/// How long ago a time is, in the largest unit that fits.
fn ago(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let past = now.as_secs().saturating_sub(u64::try_from(seconds).unwrap_or_default());
    match past {
        0..60 => format!("{past} s ago"),
        60..3600 => format!("{} min ago", past / 60),
        3600..86_400 => format!("{} h ago", past / 3600),
        _ => format!("{} d ago", past / 86_400),
    }
}

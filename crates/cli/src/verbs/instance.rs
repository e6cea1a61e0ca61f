//! `passthru instance`: guests that passthru started.

mod logs;
mod show;

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use engine::console::Left;
use engine::{Ended, Grace, Instance as Known, InstanceState, Name};
use serde::Serialize;

use crate::args::Change;
use crate::context::Context;
use crate::error::Error;
use crate::output::table::{Cell, Table};
use crate::output::{FAINT, NO, PARTLY, YES, json, print};
use crate::words;

pub use show::InstanceJson;

/// Guests that passthru started
#[derive(Debug, Subcommand)]
pub enum Instance {
    List(List),
    Show(show::Show),
    Stop(Stop),
    Delete(Delete),
    Logs(logs::Logs),
    Console(Console),
}

/// List the instances
#[derive(Debug, Args)]
pub struct List {}

/// Stop an instance and give its devices back to the host
///
/// Its operating system is asked to shut down; if it does not, the hypervisor
/// is told to end, and killed last of all: a device that is cut off in the
/// middle may stay unusable until the host restarts.
#[derive(Debug, Args)]
pub struct Stop {
    /// A name from `passthru instance list`
    name: Name,

    #[command(flatten)]
    patience: Patience,

    #[command(flatten)]
    change: Change,
}

/// Forget an instance and remove its disk
#[derive(Debug, Args)]
pub struct Delete {
    /// A name from `passthru instance list`
    name: Name,

    /// Stop it first if it runs
    #[arg(long)]
    stop: bool,

    #[command(flatten)]
    patience: Patience,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
struct Patience {
    /// How long its operating system may take to shut down, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    grace: u64,
}

/// Talk to an instance by its serial console; Ctrl-] leaves
#[derive(Debug, Args)]
pub struct Console {
    /// A name from `passthru instance list`
    name: Name,
}

impl Instance {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        match self {
            Self::List(_) => list(cx),
            Self::Show(verb) => verb.exec(cx),
            Self::Stop(verb) => verb.exec(cx),
            Self::Delete(verb) => verb.exec(cx),
            Self::Logs(verb) => verb.exec(cx),
            Self::Console(verb) => verb.exec(cx),
        }
    }
}

#[derive(Serialize)]
struct InstancesJson<'a> {
    instances: Vec<InstanceJson<'a>>,
}

fn list(cx: &Context) -> Result<(), Error> {
    let instances = cx.engine().instances()?;
    if cx.json {
        let instances = instances.iter().map(InstanceJson::of).collect();
        return json::print(&InstancesJson { instances });
    }
    let mut table = Table::new(["NAME", "STATE", "PID", "CPUS", "MEMORY", "DEVICES"], 5);
    for instance in &instances {
        table.push(row(instance));
    }
    print(|out| match table.is_empty() {
        true => writeln!(out, "no instances"),
        false => table.write(out, cx.look),
    })
}

fn row(instance: &Known) -> [Cell; 6] {
    let pid = instance.process.map(|process| process.pid.to_string());
    let devices: Vec<String> = instance.devices.iter().map(ToString::to_string).collect();
    [
        instance.name.as_str().into(),
        state(instance),
        pid.map_or_else(|| Cell::styled("-", FAINT), Cell::from),
        instance.spec.cpus.to_string().into(),
        words::size(instance.spec.memory).into(),
        devices.join(" ").into(),
    ]
}

fn state(instance: &Known) -> Cell {
    use InstanceState as State;
    let style = match instance.state {
        State::Running => YES,
        State::Preparing | State::Starting => PARTLY,
        State::Failed => NO,
        State::Stopped => FAINT,
    };
    Cell::styled(instance.state.as_str(), style)
}

impl Patience {
    fn grace(&self) -> Grace {
        Grace { guest: Duration::from_secs(self.grace), ..Grace::default() }
    }

    /// Says that it may take so long, if there is anybody to wait for.
    fn tell(&self, cx: &Context, name: &Name) -> Result<(), Error> {
        if cx.engine().instance(name)?.process.is_some() {
            let grace = self.grace;
            cx.waiting(format_args!("waiting for {name} to shut down (up to {grace} s)"));
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct DoneJson<'a> {
    dry_run: bool,
    instance: &'a str,
    /// How it was done.
    how: &'a str,
}

impl Stop {
    fn exec(&self, cx: &Context) -> Result<(), Error> {
        let name = &self.name;
        if self.change.dry_run {
            let known = cx.engine().instance(name)?;
            return told(cx, true, name, &format!("stop {name}, which is {}", known.state));
        }
        let mut engine = cx.changing_engine()?;
        self.patience.tell(cx, name)?;
        let how = match engine.stop(name, self.patience.grace())? {
            Ended::Itself => "had ended by itself",
            Ended::Guest => "shut down",
            Ended::Terminated => "did not shut down, so its hypervisor was ended",
            Ended::Killed => "had to be killed",
        };
        told(cx, false, name, &format!("{name} {how}"))
    }
}

impl Delete {
    fn exec(&self, cx: &Context) -> Result<(), Error> {
        let name = &self.name;
        if self.change.dry_run {
            let known = cx.engine().instance(name)?;
            let stop = if known.state.is_live() { "stop and delete" } else { "delete" };
            if known.state.is_live() && !self.stop {
                let (name, state) = (name.clone(), known.state);
                return Err(engine::Error::InstanceState { name, state }.into());
            }
            return told(cx, true, name, &format!("{stop} {name}"));
        }
        let mut engine = cx.changing_engine()?;
        if self.stop {
            self.patience.tell(cx, name)?;
        }
        engine.delete(name, self.stop.then(|| self.patience.grace()))?;
        told(cx, false, name, &format!("{name} is deleted"))
    }
}

fn told(cx: &Context, dry_run: bool, name: &Name, how: &str) -> Result<(), Error> {
    match cx.json {
        true => json::print(&DoneJson { dry_run, instance: name.as_str(), how }),
        false => print(|out| writeln!(out, "{how}")),
    }
}

impl Console {
    fn exec(&self, cx: &Context) -> Result<(), Error> {
        let name = &self.name;
        let watched = io::stdin().is_terminal();
        if watched {
            eprintln!("the console of {name}; Ctrl-] leaves it");
        }
        let left = cx.engine().console(name)?;
        if watched && left == Left::Closed {
            eprintln!("{name} closed its console");
        }
        Ok(())
    }
}

//! `passthru recover`: what was cut off, finished or undone.

use std::io::Write;

use clap::Args;
use engine::aftermath::{Found, SettledInstance};
use engine::{Recovered, Unfinished};
use serde::Serialize;

use crate::args::Change;
use crate::context::Context;
use crate::error::Error;
use crate::output::{json, print};

/// Finish or undo what was interrupted
///
/// Every changing verb does this first; by itself it is for the boot of the
/// machine and for people. Exits with 4 while a change is still in the kernel.
#[derive(Debug, Args)]
pub struct Recover {
    #[command(flatten)]
    change: Change,
}

impl Recover {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        if self.change.dry_run {
            return planned(cx, &cx.engine().unfinished()?);
        }
        let recovered = cx.changing_engine()?.recover()?;
        if cx.json {
            json::print(&RecoveredJson::of(&recovered))?;
        } else if recovered.is_empty() {
            print(|out| writeln!(out, "nothing was interrupted"))?;
        } else {
            tell(&recovered);
        }
        match recovered.pending.is_empty() {
            true => Ok(()),
            false => Err(Error::StillInDoubt),
        }
    }
}

fn planned(cx: &Context, unfinished: &[Unfinished]) -> Result<(), Error> {
    if cx.json {
        let plans: Vec<UnfinishedJson> = unfinished.iter().map(UnfinishedJson::of).collect();
        return json::print(&PlannedJson { dry_run: true, unfinished: plans });
    }
    print(|out| {
        for plan in unfinished {
            let what = if plan.void { "forget: a reboot undid the" } else { "settle the" };
            writeln!(out, "{what} {} of {}", plan.verb, addresses(&plan.functions))?;
        }
        if unfinished.is_empty() { writeln!(out, "nothing to do") } else { Ok(()) }
    })
}

/// Tells what an earlier, cut off verb had left behind.
pub fn tell(recovered: &Recovered) {
    let mut err = anstream::stderr().lock();
    let mut say = |text: String| {
        let _ = writeln!(err, "recovered: {text}");
    };
    if recovered.voided > 0 {
        say(format!("{} changes of an earlier boot are void", recovered.voided));
    }
    for plan in &recovered.settled {
        let what = match plan.functions.is_empty() {
            true => format!("the {}", plan.verb),
            false => format!("the {} of {}", plan.verb, addresses(&plan.functions)),
        };
        match &plan.failure {
            None => say(format!("{what} was settled")),
            Some(error) => say(format!("{what} could not be settled: {error}")),
        }
    }
    for SettledInstance { name, found } in &recovered.instances {
        say(match found {
            Found::Ended => format!("instance {name} had ended; its devices were released"),
            Found::Orphaned => format!("instance {name} has a supervisor again"),
        });
    }
    for pending in &recovered.pending {
        let pid = pending.process.pid;
        let waits = pending.wait_channel.as_deref().map(|channel| format!(", waits in {channel}"));
        let waits = waits.unwrap_or_default();
        say(format!("`{}` is still in the kernel: process {pid}{waits}", pending.step));
    }
}

fn addresses(functions: &[model::Bdf]) -> String {
    functions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[derive(Serialize)]
struct PlannedJson {
    dry_run: bool,
    unfinished: Vec<UnfinishedJson>,
}

#[derive(Serialize)]
struct UnfinishedJson {
    verb: String,
    guest: Option<String>,
    functions: Vec<String>,
    void: bool,
}

/// What was settled, and what is in doubt still.
#[derive(Serialize)]
pub struct RecoveredJson {
    voided: usize,
    settled: Vec<SettledJson>,
    /// Instances that had ended, or had lost their supervisor.
    instances: Vec<InstanceJson>,
    in_doubt: Vec<PendingJson>,
}

#[derive(Serialize)]
struct SettledJson {
    verb: String,
    guest: Option<String>,
    functions: Vec<String>,
    error: Option<String>,
}

#[derive(Serialize)]
struct InstanceJson {
    name: String,
    found: &'static str,
}

#[derive(Serialize)]
struct PendingJson {
    step: String,
    pid: u32,
    wait_channel: Option<String>,
}

impl UnfinishedJson {
    fn of(plan: &Unfinished) -> Self {
        Self {
            verb: plan.verb.to_string(),
            guest: plan.guest.clone(),
            functions: plan.functions.iter().map(ToString::to_string).collect(),
            void: plan.void,
        }
    }
}

impl RecoveredJson {
    pub fn of(recovered: &Recovered) -> Self {
        let settled = recovered.settled.iter().map(|plan| SettledJson {
            verb: plan.verb.to_string(),
            guest: plan.guest.clone(),
            functions: plan.functions.iter().map(ToString::to_string).collect(),
            error: plan.failure.as_ref().map(ToString::to_string),
        });
        let instances = recovered.instances.iter().map(|instance| InstanceJson {
            name: instance.name.to_string(),
            found: match instance.found {
                Found::Ended => "ended",
                Found::Orphaned => "orphaned",
            },
        });
        let in_doubt = recovered.pending.iter().map(|pending| PendingJson {
            step: pending.step.to_string(),
            pid: pending.process.pid,
            wait_channel: pending.wait_channel.clone(),
        });
        Self {
            voided: recovered.voided,
            settled: settled.collect(),
            instances: instances.collect(),
            in_doubt: in_doubt.collect(),
        }
    }
}

//! An emulated machine that stands still: its processors wait for an interrupt, and none comes. It was seen with two
//! processors, in one start of some thirty, and with one not yet (docs/decisions/0012). What is found at the time goes
//! into `stall.log` in the run directory.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use serde_json::{Value, json};

use crate::host::LabHost;

/// A machine that says nothing for so long stands still. The agent of one that is merely busy says every two seconds
/// that it is there.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);

/// What became of machines that stood still.
const LOG: &str = "stall.log";

/// Looks where its processors are and what their timers do. One that was merely stopped goes on; more has not helped.
pub(crate) fn look_and_continue(host: &LabHost) {
    let mut found = String::new();
    for order in ["info status", "info registers -a", "info lapic 0", "info lapic 1", "info pic"] {
        let said = host.qmp("human-monitor-command", &json!({"command-line": order}));
        let said = said.map_or_else(
            |error| error.to_string(),
            |said| said.as_str().unwrap_or_default().to_owned(),
        );
        // Of the registers, those that say where it is: x86 and POWER name it differently.
        let is_place = |line: &str| line.contains("RIP=") || line.contains("NIP ");
        let is_of_use = |line: &&str| order != "info registers -a" || is_place(line);
        found.extend(said.lines().filter(is_of_use).map(|line| format!("{line}\n")));
    }
    note(host, &format!("stands still:\n{found}continued"));
    order(host, "cont");
}

/// Starts one anew that does not come up: nothing has been done in it yet.
pub(crate) fn start_again(host: &LabHost) {
    look_and_continue(host);
    note(host, "started again");
    order(host, "system_reset");
}

fn order(host: &LabHost, command: &str) {
    if let Err(error) = host.qmp(command, &Value::Object(Default::default())) {
        note(host, &format!("{command}: {error}"));
    }
}

fn note(host: &LabHost, text: &str) {
    eprintln!("lab host {}: {}", host.name(), text.lines().next().unwrap_or_default());
    let log = OpenOptions::new().create(true).append(true).open(host.logs().join(LOG));
    // Whoever wonders later has the line above in any case.
    let _ = log.and_then(|mut log| writeln!(log, "{text}"));
}

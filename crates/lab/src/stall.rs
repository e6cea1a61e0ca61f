//! An emulated machine that stands still: all its processors wait for an interrupt, and none comes. It was seen in one
//! start of some thirty, at any moment, even with nobody using the machine. The wakeup is lost outside of it, so it is
//! woken from outside; what was found, and what helped, is in the run directory.

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

/// A way to wake a machine.
pub(crate) type Rescue = fn(&LabHost);

/// What is tried, in this order, each given [`SILENCE`] to help.
pub(crate) const RESCUES: [Rescue; 2] = [look_and_continue, interrupt];

/// QEMU looks at its processors anew when they are stopped and continued.
fn look_and_continue(host: &LabHost) {
    let mut found = String::new();
    for order in ["info status", "info registers -a", "info lapic 0", "info lapic 1", "info pic"] {
        let said = host.qmp("human-monitor-command", &json!({"command-line": order}));
        let said = said.map_or_else(
            |error| error.to_string(),
            |said| said.as_str().unwrap_or_default().to_owned(),
        );
        // Of the registers, those that say where it is.
        let is_of_use = |line: &&str| order != "info registers -a" || line.contains("RIP=");
        found.extend(said.lines().filter(is_of_use).map(|line| format!("{line}\n")));
    }
    note(host, &format!("stands still:\n{found}stopped and continued"));
    order(host, "stop");
    order(host, "cont");
}

/// An interrupt that no processor can ignore; Linux says a line about it and goes on.
fn interrupt(host: &LabHost) {
    note(host, "still: interrupted (NMI)");
    order(host, "inject-nmi");
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

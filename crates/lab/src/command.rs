//! Programs that the lab runs to their end on this machine; what they say is kept for the error only.

use std::process::{Command, Output, Stdio};

use crate::error::{Error, Result};

/// Runs a command to its end; a failure carries the last lines of what it said.
pub(crate) fn succeed(command: &mut Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|source| Error::Spawn {
        program: name.clone(),
        hint: " (setup/install installs what the lab needs)",
        source,
    })?;
    if output.status.success() {
        return Ok(output);
    }
    let said = [output.stdout, output.stderr].concat();
    let tail = tail(&String::from_utf8_lossy(&said), 30);
    Err(Error::Command { command: name, status: output.status.to_string(), tail })
}

/// The last `lines` of a text.
pub(crate) fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

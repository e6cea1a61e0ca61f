//! QEMU's control socket, for what happens to a machine from outside: a device that vanishes, a power button.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::qemu::QMP;
use crate::socket::connect;

/// Runs one command and returns what it returned, or the reason of its refusal.
pub(crate) fn execute(
    dir: &Path,
    command: &str,
    arguments: &Value,
) -> io::Result<Result<Value, String>> {
    let stream = connect(dir, QMP)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut lines = BufReader::new(stream.try_clone()?);
    let mut to = stream;
    read_value(&mut lines)?; // the greeting
    ask(&mut to, &mut lines, &json!({"execute": "qmp_capabilities"}))?.map_err(io::Error::other)?;
    ask(&mut to, &mut lines, &json!({"execute": command, "arguments": arguments}))
}

fn ask(
    to: &mut impl Write,
    lines: &mut impl BufRead,
    order: &Value,
) -> io::Result<Result<Value, String>> {
    to.write_all(format!("{order}\n").as_bytes())?;
    loop {
        // Events come in between; nobody waits for them here.
        let mut value = read_value(lines)?;
        if let Some(answer) = value.get_mut("return") {
            return Ok(Ok(answer.take()));
        }
        if let Some(error) = value.get("error") {
            let reason = error.get("desc").and_then(Value::as_str).unwrap_or("no reason given");
            return Ok(Err(reason.to_owned()));
        }
    }
}

fn read_value(lines: &mut impl BufRead) -> io::Result<Value> {
    let mut line = String::new();
    if lines.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(serde_json::from_str(&line)?)
}

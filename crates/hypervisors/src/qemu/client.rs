//! The QEMU Machine Protocol over a Unix socket, blocking.
//!
//! In: commands. Out: answers and events, both as JSON. Each line that QEMU
//! sends is one object (`docs/interop/qmp-spec.rst`). An event is data: one
//! that this version has not heard of is kept like any other and breaks
//! nothing. Every wait has a deadline that no flow of events extends; after
//! one has passed the connection is still good, and a late answer is told
//! from the next by its id. Never: a thread, a retry.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::socket::connect_within;
use crate::patience::Patience;

/// The longest line that is read. QEMU's longest answers (its schema) are
/// below 1 MiB.
const MAX_LINE: usize = 16 << 20;
/// Between two looks at whether whoever waits has lost patience.
const LOOK: Duration = Duration::from_millis(50);
/// Events that are kept for someone to ask for; the oldest are dropped.
const MAX_EVENTS: usize = 4096;

/// A connection that has been greeted.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    /// Read and not yet taken apart.
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are known to hold no end of line.
    scanned: usize,
    events: VecDeque<Event>,
    next_id: u64,
    deadline: Duration,
}

/// How long an answer is waited for, and which.
#[derive(Clone, Copy)]
struct Wait<'a> {
    until: Instant,
    total: Duration,
    answer_to: &'a str,
    patience: Option<&'a Patience>,
}

/// Something that happened in the guest or to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// `DEVICE_DELETED`, `SHUTDOWN`, …
    pub name: String,
    /// `null` when the event carries none.
    pub data: Value,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    #[error("cannot connect to `{path}`")]
    Connect { path: String, source: io::Error },
    #[error("cannot {doing}")]
    Io { doing: &'static str, source: io::Error },
    #[error("QEMU closed the connection: it has ended, or serves another client")]
    Closed,
    #[error("no answer to `{to}` within {} ms", waited.as_millis())]
    Deadline { to: String, waited: Duration },
    #[error("interrupted")]
    Interrupted,
    #[error("QEMU sent something that is not its protocol: `{0}`")]
    Malformed(String),
    #[error("QEMU sent a line of more than {MAX_LINE} bytes")]
    TooLong,
    /// QEMU's own words.
    #[error("`{command}` failed: {text}")]
    Refused { command: String, class: String, text: String },
}

impl Event {
    /// A text of the event's data, by key.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.data.get(key).and_then(Value::as_str)
    }
}

impl QmpError {
    /// QEMU knows no such device (any more).
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { class, .. } if class == "DeviceNotFound")
    }
}

impl Qmp {
    /// Connect and greet. `deadline` is for the greeting and for each later answer.
    pub fn connect(path: &Path, deadline: Duration) -> Result<Self, QmpError> {
        Self::connect_with(path, &deadline.into())
    }

    /// The same, for somebody who may lose patience before the greeting:
    /// nothing was asked for by then.
    pub fn connect_with(path: &Path, patience: &Patience) -> Result<Self, QmpError> {
        Self::greet_with(connect_within(path, patience)?, patience)
    }

    /// Greet on a connection that is there already.
    pub fn greet(stream: UnixStream, deadline: Duration) -> Result<Self, QmpError> {
        Self::greet_with(stream, &deadline.into())
    }

    fn greet_with(stream: UnixStream, patience: &Patience) -> Result<Self, QmpError> {
        let deadline = patience.wait();
        let mut qmp = Self {
            stream,
            buffer: Vec::new(),
            scanned: 0,
            events: VecDeque::new(),
            next_id: 0,
            deadline,
        };
        let wait = Wait { patience: Some(patience), ..Wait::new(deadline, "the greeting") };
        loop {
            let message = qmp.message(wait)?;
            if message.get("QMP").is_some() {
                break;
            }
            // Events may come before it; anything else is not QEMU.
            if !qmp.keep_event(&message) {
                return Err(QmpError::Malformed(excerpt(&message.to_string())));
            }
        }
        qmp.execute("qmp_capabilities", &Value::Null)?;
        Ok(qmp)
    }

    /// One command and its answer. `arguments` is an object, or null for none.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value, QmpError> {
        let id = self.next_id;
        self.next_id += 1;
        let mut request = json!({ "execute": command, "id": id });
        if !arguments.is_null() {
            request["arguments"] = arguments.clone();
        }
        let wait = Wait::new(self.deadline, command);
        self.send(&request, wait)?;
        loop {
            let mut message = self.message(wait)?;
            if self.keep_event(&message) {
                continue;
            }
            if let Some(error) = message.get("error") {
                // A command that QEMU could not parse is answered without an id.
                let anonymous = message.get("id").is_none();
                if anonymous || message.get("id") == Some(&id.into()) {
                    return Err(refused(command, error));
                }
            } else if message.get("id") == Some(&id.into()) {
                return Ok(message.get_mut("return").map_or(Value::Null, Value::take));
            }
            // The late answer to a command that was given up.
        }
    }

    /// The oldest event that has not been taken, waiting for one no longer
    /// than `wait`; `None` when none came.
    pub fn next_event(&mut self, wait: Duration) -> Result<Option<Event>, QmpError> {
        let wait = Wait::new(wait, "an event");
        while self.events.is_empty() {
            match self.message(wait) {
                Ok(message) => {
                    self.keep_event(&message);
                }
                Err(QmpError::Deadline { .. }) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(self.events.pop_front())
    }

    /// Events that have come and not been taken, oldest first.
    pub fn take_events(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    fn keep_event(&mut self, message: &Value) -> bool {
        let Some(name) = message.get("event").and_then(Value::as_str) else { return false };
        let data = message.get("data").cloned().unwrap_or(Value::Null);
        if self.events.len() == MAX_EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(Event { name: name.to_owned(), data });
        true
    }

    fn send(&mut self, request: &Value, wait: Wait<'_>) -> Result<(), QmpError> {
        let io = |source| QmpError::Io { doing: "send to QEMU", source };
        self.stream.set_write_timeout(Some(wait.left()?)).map_err(io)?;
        let line = format!("{request}\r\n");
        self.stream.write_all(line.as_bytes()).map_err(|source| match source.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => QmpError::Closed,
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => wait.over(),
            _ => io(source),
        })
    }

    /// The next object that QEMU sends.
    fn message(&mut self, wait: Wait<'_>) -> Result<Value, QmpError> {
        loop {
            if let Some(line) = self.take_line() {
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let value = serde_json::from_slice::<Value>(&line).ok().filter(Value::is_object);
                let text = || excerpt(&String::from_utf8_lossy(&line));
                return value.ok_or_else(|| QmpError::Malformed(text()));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(QmpError::TooLong);
            }
            self.fill(wait)?;
        }
    }

    fn take_line(&mut self) -> Option<Vec<u8>> {
        let fresh = &self.buffer[self.scanned..];
        let Some(end) = fresh.iter().position(|byte| *byte == b'\n') else {
            self.scanned = self.buffer.len();
            return None;
        };
        let rest = self.buffer.split_off(self.scanned + end + 1);
        self.scanned = 0;
        Some(std::mem::replace(&mut self.buffer, rest))
    }

    fn fill(&mut self, wait: Wait<'_>) -> Result<(), QmpError> {
        let io = |source| QmpError::Io { doing: "read from QEMU", source };
        let left = wait.left()?;
        let left = if wait.patience.is_some() { left.min(LOOK) } else { left };
        self.stream.set_read_timeout(Some(left)).map_err(io)?;
        let mut chunk = [0; 16 << 10];
        match self.stream.read(&mut chunk) {
            Ok(0) => Err(QmpError::Closed),
            Ok(count) => {
                self.buffer.extend_from_slice(&chunk[..count]);
                Ok(())
            }
            Err(error) => match error.kind() {
                // The loop sees for itself whether the time is up.
                io::ErrorKind::WouldBlock
                | io::ErrorKind::TimedOut
                | io::ErrorKind::Interrupted => Ok(()),
                io::ErrorKind::ConnectionReset => Err(QmpError::Closed),
                _ => Err(io(error)),
            },
        }
    }
}

/// Can be read when QEMU said something that was not taken apart yet.
impl AsFd for Qmp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl<'a> Wait<'a> {
    fn new(total: Duration, answer_to: &'a str) -> Self {
        Self { until: Instant::now() + total, total, answer_to, patience: None }
    }

    /// What is left of the time, never zero: a socket takes zero for "for ever".
    fn left(self) -> Result<Duration, QmpError> {
        if self.patience.is_some_and(Patience::is_lost) {
            return Err(QmpError::Interrupted);
        }
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.over()) } else { Ok(left) }
    }

    fn over(self) -> QmpError {
        QmpError::Deadline { to: self.answer_to.to_owned(), waited: self.total }
    }
}

fn refused(command: &str, error: &Value) -> QmpError {
    let text = |key: &str| error.get(key).and_then(Value::as_str).unwrap_or("").to_owned();
    QmpError::Refused { command: command.to_owned(), class: text("class"), text: text("desc") }
}

/// The beginning of a line, for a message.
fn excerpt(text: &str) -> String {
    let start: String = text.trim().chars().take(80).collect();
    if start.len() < text.trim().len() { format!("{start}…") } else { start }
}

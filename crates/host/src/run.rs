//! Running commands: one program, its arguments, a deadline.
//!
//! In: a [`Cmd`]. Out: what it printed and how it ended, or why not. The
//! command gets no input, plain messages (`LC_ALL=C`) and a process group of
//! its own, which is ended at the deadline: SIGTERM, then SIGKILL. Never: a
//! shell, or a wait for a process that ignores even SIGKILL.

use std::io::{ErrorKind, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use model::port::{Cmd, Output, RunError, Runner};
use rustix::process::{Pid, Signal, kill_process_group};

/// What a command may print before the rest is dropped.
const LONGEST: usize = 4 << 20;
/// Between two looks at whether it has ended, at most.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// How long a process has to end after each signal, and its pipes to close.
const GRACE: Duration = Duration::from_secs(2);
/// Where system programs are; a user's PATH often lacks these.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What of a command's complaints goes into an error.
const TAIL: usize = 1024;

/// Runs commands on this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct CommandRunner;

impl Runner for CommandRunner {
    fn run(&mut self, cmd: &Cmd) -> Result<Output, RunError> {
        let begun = Instant::now();
        let mut child = start(cmd).map_err(|error| RunError::Start {
            program: cmd.program.clone(),
            text: error.to_string(),
        })?;
        let stdout = child.stdout.take().map(Collector::start);
        let stderr = child.stderr.take().map(Collector::start);
        let Some(status) = wait(&mut child, begun + cmd.deadline) else {
            end(&mut child);
            let program = cmd.program.clone();
            return Err(RunError::Deadline { program, deadline: cmd.deadline });
        };
        let stdout = stdout.map(Collector::finish).unwrap_or_default();
        let stderr = stderr.map(Collector::finish).unwrap_or_default();
        Ok(Output { status: status.code(), stdout, stderr })
    }
}

/// Runs nothing: commands ask and change the machine that they run on, and
/// not the one that is looked at (another root directory, a recording).
#[derive(Clone, Copy, Debug, Default)]
pub struct NoCommands;

impl Runner for NoCommands {
    fn run(&mut self, cmd: &Cmd) -> Result<Output, RunError> {
        let text = "this is not the machine that passthru runs on".to_owned();
        Err(RunError::Start { program: cmd.program.clone(), text })
    }
}

/// The last of what a command complained, on whole characters.
pub fn stderr_tail(output: &Output) -> &str {
    let text = output.stderr.trim();
    let from = text.len().saturating_sub(TAIL);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    &text[from..]
}

fn start(cmd: &Cmd) -> std::io::Result<Child> {
    let path = match std::env::var("PATH") {
        Ok(path) if !path.is_empty() => format!("{path}:{SYSTEM_PATH}"),
        _ => SYSTEM_PATH.to_owned(),
    };
    Command::new(&cmd.program)
        .args(&cmd.args)
        .env("LC_ALL", "C")
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
}

/// Its end, or `None` at the deadline. Looking is what also keeps the pid
/// from going to another process, so that signals hit the right one.
fn wait(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    let mut pause = Duration::from_micros(500);
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        let left = until.checked_duration_since(Instant::now())?;
        sleep(pause.min(left));
        pause = (pause * 2).min(LOOK_EVERY);
    }
}

/// End its whole group; what ignores SIGKILL is left to itself.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    for signal in [Signal::TERM, Signal::KILL] {
        if let Some(group) = group {
            let _ = kill_process_group(group, signal);
        }
        if wait(child, Instant::now() + GRACE).is_some() {
            return;
        }
    }
}

/// Reads one pipe to its end, in a thread, so that a full pipe blocks nobody.
struct Collector {
    text: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Collector {
    fn start(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&text);
        let thread = thread::spawn(move || {
            let mut chunk = [0; 8192];
            loop {
                match pipe.read(&mut chunk) {
                    Ok(0) => return,
                    Ok(count) => keep(&into, &chunk[..count]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => return,
                }
            }
        });
        Self { text, thread }
    }

    /// What was read when the pipe closed. A process that the command left
    /// behind may hold it open for ever: then what was read so far.
    fn finish(self) -> String {
        let until = Instant::now() + GRACE;
        while !self.thread.is_finished() && Instant::now() < until {
            sleep(Duration::from_micros(200));
        }
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn keep(into: &Mutex<Vec<u8>>, chunk: &[u8]) {
    let mut text = into.lock().unwrap_or_else(PoisonError::into_inner);
    let room = LONGEST.saturating_sub(text.len()).min(chunk.len());
    text.extend_from_slice(&chunk[..room]);
}

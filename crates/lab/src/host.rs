//! A running lab host, as a value: commands go in, their output comes out. Dropping the value ends the machine,
//! and so does the end of the process that holds it; only `lab up` leaves one behind.

use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;
use std::time::{Duration, Instant};
use std::{fs, io};

use hypervisors::qemu::Qmp;
use serde_json::Value;

use crate::boot::Boot;
use crate::client::Client;
use crate::command::tail;
use crate::error::{Error, Result};
use crate::image::Image;
use crate::platform::Platform;
use crate::qemu::{self, CONSOLE, CONSOLE_LOG, Life, QEMU_LOG, SHARE};
use crate::record::{self, Record};
use crate::topology::Topology;
use crate::wire::{Answer, Op};
use crate::{disk, power9, share, stall};

/// From QEMU's start to the agent's first answer; emulated on a busy machine this is most of a minute.
const BOOT: Duration = Duration::from_secs(240);
/// A machine that has not come up by then is started again.
const BOOT_USUAL: Duration = Duration::from_secs(100);
/// For a command that nobody gave a deadline.
const USUAL: Duration = Duration::from_secs(120);
/// What the agent may need beyond a command's own deadline to kill it and to answer.
const SLACK: Duration = Duration::from_secs(20);
/// For an answer of the QEMU that plays the machine.
const ANSWER: Duration = Duration::from_secs(30);

/// Starts lab hosts.
#[derive(Debug)]
pub struct Lab;

impl Lab {
    /// Boots a topology by name (see `topologies/`) and waits until it answers. Builds the image, the guest
    /// and the binaries when they are missing or old. The lab host ends when the value is dropped.
    pub fn start(topology: &str) -> Result<LabHost> {
        LabHost::boot(&Topology::named(topology)?, Life::WithProcess)
    }

    /// The same for a topology that a test has changed.
    pub fn start_as(topology: &Topology) -> Result<LabHost> {
        LabHost::boot(topology, Life::WithProcess)
    }

    /// The same, but the lab host stays up until `Record::end` (`cargo xtask lab down`).
    pub fn up(topology: &str) -> Result<LabHost> {
        LabHost::boot(&Topology::named(topology)?, Life::OfItsOwn)
    }

    /// A lab host that is up already, by its name or its topology's.
    pub fn find(name: &str) -> Result<LabHost> {
        let record = record::find(name)?;
        let client = Mutex::new(None);
        Ok(LabHost { record, child: Mutex::new(None), life: Life::OfItsOwn, client })
    }
}

/// A lab host that is up. Its commands run one after the other.
#[derive(Debug)]
pub struct LabHost {
    record: Record,
    child: Mutex<Option<Child>>,
    life: Life,
    client: Mutex<Option<Client>>,
}

/// What a command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// The exit code; 128 + the signal's number for one that was killed, as in a shell.
    pub status: i32,
    /// Killed at its deadline.
    pub timed_out: bool,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    pub fn success(&self) -> bool {
        self.status == 0 && !self.timed_out
    }
}

impl LabHost {
    fn boot(topology: &Topology, life: Life) -> Result<Self> {
        let image = match topology.platform {
            Platform::X86 => Image::ensure()?,
            Platform::Power9 => power9::image()?,
        };
        let boot = Boot::ensure(topology, &image)?;
        let (name, dir) = record::new_dir(&topology.name)?;
        share::fill(&dir.join(SHARE), &image, topology)?;
        for disk in &topology.disks {
            disk::create(&dir.join(format!("{}.raw", disk.id)), &disk.id, disk.mib)?;
        }
        boot.prepare(&dir)?;
        let child = qemu::start(topology, &boot, &dir, life)?;
        let pid = child.id();
        let started = record::start_time(pid).unwrap_or_default();
        let record = Record { name, topology: topology.name.clone(), pid, started };
        let host = Self { record, child: Mutex::new(Some(child)), life, client: Mutex::new(None) };
        let up = host.record.write().and_then(|()| host.wait_for_agent(None, BOOT));
        // A machine that does not come up is not left behind, whoever wanted it.
        up.inspect_err(|_| host.end())?;
        Ok(host)
    }

    /// `TOPOLOGY-NUMBER`.
    pub fn name(&self) -> &str {
        &self.record.name
    }

    /// Where the console's and QEMU's logs are.
    pub fn logs(&self) -> PathBuf {
        self.record.dir()
    }

    /// Runs a shell command and returns what it left, whatever its exit code; two minutes at most.
    pub fn run(&self, command: &str) -> Result<Output> {
        self.run_within(command, b"", USUAL)
    }

    /// Runs a shell command with standard input and a deadline at which it is killed.
    pub fn run_within(&self, command: &str, stdin: &[u8], deadline: Duration) -> Result<Output> {
        let deadline_ms = deadline.as_millis().try_into().unwrap_or(u64::MAX);
        let op = Op::Run { command: command.to_owned(), deadline_ms };
        match self.ask(op, stdin, deadline + SLACK)? {
            (Answer::Ended { code, signal, timed_out, stdout_len }, body) => {
                let (stdout, stderr) = body.split_at(stdout_len.min(body.len()));
                let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
                let status = code.or(signal.map(|signal| 128 + signal)).unwrap_or(-1);
                Ok(Output { status, timed_out, stdout: text(stdout), stderr: text(stderr) })
            }
            (other, _) => Err(self.refused(other)),
        }
    }

    /// Runs a shell command that must succeed and returns its standard output.
    pub fn sh_ok(&self, command: &str) -> Result<String> {
        let output = self.run(command)?;
        if output.success() {
            return Ok(output.stdout);
        }
        let Output { status, timed_out, stdout, stderr } = output;
        let what = if timed_out { "was too slow".into() } else { format!("exited with {status}") };
        let name = self.record.name.clone();
        Err(Error::Unsuccessful { name, command: command.to_owned(), what, stdout, stderr })
    }

    /// Asks again and again until a shell condition holds.
    pub fn wait_for(&self, condition: &str, within: Duration) -> Result<()> {
        let script = format!("until {condition}; do sleep 0.2; done");
        let output = self.run_within(&script, b"", within)?;
        if output.success() {
            return Ok(());
        }
        let what = format!("did not hold within {} s", within.as_secs());
        let (name, command) = (self.record.name.clone(), condition.to_owned());
        Err(Error::Unsuccessful {
            name,
            command,
            what,
            stdout: output.stdout,
            stderr: output.stderr,
        })
    }

    /// Writes a file in the lab host, with its directories.
    pub fn write_file(&self, path: &str, content: &[u8], mode: u32) -> Result<()> {
        match self.ask(Op::Write { path: path.to_owned(), mode }, content, USUAL)? {
            (Answer::Written, _) => Ok(()),
            (other, _) => Err(self.refused(other)),
        }
    }

    /// Reads a file of the lab host.
    pub fn read_file(&self, path: &str) -> Result<Vec<u8>> {
        match self.ask(Op::Read { path: path.to_owned() }, b"", USUAL)? {
            (Answer::Content, content) => Ok(content),
            (other, _) => Err(self.refused(other)),
        }
    }

    /// Restarts the machine in order (`systemctl reboot`, so x86 only) and waits until it answers again. Its disks
    /// keep what was written to them.
    pub fn reboot(&self) -> Result<()> {
        let before = self.sh_ok("cat /proc/sys/kernel/random/boot_id")?;
        // In a moment: the agent must have answered before it is stopped.
        self.sh_ok("setsid sh -c 'sleep 0.5; systemctl reboot' >/dev/null 2>&1 &")?;
        self.wait_for_agent(Some(before.trim()), BOOT)
    }

    /// Pulls the plug and plugs it in again: nothing is written back, no service is stopped.
    pub fn crash(&self) -> Result<()> {
        let before = self.sh_ok("cat /proc/sys/kernel/random/boot_id")?;
        self.qmp("system_reset", &Value::Object(Default::default()))?;
        self.wait_for_agent(Some(before.trim()), BOOT)
    }

    /// A command to the QEMU that plays the machine: `device_del`, `device_add`, `system_powerdown` …
    pub fn qmp(&self, command: &str, arguments: &Value) -> Result<Value> {
        let name = self.record.name.clone();
        let stream = crate::socket::connect(&self.record.dir(), qemu::QMP)
            .map_err(|source| Error::Talk { name: name.clone(), socket: qemu::QMP, source })?;
        Qmp::greet(stream, ANSWER)
            .and_then(|mut qemu| qemu.execute(command, arguments))
            .map_err(|source| Error::Qmp { name, source })
    }

    /// Brings binaries that were built since into the running machine.
    pub fn refresh(&self) -> Result<()> {
        let platform = Topology::named(&self.record.topology)?.platform;
        share::refresh(&self.record.dir().join(SHARE), platform)?;
        self.sh_ok("install -D -t /usr/local/bin /lab/bin/passthru").map(drop)
    }

    /// The serial console, for a person at a terminal.
    pub fn console(&self) -> Result<std::os::unix::net::UnixStream> {
        let name = self.record.name.clone();
        crate::socket::connect(&self.record.dir(), CONSOLE).map_err(|source| Error::Talk {
            name,
            socket: CONSOLE,
            source,
        })
    }

    /// The last lines of the serial console.
    pub fn console_tail(&self, lines: usize) -> String {
        let text = fs::read(self.record.dir().join(CONSOLE_LOG)).unwrap_or_default();
        tail(&String::from_utf8_lossy(&text), lines)
    }

    /// Ends the machine and waits until it is gone.
    pub fn end(&self) {
        *self.client.lock().unwrap_or_else(|poison| poison.into_inner()) = None;
        let _ = self.record.end();
        let mut child = self.child.lock().unwrap_or_else(|poison| poison.into_inner());
        if let Some(mut child) = child.take() {
            let _ = child.wait();
        }
    }

    fn ask(&self, op: Op, body: &[u8], within: Duration) -> Result<(Answer, Vec<u8>)> {
        let start = Instant::now();
        let mut line = self.client.lock().unwrap_or_else(|poison| poison.into_inner());
        let result = match line.as_mut() {
            Some(client) => self.converse(client, op, body, within),
            None => Client::connect(&self.record.dir())
                .and_then(|client| self.converse(line.insert(client), op, body, within)),
        };
        // After a failure what is on the line belongs to nobody: the next one starts afresh.
        result.map_err(|error| {
            *line = None;
            self.explain(&error, start.elapsed())
        })
    }

    /// One request and its answer. A machine that stands still is given up long before the deadline.
    fn converse(
        &self,
        client: &mut Client,
        op: Op,
        body: &[u8],
        within: Duration,
    ) -> io::Result<(Answer, Vec<u8>)> {
        let until = Instant::now() + within;
        client.send(op, body, within)?;
        match client.hear(until, stall::SILENCE) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut && Instant::now() < until => {
                stall::look_and_continue(self);
                client.hear(until, stall::SILENCE)
            }
            heard => heard,
        }
    }

    /// Waits for an agent's answer, from another start of the machine than `not_boot`.
    fn wait_for_agent(&self, not_boot: Option<&str>, within: Duration) -> Result<()> {
        let start = Instant::now();
        // Only what has not been up yet has nothing to lose.
        let mut patience = not_boot.is_none().then_some(BOOT_USUAL);
        loop {
            match self.ask(Op::Ping, b"", Duration::from_secs(3)) {
                Ok((Answer::Pong { boot_id }, _)) if Some(boot_id.as_str()) != not_boot => {
                    return Ok(());
                }
                Err(error @ Error::Died { .. }) => return Err(error),
                _ if start.elapsed() > within => return Err(self.silent(within)),
                _ if patience.is_some_and(|patience| start.elapsed() > patience) => {
                    patience = None;
                    stall::start_again(self);
                }
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn explain(&self, error: &io::Error, within: Duration) -> Error {
        if error.kind() == io::ErrorKind::TimedOut || self.record.is_up() {
            return self.silent(within);
        }
        let qemu = fs::read_to_string(self.record.dir().join(QEMU_LOG)).unwrap_or_default();
        // A line for each feature of the processor that emulation lacks says nothing about the failure.
        let telling: Vec<_> = qemu.lines().filter(|line| !line.contains("TCG doesn't")).collect();
        let tail = format!("{}\n{}", self.console_tail(10), tail(&telling.join("\n"), 20));
        let (name, logs) = (self.record.name.clone(), self.record.dir());
        Error::Died { name, status: error.to_string(), logs, tail }
    }

    fn silent(&self, after: Duration) -> Error {
        let tail = self.console_tail(30);
        Error::Silent { name: self.record.name.clone(), after, logs: self.record.dir(), tail }
    }

    fn refused(&self, answer: Answer) -> Error {
        let message = match answer {
            Answer::Failed { message } => message,
            other => format!("unexpected answer {other:?}"),
        };
        Error::Agent { name: self.record.name.clone(), message }
    }
}

impl Drop for LabHost {
    fn drop(&mut self) {
        if self.life == Life::WithProcess {
            self.end();
        }
    }
}

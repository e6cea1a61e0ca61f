//! The machine, the engine, and what the tests begin with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use engine::{Engine, Grace, Instance, Name, Process, RunRequest};
use fakehost::{FakeHost, TreeSnapshot};
use hypervisors::machine::Accel;
use tempfile::TempDir;

use crate::limit::{Limit, end};
use crate::program;

pub const NVME: &str = "0000:66:00.0";
pub const EDU: &str = "0000:67:00.0";

/// Whoever waits, waits no longer.
pub const PATIENCE: Duration = Duration::from_secs(120);

pub struct Given {
    pub host: FakeHost,
    pub state: TempDir,
    limit: Limit,
}

impl Given {
    pub fn new() -> Self {
        let host = FakeHost::new()
            .root_port("0000:00:02.0", 0x66)
            .root_port("0000:00:03.0", 0x67)
            .nvme(NVME)
            .edu(EDU)
            .loaded("vfio-pci");
        Self::on(host)
    }

    pub fn on(host: FakeHost) -> Self {
        let state = tempfile::tempdir().unwrap();
        let limit = Limit::new(state.path(), host.root());
        Self { host, state, limit }
    }

    pub fn engine(&self) -> Engine {
        program::engine(self.state.path(), self.host.root())
            .probe_wait(Duration::ZERO)
            .patience(PATIENCE)
            .interrupted_by(self.limit.flag())
    }

    /// `run` as a process of its own.
    pub fn run_command(&self, name: &str, devices: &[&str]) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(program::args(self.state.path(), self.host.root()));
        command.args(["run", name]).args(devices);
        command
    }

    /// The same machine, restarted.
    pub fn boot_again(&self) {
        let boot_id = self.host.root().join("proc/sys/kernel/random/boot_id");
        std::fs::write(boot_id, "11111111-2222-3333-4444-555555555555").unwrap();
    }

    /// The driver of a function, by the tree itself.
    pub fn driver_of(&self, bdf: &str) -> Option<String> {
        let link = self.host.root().join("sys/bus/pci/devices").join(bdf).join("driver");
        let target = std::fs::read_link(link).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// What is not as it was, but for the drive's nodes: they come with the
    /// driver's first probe only, not with those of other processes.
    pub fn differs(&self, before: &TreeSnapshot) -> Vec<String> {
        let diff = before.diff(&self.host.snapshot_tree()).into_iter();
        diff.filter(|line| !line.contains("nvme0") && !line.contains("/nvme (folder)")).collect()
    }

    #[track_caller]
    pub fn until(&self, what: &str, is: impl Fn(&Given) -> bool) {
        let end = Instant::now() + PATIENCE;
        while !is(self) {
            assert!(Instant::now() < end, "never came: {what}");
            sleep(Duration::from_millis(10));
        }
    }

    pub fn instance(&self, text: &str) -> Instance {
        self.engine().instance(&name(text)).unwrap()
    }
}

impl Drop for Given {
    /// Nothing is left running, whatever became of the test.
    fn drop(&mut self) {
        self.engine().instances().unwrap_or_default().iter().for_each(end);
    }
}

fn qemu() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/instances/qemu-without-vfio")
}

pub fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A small guest that its firmware runs in circles.
pub fn request(text: &str, devices: &[&str]) -> RunRequest {
    let mut request = RunRequest::new(name(text));
    request.devices = devices.iter().map(ToString::to_string).collect();
    request.memory = 64 << 20;
    request.accel = Accel::Tcg;
    request.program = Some(qemu());
    request
}

/// A guest without an operating system does not hear the power button.
pub fn short() -> Grace {
    Grace { guest: Duration::ZERO, hypervisor: Duration::from_secs(60) }
}

pub fn kill(process: Process, signal: &str) {
    let status = Command::new("kill").args(["-s", signal, &process.pid.to_string()]).status();
    status.unwrap();
}

/// The codes of a refusal.
#[track_caller]
pub fn codes(error: &engine::Error) -> Vec<&'static str> {
    let engine::Error::Refused(refusal) = error else { panic!("no refusal: {error}") };
    refusal.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

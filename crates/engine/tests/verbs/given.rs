//! The machine and the engine that the tests begin with.

use std::time::Duration;

use engine::{BindRequest, Engine, StateDir};
use fakehost::FakeHost;
use host::paths::Root;
use tempfile::TempDir;

pub const GPU: &str = "0000:65:00.0";
pub const AUDIO: &str = "0000:65:00.1";
pub const NVME: &str = "0000:66:00.0";
pub const EDU: &str = "0000:67:00.0";

/// A card with two functions in one group and a service that holds it, a
/// drive that nothing needs, and a device without a driver.
pub fn machine() -> FakeHost {
    FakeHost::new()
        .host_bridge("0000:00:00.0")
        .root_port("0000:00:01.0", 0x65)
        .root_port("0000:00:02.0", 0x66)
        .root_port("0000:00:03.0", 0x67)
        .gpu(GPU)
        .with_audio()
        .file(&format!("proc/driver/nvidia/gpus/{GPU}/information"), "Device Minor: \t 0\n")
        .nvme(NVME)
        .edu(EDU)
        .unit("nvidia-persistenced.service", true)
        .process(
            700,
            "nvidia-persistenced",
            &["nvidia0"],
            Some("system.slice/nvidia-persistenced.service"),
        )
}

/// A machine with its state directory.
pub struct Given {
    pub host: FakeHost,
    pub state: TempDir,
}

impl Given {
    pub fn new() -> Self {
        Self { host: machine(), state: tempfile::tempdir().unwrap() }
    }

    /// A new engine, as a new process would make it.
    pub fn engine(&self) -> Engine {
        let root = Root::new(self.host.root());
        let state = StateDir::new(self.state.path());
        let (kernel, runner) = (Box::new(self.host.kernel()), Box::new(self.host.runner()));
        Engine::new(root, state, kernel, runner)
            .probe_wait(Duration::ZERO)
            .let_go(Duration::ZERO)
            .patience(Duration::from_secs(30))
    }

    /// Another boot of the same machine: sysfs is as the kernel makes it.
    pub fn boot_id(&self, id: &str) {
        std::fs::write(self.host.root().join("proc/sys/kernel/random/boot_id"), id).unwrap();
    }
}

/// These devices, with consent to stop services.
pub fn request(devices: &[&str]) -> BindRequest {
    BindRequest {
        devices: devices.iter().map(ToString::to_string).collect(),
        stop_services: true,
        ..BindRequest::default()
    }
}

/// These devices, as they are typed.
pub fn typed(devices: &[&str]) -> Vec<String> {
    devices.iter().map(ToString::to_string).collect()
}

/// The codes of a refusal.
#[track_caller]
pub fn codes(error: &engine::Error) -> Vec<&'static str> {
    let engine::Error::Refused(refusal) = error else { panic!("no refusal: {error}") };
    refusal.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

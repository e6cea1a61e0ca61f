//! A QEMU process that ends with the test.
#![allow(dead_code)]

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hypervisors::qemu::Qmp;
use hypervisors::{Backend, GuestSpec, HostFacts, Start, qemu};

use crate::cases::emulated;

/// Longer than anything takes on a busy machine; reaching it is a failure.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub struct Running {
    child: Child,
    qmp: Option<Qmp>,
}

impl Running {
    /// Start a guest and connect to its first control socket.
    #[track_caller]
    pub fn start(spec: &GuestSpec) -> Self {
        Self::start_on(spec, &emulated())
    }

    /// The same on another host. Where VFIO would pass a device, there is one
    /// that QEMU makes.
    #[track_caller]
    pub fn start_on(spec: &GuestSpec, facts: &HostFacts) -> Self {
        let mut running = Self { child: spawn(spec, facts), qmp: None };
        let socket: PathBuf = spec.monitors[0].clone();
        let until = Instant::now() + PATIENCE;
        while running.qmp.is_none() {
            if let Some(status) = running.child.try_wait().unwrap() {
                panic!("QEMU ended, {status}: {}", running.said());
            }
            assert!(Instant::now() < until, "no control socket");
            running.qmp = Qmp::connect(&socket, Duration::from_secs(30)).ok();
            std::thread::sleep(Duration::from_millis(10));
        }
        running
    }

    /// Start a guest that QEMU will not have; what it says about it.
    #[track_caller]
    pub fn refused(spec: &GuestSpec) -> String {
        let mut running = Self { child: spawn(spec, &emulated()), qmp: None };
        let said = running.said();
        assert!(!running.child.wait().unwrap().success());
        said
    }

    pub fn qmp(&mut self) -> &mut Qmp {
        self.qmp.as_mut().unwrap()
    }

    /// Ask again until there is an answer.
    #[track_caller]
    pub fn until<T>(&mut self, mut ask: impl FnMut(&mut Self) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(Instant::now() < until, "it did not come");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Wait for its end; what it said.
    #[track_caller]
    pub fn end(mut self) -> String {
        self.qmp = None;
        let said = self.said();
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}: {said}");
        said
    }

    /// All of its standard error, which ends with the process.
    fn said(&mut self) -> String {
        let mut text = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn spawn(spec: &GuestSpec, facts: &HostFacts) -> Child {
    let rendered = qemu::Qemu.render(spec, facts).unwrap();
    assert!(rendered.notes.is_empty(), "{:?}", rendered.notes);
    let Start::Process { program, args } = rendered.start else { panic!("nothing to start") };
    let mut command = Command::new(program);
    command
        .args(args.iter().map(|arg| stand_in(arg)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().expect("QEMU is installed (setup/install)")
}

/// At the place of a passed-through function: a source of random numbers,
/// which QEMU has for every machine, with nothing behind it on the host.
fn stand_in(arg: &str) -> String {
    let Some(rest) = arg.strip_prefix("vfio-pci,") else { return arg.to_owned() };
    let properties = rest.split(',').filter(|property| !property.starts_with("sysfsdev="));
    ["virtio-rng-pci"].into_iter().chain(properties).collect::<Vec<_>>().join(",")
}

//! What is different on a terminal: the real program on a pseudo-terminal.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};

use engine::store::Store;
use engine::{InstanceSpec, InstanceState, Name, Process, StateDir};
use host::paths::Root;
use host::process;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::desk::{desktop, run};

/// What comes out of a terminal that a command has as one of its files.
fn on_terminal(mut command: Command, attach: impl Fn(&mut Command, File)) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(path).unwrap();
    attach(&mut command, theirs.try_clone().unwrap());
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    let mut child = command.spawn().unwrap();
    // While anybody has the other side open, reading waits for more.
    drop((command, theirs));
    let mut bytes = Vec::new();
    // It ends by an error, when the last one has closed it.
    let _ = File::from(ours).read_to_end(&mut bytes);
    assert!(child.wait().unwrap().success());
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n")
}

fn stdout(command: &mut Command, terminal: File) {
    command.stdout(terminal);
}

fn stderr(command: &mut Command, terminal: File) {
    command.stderr(terminal).stdout(Stdio::null());
}

/// Nobody: a pid with a start time that no process of this boot has.
const NOBODY: Process = Process { pid: 1, start_time: u32::MAX as u64 };

/// The database of a state directory with one instance.
fn instance(state: &StateDir, root: &Root) -> (Store, Name) {
    let name: Name = "vm1".parse().unwrap();
    state.make().unwrap();
    let spec = serde_json::to_string(&InstanceSpec::default()).unwrap();
    let mut store = Store::open(state).unwrap();
    store.put_instance(&name, &spec, &process::boot_id(root).unwrap(), NOBODY).unwrap();
    (store, name)
}

#[test]
fn a_guest_cannot_command_the_terminal_by_what_it_logs() {
    let host = desktop();
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("state"));
    let said =
        "\u{1b}[2J\u{1b}]0;owned\u{7}[\u{1b}[32m  OK  \u{1b}[0m] up\r\n\tgrün \u{9b}7m\u{8}\n";
    let (_, name) = instance(&state, &Root::new(host.root()));
    std::fs::write(state.make_instance(&name).unwrap().join("console.log"), said).unwrap();
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passthru"));
        command.args(["instance", "logs", "vm1", "--root"]).arg(host.root());
        command.arg("--state").arg(state.path());
        command
    };
    assert_eq!(on_terminal(command(), stdout), "[  OK  ] up\n\tgrün 7m\n");
    assert_eq!(run(&mut command()).out, said, "a pipe gets the bytes");
}

/// The guest's hypervisor is any process here, and it holds no device.
#[test]
fn whoever_watches_is_told_what_takes_long() {
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("state"));
    let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
    let start_time = process::start_time(&Root::real(), sleeper.id()).unwrap().unwrap();
    let hypervisor = Process { pid: sleeper.id(), start_time };
    let (mut store, name) = instance(&state, &Root::real());
    store.set_instance(&name, InstanceState::Starting).unwrap();
    assert!(store.claim_start(&name, NOBODY, hypervisor).unwrap());
    store.set_running(&name).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_passthru"));
    command.args(["instance", "stop", "vm1", "--grace", "7", "--state"]).arg(state.path());
    let told = on_terminal(command, stderr);
    assert!(told.starts_with("waiting for vm1 to shut down (up to 7 s) …\n"), "{told}");
    sleeper.wait().unwrap();
}

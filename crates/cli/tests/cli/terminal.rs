//! What is different on a terminal: the real program on a pseudo-terminal.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::Command;

use engine::store::Store;
use engine::{InstanceSpec, Name, Process, StateDir};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::desk::{desktop, run};

/// What comes out of a terminal that a command writes to.
fn on_terminal(mut command: Command) -> String {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let path = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
    let theirs = OpenOptions::new().read(true).write(true).open(path).unwrap();
    command.stdout(theirs.try_clone().unwrap());
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

/// An instance that said this.
fn instance(state: &StateDir, boot_id: &str, said: &[u8]) -> Name {
    let name: Name = "vm1".parse().unwrap();
    state.make().unwrap();
    let spec = serde_json::to_string(&InstanceSpec::default()).unwrap();
    let owner = Process { pid: std::process::id(), start_time: 1 };
    Store::open(state).unwrap().put_instance(&name, &spec, boot_id, owner).unwrap();
    std::fs::write(state.make_instance(&name).unwrap().join("console.log"), said).unwrap();
    name
}

#[test]
fn a_guest_cannot_command_the_terminal_by_what_it_logs() {
    let host = desktop();
    let dir = tempfile::tempdir().unwrap();
    let state = StateDir::new(dir.path().join("state"));
    let said =
        "\u{1b}[2J\u{1b}]0;owned\u{7}[\u{1b}[32m  OK  \u{1b}[0m] up\r\n\tgrün \u{9b}7m\u{8}\n";
    let root = host::paths::Root::new(host.root());
    instance(&state, &host::process::boot_id(&root).unwrap(), said.as_bytes());
    let command = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_passthru"));
        command.args(["instance", "logs", "vm1", "--root"]).arg(host.root());
        command.arg("--state").arg(state.path());
        command
    };
    assert_eq!(on_terminal(command()), "[  OK  ] up\n\tgrün 7m\n");
    assert_eq!(run(&mut command()).out, said, "a pipe gets the bytes");
}

//! A small `passthru`: the engine in processes of its own, on a pretended
//! machine that they share.
//!
//! It is one of these tests, started again with words behind the options that
//! make the harness run it alone: `state=DIR root=DIR SUBCOMMAND NAME …`.
//! Without them it does nothing.

use std::ffi::OsString;
use std::path::Path;

use engine::spawn::{DETACH, GUEST, SUPERVISE};
use engine::{Engine, Error, Name, Process, StateDir};
use fakehost::Visitor;
use host::paths::Root;

use crate::given::request;

/// What makes a process of these tests the program.
pub fn args(state: &Path, root: &Path) -> Vec<OsString> {
    let place = |key: &str, path: &Path| format!("{key}={}", path.display()).into();
    let harness = ["program::program", "--exact", "--ignored", "--nocapture", "--quiet"];
    let harness = harness.into_iter().map(OsString::from);
    harness.chain([place("state", state), place("root", root)]).collect()
}

/// An engine for a pretended machine that other processes change as well.
pub fn engine(state: &Path, root: &Path) -> Engine {
    let doors = || Box::new(Visitor::new(root).knowing("nvme", (0x144d, 0xa808)));
    let program = std::env::current_exe().unwrap();
    Engine::new(Root::new(root), StateDir::new(state), doors(), doors())
        .own_program(program, args(state, root))
}

#[test]
#[ignore = "a program for the other tests to start"]
fn program() {
    let words: Vec<String> = std::env::args().collect();
    let at = |key: &str| words.iter().position(|word| word.starts_with(key));
    let (Some(state), Some(root)) = (at("state="), at("root=")) else { return };
    let place = |at: usize| Path::new(words[at].split_once('=').unwrap().1);
    let mut engine = engine(place(state), place(root));
    let rest: Vec<&str> = words[root + 1..].iter().map(String::as_str).collect();
    let [subcommand, name, rest @ ..] = &rest[..] else { panic!("nothing to do: {words:?}") };
    let name: Name = name.parse().unwrap();
    if let Err(error) = carry_out(&mut engine, subcommand, &name, rest) {
        panic!("{}: {error}", error.code());
    }
}

fn carry_out(engine: &mut Engine, word: &str, name: &Name, rest: &[&str]) -> Result<(), Error> {
    match (word, rest) {
        (SUPERVISE, [pid, start]) => engine.supervise(name, process(pid, start)),
        (DETACH, [pid, start]) => engine.detach_supervisor(name, process(pid, start)),
        (GUEST, [pid, start]) => engine.become_guest(name, process(pid, start)),
        ("run", devices) => engine.run(&request(name.as_str(), devices)).map(drop),
        _ => panic!("no such subcommand: {word} {rest:?}"),
    }
}

fn process(pid: &str, start: &str) -> Process {
    Process { pid: pid.parse().unwrap(), start_time: start.parse().unwrap() }
}

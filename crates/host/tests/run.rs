//! Commands, for real: what they print, how they end, and when they do not.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use host::run::{CommandRunner, stderr_tail};
use model::port::{Cmd, Output, RunError, Runner};

fn shell(script: &str) -> Cmd {
    Cmd::new("sh", ["-c", script])
}

fn run(script: &str) -> Output {
    CommandRunner.run(&shell(script)).unwrap()
}

#[test]
fn output_and_status() {
    let output = run("echo out; echo err >&2; exit 3");
    let (stdout, stderr) = ("out\n".into(), "err\n".into());
    assert_eq!(output, Output { status: Some(3), stdout, stderr });
    assert_eq!(run("kill -9 $$").status, None);
}

#[test]
fn no_input_plain_messages_and_system_programs() {
    assert_eq!(run("cat; echo $LC_ALL").stdout, "C\n");
    assert!(run("echo $PATH").stdout.contains("/sbin"));
}

#[test]
fn much_output_on_both_pipes_blocks_nobody() {
    let output = run("head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2; echo end");
    assert_eq!(output.status, Some(0));
    assert_eq!((output.stdout.len(), output.stderr.len()), (3_000_004, 3_000_000));
    // What is beyond all measure is dropped, and still read.
    let output = run("head -c 9000000 /dev/zero; exit 4");
    assert_eq!((output.status, output.stdout.len()), (Some(4), 4 << 20));
}

#[test]
fn what_is_not_there_is_named() {
    let error = CommandRunner.run(&Cmd::new("no-such-program", ["x"])).unwrap_err();
    let RunError::Start { program, text } = error else { panic!("{error}") };
    assert_eq!(program, "no-such-program");
    assert!(text.starts_with("No such file"), "{text}");
}

#[test]
fn the_whole_group_is_ended_at_the_deadline() {
    // The first obeys SIGTERM; the second ignores it and is killed.
    for trap in ["", "trap '' TERM; "] {
        let folder = tempfile::tempdir().unwrap();
        let pids = folder.path().join("pids");
        let script = format!(
            "{trap}sleep 1000 & echo $! $$ > {0}.new; mv {0}.new {0}; wait; wait; sleep 1000",
            pids.display()
        );
        // Long enough for a busy machine to start the two.
        let deadline = Duration::from_secs(2);
        let error = CommandRunner.run(&Cmd { deadline, ..shell(&script) }).unwrap_err();
        assert_eq!(error, RunError::Deadline { program: "sh".into(), deadline });
        let pids = fs::read_to_string(&pids).unwrap();
        for pid in pids.split_whitespace() {
            let ended = || {
                let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
                // Gone, or a zombie that nobody has reaped yet.
                stat.as_ref().is_ok_and(|stat| stat.contains(") Z ")) || stat.is_err()
            };
            // Killed is not ended: it has to be given the processor once more for that.
            let until = Instant::now() + Duration::from_secs(10);
            while !ended() {
                assert!(Instant::now() < until, "{pid} lives");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

#[test]
fn a_process_that_stays_behind_holds_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let output = run(&format!("sleep 1000 & echo $! > {}; echo done", pid.display()));
    assert_eq!((output.status, output.stdout.as_str()), (Some(0), "done\n"));
    let pid = fs::read_to_string(pid).unwrap().trim().parse().unwrap();
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn the_tail_of_complaints_is_whole_characters() {
    let of = |stderr: &str| {
        let output = Output { status: Some(1), stdout: String::new(), stderr: stderr.into() };
        stderr_tail(&output).to_owned()
    };
    assert_eq!(of("  short\n"), "short");
    assert_eq!(of(""), "");
    let long = of(&"ä".repeat(2000));
    assert_eq!(long, "ä".repeat(512));
    assert_eq!(of(&format!("x{}", "ä".repeat(512))), "ä".repeat(512));
}

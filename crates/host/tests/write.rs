//! The writer and its child, for real: processes, pipes, and an open that blocks.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use host::paths::Root;
use host::process::is_alive;
use host::write::{ChildWriter, has_ended};
use model::port::{AttrWriter, Child, Showed, Stuck, Wrote};
use rustix::fs::{CWD, FileType, FlockOperation, Mode, flock, mknodat};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

fn writer() -> ChildWriter {
    ChildWriter::with_command(env!("CARGO_BIN_EXE_host-writer"), [""; 0])
}

/// A writer that soon gives up.
fn hasty() -> ChildWriter {
    writer().deadline(Duration::from_millis(300))
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A path whose opening blocks: a FIFO without a reader.
fn blocking(folder: &Path) -> PathBuf {
    let path = folder.join("unbind");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    path
}

fn child_of(writer: &mut ChildWriter) -> Child {
    writer.child().expect("a child")
}

fn signal(child: Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.pid).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

/// Wait until it is so; a test that waits in vain is ended by whoever runs it.
fn until(mut so: impl FnMut() -> bool) {
    while !so() {
        sleep(Duration::from_millis(5));
    }
}

fn stuck(wrote: Wrote) -> Stuck {
    match wrote {
        Wrote::InDoubt(stuck) => stuck,
        other => panic!("{other:?}"),
    }
}

#[test]
fn values_arrive_as_given_and_replace_what_was_there() {
    let folder = folder();
    let path = folder.path().join("control");
    fs::write(&path, "automatically\n").unwrap();
    let mut writer = writer();
    for value in ["on", "auto\n", "\n", "", "ä\0\n\n"] {
        assert_eq!(writer.write(&path, value), Wrote::Done, "{value:?}");
        assert_eq!(fs::read_to_string(&path).unwrap(), value);
        assert_eq!(writer.read(&path), Showed::Content(value.into()));
    }
}

#[test]
fn refusals_are_the_kernels() {
    let folder = folder();
    let mut writer = writer();
    let missing = writer.write(&folder.path().join("missing"), "1");
    let text = "cannot be opened: no such file or directory".to_owned();
    assert_eq!(missing, Wrote::Failed { errno: Errno::NOENT.raw_os_error(), text });
    assert!(!folder.path().join("missing").exists(), "nothing is made");
    let full = writer.write(Path::new("/dev/full"), "1");
    assert_eq!(full, Wrote::failed(Errno::NOSPC.raw_os_error()));
    let read = writer.read(folder.path());
    assert_eq!(read, Showed::failed(Errno::ISDIR.raw_os_error()));
}

#[test]
fn reading_ends_after_a_page() {
    let folder = folder();
    let path = folder.path().join("config");
    fs::write(&path, [7; 10_000]).unwrap();
    assert_eq!(writer().read(&path), Showed::Content(vec![7; 4096]));
}

#[test]
fn one_child_serves_a_whole_plan() {
    let folder = folder();
    let path = folder.path().join("x");
    fs::write(&path, "").unwrap();
    let mut writer = writer();
    let child = child_of(&mut writer);
    for _ in 0..100 {
        assert_eq!(writer.write(&path, "1"), Wrote::Done);
    }
    assert_eq!(child_of(&mut writer), child);
}

#[test]
fn the_child_ends_with_its_writer() {
    let mut writer = writer();
    let child = child_of(&mut writer);
    assert!(is_alive(&Root::real(), child).unwrap());
    drop(writer);
    let until = Instant::now() + Duration::from_secs(20);
    while is_alive(&Root::real(), child).unwrap() {
        assert!(Instant::now() < until, "it has nothing to do any more, and stays");
        sleep(Duration::from_millis(1));
    }
}

#[test]
fn the_child_inherits_no_lock_and_no_other_file() {
    let folder = folder();
    let lock = File::create(folder.path().join("lock")).unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    let mut writer = writer();
    let path = blocking(folder.path());
    let child = child_of(&mut writer);
    // It has closed what this test itself inherited once it answers.
    assert!(matches!(writer.read(&folder.path().join("lock")), Showed::Content(_)));
    let fds: Vec<_> = fs::read_dir(format!("/proc/{}/fd", child.pid))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(fds.len(), 3, "{fds:?}");
    let mut writer = writer.deadline(Duration::from_millis(300));
    stuck(writer.write(&path, "1"));
    drop(lock);
    let again = File::create(folder.path().join("lock")).unwrap();
    flock(&again, FlockOperation::NonBlockingLockExclusive).unwrap();
}

#[test]
fn the_child_is_out_of_reach_of_the_terminal() {
    let folder = folder();
    let path = folder.path().join("x");
    fs::write(&path, "").unwrap();
    let mut writer = writer();
    let child = child_of(&mut writer);
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.pid)).unwrap();
    let group = stat.rsplit_once(") ").unwrap().1.split(' ').nth(2).unwrap();
    assert_eq!(group, child.pid.to_string());
    // It has begun to serve, and so to swallow signals, once it answered.
    assert_eq!(writer.write(&path, "1"), Wrote::Done);
    for deadly in [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT] {
        signal(child, deadly);
    }
    assert_eq!(writer.write(&path, "2"), Wrote::Done);
    assert_eq!(child_of(&mut writer), child);
}

#[test]
fn a_write_that_blocks_is_in_doubt_and_the_next_goes_on() {
    let folder = folder();
    let path = blocking(folder.path());
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mut writer = hasty();
    let child = child_of(&mut writer);
    let stuck = stuck(writer.write(&path, "0000:01:00.0"));
    assert_eq!((stuck.pid, stuck.start_time), (child.pid, child.start_time));
    assert!(stuck.waited >= Duration::from_millis(300));
    let mut writer = writer.deadline(Duration::from_secs(30));
    assert_eq!(writer.write(&plain, "on"), Wrote::Done);
    assert_ne!(child_of(&mut writer), child);
    // This wait can be interrupted, so that the child is gone soon, and
    // seen to be: as a zombie first, then reaped by the next write.
    until(|| has_ended(&Root::real(), &stuck).unwrap());
    assert_eq!(writer.write(&plain, "on"), Wrote::Done);
    assert!(!Path::new(&format!("/proc/{}", stuck.pid)).exists());
}

#[test]
fn a_read_that_blocks_is_given_up_as_well() {
    let folder = folder();
    let path = blocking(folder.path());
    let mut writer = hasty();
    let Showed::Stuck(stuck) = writer.read(&path) else { panic!("it should block") };
    assert_ne!(stuck.start_time, 0);
}

#[test]
fn a_child_that_died_idle_is_replaced_when_somebody_asks_for_it() {
    let folder = folder();
    let path = folder.path().join("x");
    fs::write(&path, "").unwrap();
    let mut writer = writer();
    let end = |child| {
        signal(child, Signal::KILL);
        until(|| !is_alive(&Root::real(), child).unwrap());
    };
    let first = child_of(&mut writer);
    end(first);
    let second = child_of(&mut writer);
    assert_ne!(second, first);
    assert_eq!(writer.write(&path, "1"), Wrote::Done);
    end(second);
    let Wrote::Failed { errno, .. } = writer.write(&path, "2") else { panic!("it should fail") };
    assert_eq!(errno, Errno::PIPE.raw_os_error());
    assert_eq!(fs::read_to_string(&path).unwrap(), "1", "nobody wrote whom nobody knew");
    assert_ne!(child_of(&mut writer), second);
    assert_eq!(writer.write(&path, "3"), Wrote::Done);
}

#[test]
fn a_child_that_dies_over_a_request_is_not_asked_twice() {
    let folder = folder();
    let script = format!("echo asked >> {}/log; head -c 1 > /dev/null", folder.path().display());
    let mut writer = ChildWriter::with_command("sh", ["-c", &script]);
    let Wrote::Failed { errno, text } = writer.write(&folder.path().join("x"), "1") else {
        panic!("it should fail");
    };
    assert_eq!(errno, Errno::PIPE.raw_os_error());
    assert!(text.contains("ended before it answered"), "{text}");
    assert_eq!(fs::read_to_string(folder.path().join("log")).unwrap(), "asked\n");
}

#[test]
fn a_child_that_talks_nonsense_is_not_believed() {
    let script = "head -c 1 > /dev/null; echo nonsense, at length; cat > /dev/null";
    let mut writer = ChildWriter::with_command("sh", ["-c", script]);
    let wrote = writer.write(Path::new("x"), "1");
    assert!(matches!(wrote, Wrote::Failed { .. }), "{wrote:?}");
}

#[test]
fn a_program_that_cannot_be_started_is_named() {
    let mut writer = ChildWriter::with_command("/nowhere/passthru", [""; 0]);
    let Wrote::Failed { errno, text } = writer.write(Path::new("x"), "1") else {
        panic!("it should fail");
    };
    assert_eq!(errno, Errno::CHILD.raw_os_error());
    assert!(text.starts_with("cannot start"), "{text}");
    assert_eq!(writer.child(), None);
}

//! One command: shell text in, exit status and output out. Its output goes to files, not pipes, so that a
//! service which it leaves behind cannot hold the answer back.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lab::wire::{Answer, LONGEST_BODY};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

/// How long a killed command may take to end before it is left alone: one that waits in the kernel ignores
/// even SIGKILL, and the answer must not wait for it.
const GRACE: Duration = Duration::from_secs(2);

pub fn run(command: &str, stdin: &[u8], deadline: Duration) -> io::Result<(Answer, Vec<u8>)> {
    let mut outputs = [scratch("out")?, scratch("err")?];
    let mut child = Command::new("/bin/bash")
        .arg("-c")
        .arg(command)
        .stdin(input(stdin)?)
        .stdout(outputs[0].try_clone()?)
        .stderr(outputs[1].try_clone()?)
        .process_group(0)
        .spawn()?;

    let timed_out = !ends_within(&child, deadline)?;
    if timed_out {
        if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        ends_within(&child, GRACE)?;
    }
    let status = child.try_wait()?;
    let mut body = content(&mut outputs[0])?;
    let stdout_len = body.len();
    body.append(&mut content(&mut outputs[1])?);
    let (code, signal) = (status.and_then(|s| s.code()), status.and_then(|s| s.signal()));
    Ok((Answer::Ended { code, signal, timed_out, stdout_len }, body))
}

/// Whether the child ended in time; it is not reaped.
fn ends_within(child: &Child, deadline: Duration) -> io::Result<bool> {
    let pid = Pid::from_raw(child.id().cast_signed()).ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let limit = Timespec::try_from(deadline).map_err(io::Error::other)?;
    let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
    Ok(poll(&mut fds, Some(&limit))? > 0)
}

/// A file without a name.
fn scratch(kind: &str) -> io::Result<File> {
    let path = format!("/run/lab-agent.{kind}");
    let _ = fs::remove_file(&path);
    let file = File::options().read(true).append(true).create_new(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn input(bytes: &[u8]) -> io::Result<Stdio> {
    if bytes.is_empty() {
        return Ok(Stdio::null());
    }
    let mut file = scratch("in")?;
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

fn content(file: &mut File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(LONGEST_BODY as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

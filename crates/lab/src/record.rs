//! Which lab hosts there are: a `lab.json` in each run directory says what was started there. A process is
//! recognised by its id and its start time, never by its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::error::{AtPath, Error, Result};
use crate::places;

const FILE: &str = "lab.json";
/// Run directories of lab hosts that ended are kept for their logs, so many of them.
const KEPT: usize = 20;

/// A lab host that was started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    /// `TOPOLOGY-NUMBER`, also the run directory's name.
    pub name: String,
    pub topology: String,
    pub pid: u32,
    /// In clock ticks since the machine started, as `/proc/PID/stat` has it.
    pub started: u64,
}

impl Record {
    pub(crate) fn write(&self) -> Result<()> {
        let path = self.dir().join(FILE);
        let text = serde_json::to_string(self).unwrap_or_default();
        fs::write(&path, text).at("write", &path)
    }

    /// The run directory.
    pub fn dir(&self) -> PathBuf {
        places::runs().join(&self.name)
    }

    /// Whether the process that was started still runs.
    pub fn is_up(&self) -> bool {
        start_time(self.pid) == Some(self.started)
    }

    /// Ends the lab host at once (its disk is a throw-away) and waits until it is gone.
    pub fn end(&self) -> Result<()> {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
        // The descriptor holds on to one process: the start time is compared after it was opened.
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
        if self.is_up() {
            pidfd_send_signal(&pidfd, Signal::KILL)
                .map_err(std::io::Error::from)
                .at("end the process of", self.dir())?;
        }
        let until = Instant::now() + Duration::from_secs(10);
        while self.is_up() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        discard_bulk(&self.dir());
        Ok(())
    }
}

/// Those that are up, in the order of their names.
pub fn running() -> Result<Vec<Record>> {
    Ok(all()?.into_iter().filter(Record::is_up).collect())
}

/// The one that is called so, or the only one of that topology.
pub fn find(name: &str) -> Result<Record> {
    let up = running()?;
    let exact = up.iter().find(|record| record.name == name).cloned();
    let mut same = up.into_iter().filter(|record| record.topology == name);
    exact.or_else(|| same.next()).ok_or_else(|| Error::NotUp { name: name.to_owned() })
}

/// Makes a run directory with a number of its own.
pub(crate) fn new_dir(topology: &str) -> Result<(String, PathBuf)> {
    prune()?;
    let runs = places::runs();
    for number in 1.. {
        let name = format!("{topology}-{number}");
        let dir = runs.join(&name);
        match fs::create_dir(&dir) {
            Ok(()) => return Ok((name, dir)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error).at("create", dir),
        }
    }
    unreachable!("there are more numbers than directories")
}

/// Of a lab host that ended only the logs are worth their space.
pub(crate) fn discard_bulk(dir: &Path) {
    let _ = fs::remove_dir_all(dir.join(crate::qemu::SHARE));
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|end| ["raw", "fd", "sock"].iter().any(|bulk| end == *bulk))
        {
            let _ = fs::remove_file(path);
        }
    }
}

fn all() -> Result<Vec<Record>> {
    let runs = places::runs();
    fs::create_dir_all(&runs).at("create", &runs)?;
    let mut records = Vec::new();
    for entry in fs::read_dir(&runs).at("list", &runs)? {
        let path = entry.at("list", &runs)?.path().join(FILE);
        let text = fs::read_to_string(path).unwrap_or_default();
        records.extend(serde_json::from_str::<Record>(&text));
    }
    records.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(records)
}

/// Removes the oldest run directories of lab hosts that ended.
fn prune() -> Result<()> {
    let mut ended: Vec<PathBuf> =
        all()?.iter().filter(|record| !record.is_up()).map(Record::dir).collect();
    ended.sort_by_key(|dir| fs::metadata(dir).and_then(|meta| meta.modified()).ok());
    for dir in ended.iter().rev().skip(KEPT) {
        let _ = fs::remove_dir_all(dir);
    }
    Ok(())
}

/// Field 22 of `/proc/PID/stat`, counted from behind the name, which may hold anything. None for a process
/// that ended, reaped or not.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if state == "Z" { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_time() {
        let me = std::process::id();
        let started = start_time(me).unwrap();
        let record = |started| Record { name: "x".into(), topology: "x".into(), pid: me, started };
        assert!(record(started).is_up());
        assert!(!record(started + 1).is_up());
    }
}

//! Processes and the boot, told apart for certain; what a process has and may do.
//!
//! In: a pid and the start time that was noted with it. Out: whether that
//! very process still runs. Never by name: the kernel keeps 15 characters of
//! it (`TASK_COMM_LEN`), and anyone can choose it.

use std::io;

use model::Fact;
use model::parse::machine::meminfo;
use model::parse::process;
use model::port::Child;

use crate::paths::Root;
use crate::read;

/// More than the kernel says in any of these files.
const MOST: usize = 4096;
/// How often to look again at a thread that was taken down while it was looked at.
const LOOKS: usize = 8;

/// The start time of a process, in clock ticks after boot; `None` when there
/// is no such process.
pub fn start_time(root: &Root, pid: u32) -> io::Result<Option<u64>> {
    let Some(stat) = stat(root, pid)? else { return Ok(None) };
    process::start_time(&stat).map(Some).ok_or_else(|| garbled(pid))
}

/// Whether the process that had this pid and start time still runs. A zombie
/// does not: it holds nothing and does nothing, only its parent has not
/// looked yet.
///
/// What the kernel says of a process is what it says of its first thread.
/// That one may have ended while others live and hold all that the process
/// has: while they are on their way out, or while one of them becomes
/// another program and takes the first one's place (`de_thread()`, fs/exec.c).
pub fn is_alive(root: &Root, process: Child) -> io::Result<bool> {
    for _ in 0..LOOKS {
        let Some(stat) = stat(root, process.pid)? else { return Ok(false) };
        let garbled = || garbled(process.pid);
        let start_time = process::start_time(&stat).ok_or_else(garbled)?;
        let state = process::state(&stat).ok_or_else(garbled)?;
        let threads = process::threads(&stat).ok_or_else(garbled)?;
        match (state, threads) {
            _ if start_time != process.start_time => return Ok(false),
            // Taken down just now: the process is gone, or is another thread.
            ('Z' | 'X', 0) => {}
            ('Z' | 'X', threads) => return Ok(threads > 1),
            _ => return Ok(true),
        }
    }
    Ok(false)
}

/// Bytes of memory that a process has in use now (`VmRSS`, proc_pid_status(5)).
pub fn resident(root: &Root, pid: u32) -> Option<u64> {
    let text = std::fs::read_to_string(root.process(pid).join("status")).ok()?;
    meminfo(&text, "VmRSS").ok()
}

/// Bytes of memory that a process may lock, inside `None` without a limit; of
/// this process itself if none is named.
pub fn lock_limit(root: &Root, pid: Option<u32>) -> Fact<Option<u64>> {
    let folder = pid.map_or_else(|| root.process("self"), |pid| root.process(pid));
    // Where its capabilities cannot be read, the limit is taken to count.
    let status = read::text(&folder.join("status")).unwrap_or_default();
    let limits = read::text(&folder.join("limits"));
    limits.and_then(|limits| process::lock_limit(&status, &limits)).into()
}

/// The kernel function that a process waits in, if it waits and may be known.
pub fn wait_channel(root: &Root, pid: u32) -> Option<String> {
    let text = String::from_utf8(read::bytes(&root.process(pid).join("wchan"), MOST).ok()?).ok()?;
    let text = text.trim();
    (!text.is_empty() && text != "0").then(|| text.to_owned())
}

/// Stands for the boot of a machine that does not run.
const NOT_BOOTED: &str = "not booted";

/// The identity of this boot: sysfs changes and pids of another one are void.
pub fn boot_id(root: &Root) -> io::Result<String> {
    let text = match read::bytes(&root.sysctl("kernel/random/boot_id"), MOST) {
        // The tree of a machine that does not run is in no boot.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !root.runs() => {
            return Ok(NOT_BOOTED.to_owned());
        }
        read => read?,
    };
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

/// Whether systemd is the first process (sd_booted(3)).
pub fn has_systemd(root: &Root) -> bool {
    root.systemd().exists()
}

/// Close what whoever started this program left open: a script's lock or pipe
/// (`exec 9>lock; flock 9; passthru …`), which a process that outlives the
/// script (a guest, a child that is stuck in the kernel) would hold as long.
/// To be called first thing, while nothing of the program's own is open.
pub fn close_inherited() {
    let Ok(open) = std::fs::read_dir(Root::real().own_files()) else { return };
    let numbers = open.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let inherited: Vec<i32> = numbers.filter(|number| *number > 2).collect();
    for number in inherited {
        // The folder that was just read is among them, and closed by now.
        let _ = nix::unistd::close(number);
    }
}

fn stat(root: &Root, pid: u32) -> io::Result<Option<String>> {
    match read::bytes(&root.process(pid).join("stat"), MOST) {
        // A name may hold any bytes; the fields around it are ASCII.
        Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn garbled(pid: u32) -> io::Error {
    io::Error::other(format!("what the kernel says of process {pid} is garbled"))
}

/// `ESRCH` comes when the process ends between open and read.
fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
        || error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}

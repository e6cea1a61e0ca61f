//! Whether what this process sees is the host's, or a container's.
//!
//! In: the links in `/proc/PID/ns`. Out: nothing, or why the host's tables are
//! out of sight. Below a root without these links (a recording) there is one
//! machine only, and what is there is its own.

use model::Why;

use crate::read::{Buffer, Folder};

/// The first namespace of processes (`PROC_PID_INIT_INO` of
/// include/linux/proc_ns.h): in another one the host's are out of sight, and
/// the first process's mounts are the container's.
const HOST_PROCESSES: &str = "pid:[4026531836]";

/// Whether the host's processes are in sight.
pub(super) fn processes(proc: &Folder) -> Result<(), Why> {
    let mut buffer = Buffer::default();
    match proc.link("self/ns/pid", &mut buffer) {
        Ok(namespace) if namespace != HOST_PROCESSES => Err(hidden("processes")),
        _ => Ok(()),
    }
}

/// Whether the first process's mounts are the host's.
pub(super) fn mounts(proc: &Folder) -> Result<(), Why> {
    processes(proc).map_err(|_| hidden("mounts"))
}

/// Whether the interfaces in sight are the host's: its network namespace is
/// that of its first process.
pub(super) fn network(proc: &Folder) -> Result<(), Why> {
    processes(proc).map_err(|_| hidden("interfaces"))?;
    let mut buffer = Buffer::default();
    let mut of = |pid: &str| proc.link(&format!("{pid}/ns/net"), &mut buffer).map(str::to_owned);
    match (of("1"), of("self")) {
        (Ok(first), Ok(own)) if first != own => Err(hidden("interfaces")),
        _ => Ok(()),
    }
}

fn hidden(what: &str) -> Why {
    Why::Failed(format!("the host's {what} are out of this container's sight"))
}

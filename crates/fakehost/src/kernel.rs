//! The pretended kernel's door: writes that take effect, fail, hang or kill.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::Bdf;
use model::port::{AttrWriter, Showed, Stuck, Wrote};
use rustix::io::Errno;

use crate::inject::{Fault, Injection, Moment, Op, die};
use crate::machine::Machine;
use crate::react::Owner;

/// Pids of processes that hang; far above what a test has for real.
const FIRST_PID: u32 = 4_000_001;
/// Their start time, in clock ticks after boot.
const START_TIME: u64 = 123_456;
/// Where they wait.
const WAIT_CHANNEL: &str = "device_del";
/// How long the writer is said to have waited.
const WAITED: Duration = Duration::from_secs(30);

/// Everything behind the door.
#[derive(Debug)]
pub(crate) struct State {
    pub machine: Machine,
    pub log: Vec<Op>,
    pub injections: Vec<Injection>,
    pub death: Option<Moment>,
    pub pending: Vec<Pending>,
    hung: u32,
}

/// A write that hangs in the kernel.
#[derive(Debug)]
pub(crate) struct Pending {
    pub pid: u32,
    /// The function whose lock it holds.
    pub bdf: Option<Bdf>,
    pub path: PathBuf,
    pub value: String,
}

/// How an operation is to go on.
pub(crate) enum Fate {
    Go,
    Refused(Errno),
    Hangs,
}

/// The state, shared by all doors to one machine.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(crate) fn new(machine: Machine) -> Self {
        Self(Arc::new(Mutex::new(State {
            machine,
            log: Vec::new(),
            injections: Vec::new(),
            death: None,
            pending: Vec::new(),
            hung: 0,
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Note an operation, and die if it is time; else what becomes of it.
    pub(crate) fn begin(&self, op: Op) -> Fate {
        let mut state = self.lock();
        state.log.push(op);
        let count = state.log.len();
        if state.death == Some(Moment::Before(count)) {
            drop(state);
            die();
        }
        state.fault(count).map_or(Fate::Go, |fault| match fault {
            Fault::Refuse(errno) => Fate::Refused(errno),
            Fault::Hang => Fate::Hangs,
        })
    }

    /// The operation took effect: die if its result is never to be known.
    pub(crate) fn end(&self) {
        let state = self.lock();
        if state.death == Some(Moment::After(state.log.len())) {
            drop(state);
            die();
        }
    }
}

impl State {
    fn fault(&mut self, count: usize) -> Option<Fault> {
        let op = self.log.last()?;
        let found = self.injections.iter().position(|it| it.on.matches(count, op))?;
        let fault = self.injections[found].fault;
        if self.injections[found].once {
            self.injections.remove(found);
        }
        Some(fault)
    }

    /// The function whose lock a write takes: its own attributes, or the
    /// address that is written to the bus or a driver.
    fn locks(&self, path: &Path, value: &str) -> Option<Bdf> {
        match Owner::of(path.parent()?) {
            // d3cold_allowed_store() takes none.
            Owner::Function(_) if path.ends_with("d3cold_allowed") => None,
            Owner::Function(bdf) | Owner::Power(bdf) => Some(bdf),
            Owner::Bus | Owner::Driver(_) => value.trim().parse().ok(),
            Owner::MdevType(parent, _) => Some(parent),
            Owner::Mdev(_) | Owner::Other => None,
        }
    }

    fn is_locked(&self, bdf: Option<Bdf>) -> bool {
        bdf.is_some() && self.pending.iter().any(|pending| pending.bdf == bdf)
    }

    /// The path with all links followed, if it is an attribute of this machine.
    fn real(&self, path: &Path) -> Result<PathBuf, Errno> {
        self.machine.tree.real(path).ok_or(Errno::NOENT)
    }

    fn hang(&mut self, bdf: Option<Bdf>, path: PathBuf, value: &str) -> Stuck {
        let pid = FIRST_PID + self.hung;
        self.hung += 1;
        let tree = &self.machine.tree;
        let stat = format!(
            "{pid} (passthru) D 1 {pid} {pid} 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 {START_TIME} \
             0 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n"
        );
        tree.put(format!("proc/{pid}/stat"), stat);
        tree.put(format!("proc/{pid}/wchan"), WAIT_CHANNEL);
        self.pending.push(Pending { pid, bdf, path, value: value.to_owned() });
        self.stuck(pid)
    }

    fn stuck(&self, pid: u32) -> Stuck {
        let wait_channel = Some(WAIT_CHANNEL.to_owned());
        Stuck { pid, start_time: START_TIME, wait_channel, waited: WAITED }
    }

    /// The kernel lets go of everything that hung: it took effect late, or
    /// never (`effect`). The processes end.
    pub(crate) fn settle(&mut self, effect: bool) {
        for Pending { pid, path, value, .. } in std::mem::take(&mut self.pending) {
            if effect {
                // Late and unseen: whether it is refused now, nobody learns.
                let _ = self.machine.react(&path, &value);
            }
            self.machine.tree.remove(format!("proc/{pid}"));
        }
    }
}

/// Writes to a pretended machine.
#[derive(Clone, Debug)]
pub struct FakeKernel(pub(crate) Shared);

impl AttrWriter for FakeKernel {
    fn write(&mut self, path: &Path, value: &str) -> Wrote {
        let given = self.0.lock().machine.tree.given(path);
        let fate = self.0.begin(Op::Write { path: given, value: value.to_owned() });
        let wrote = match fate {
            Fate::Refused(errno) => Wrote::failed(errno.raw_os_error()),
            Fate::Go | Fate::Hangs => {
                let mut state = self.0.lock();
                match state.real(path) {
                    Err(errno) => Wrote::failed(errno.raw_os_error()),
                    Ok(real) => {
                        let bdf = state.locks(&real, value);
                        if matches!(fate, Fate::Hangs) || state.is_locked(bdf) {
                            Wrote::InDoubt(state.hang(bdf, real, value))
                        } else {
                            match state.machine.react(&real, value) {
                                Ok(()) => Wrote::Done,
                                Err(errno) => Wrote::failed(errno.raw_os_error()),
                            }
                        }
                    }
                }
            }
        };
        self.0.end();
        wrote
    }

    fn read(&mut self, path: &Path) -> Showed {
        let state = self.0.lock();
        let content = state.real(path).and_then(|real| {
            let bytes = state.machine.tree.bytes(&real);
            let bytes = bytes.map_err(|error| {
                Errno::from_raw_os_error(error.raw_os_error().unwrap_or_default())
            })?;
            Ok((real, bytes))
        });
        match content {
            Err(errno) => Showed::failed(errno.raw_os_error()),
            Ok((real, bytes)) => match state.blocks_reading(&real) {
                Some(pid) => Showed::Stuck(state.stuck(pid)),
                None => Showed::Content(bytes),
            },
        }
    }
}

impl State {
    /// The process that hangs with the lock which showing an attribute takes.
    fn blocks_reading(&self, path: &Path) -> Option<u32> {
        let takes_lock =
            ["driver_override", "sriov_numvfs"].iter().any(|name| path.ends_with(name));
        let Owner::Function(bdf) = Owner::of(path.parent()?) else { return None };
        let holder = self.pending.iter().find(|pending| pending.bdf == Some(bdf))?;
        takes_lock.then_some(holder.pid)
    }
}

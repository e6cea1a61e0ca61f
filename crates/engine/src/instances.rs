//! `instance list`, `show`, `delete`, and where an instance's files are.
//!
//! In: names. Out: what is known of instances, by the database and by
//! whether their processes run. Reading needs no lock.

use std::path::PathBuf;

use model::Bdf;
use serde::{Deserialize, Serialize};

use crate::Engine;
use crate::error::Error;
use crate::name::Name;
use crate::request::Grace;
use crate::store::{Event, InstanceRow, InstanceState, Process, Store};
use crate::turn::boot_id;
use crate::watch::runs;

/// The longest path of a Unix socket, its final zero not counted (unix(7)).
const SOCKET_PATH: usize = 107;

/// An instance as it is now.
#[derive(Clone, Debug)]
pub struct Instance {
    pub name: Name,
    pub state: InstanceState,
    /// The hypervisor's process, if it runs.
    pub process: Option<Process>,
    /// Who sees to its end, if anybody does.
    pub supervisor: Option<Process>,
    /// The functions that it holds.
    pub devices: Vec<Bdf>,
    pub spec: InstanceSpec,
    /// `None` while it runs, and when a signal ended it.
    pub exit_status: Option<i32>,
    pub error: Option<String>,
    /// Seconds since 1970.
    pub made_at: i64,
    pub changed_at: i64,
    pub files: Files,
}

/// What an instance was started with, as the database keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InstanceSpec {
    pub backend: String,
    pub program: String,
    pub args: Vec<String>,
    /// Bytes.
    pub memory: u64,
    /// Of which hugepages it is made, in bytes.
    pub hugepages: Option<u64>,
    /// The machine that is emulated, by the hypervisor's name for it.
    pub machine: String,
    /// It has a virtual IOMMU; `None` in rows of older versions.
    pub viommu: Option<bool>,
    pub cpus: u32,
    pub image: Option<PathBuf>,
    pub kernel: Option<PathBuf>,
}

/// The files of an instance, in its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files(PathBuf);

impl Files {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// Control of the guest, for commands; one client at a time.
    pub fn monitor(&self) -> PathBuf {
        self.0.join("qmp.sock")
    }

    /// Control of the guest, for its supervisor and for recovery.
    pub fn supervisor_monitor(&self) -> PathBuf {
        self.0.join("supervisor.sock")
    }

    /// What the guest says by itself, for its supervisor.
    pub fn events(&self) -> PathBuf {
        self.0.join("events.sock")
    }

    /// The serial console; one client at a time.
    pub fn console(&self) -> PathBuf {
        self.0.join("console.sock")
    }

    /// All that the guest said on its console.
    pub fn console_log(&self) -> PathBuf {
        self.0.join("console.log")
    }

    /// What the hypervisor said.
    pub fn hypervisor_log(&self) -> PathBuf {
        self.0.join("qemu.log")
    }

    /// What the supervisor said, where no systemd keeps it.
    pub fn supervisor_log(&self) -> PathBuf {
        self.0.join("supervisor.log")
    }

    /// Paths of sockets that the kernel would not take are refused; those
    /// of the others are no longer.
    pub(crate) fn check_sockets(&self) -> Result<(), Error> {
        let long = |socket: &PathBuf| socket.as_os_str().len() > SOCKET_PATH;
        match [self.supervisor_monitor(), self.console()].into_iter().find(long) {
            Some(path) => Err(Error::SocketPath { path }),
            None => Ok(()),
        }
    }

    pub(crate) fn overlay(&self) -> PathBuf {
        self.0.join("overlay.qcow2")
    }

    pub(crate) fn nvram(&self) -> PathBuf {
        self.0.join("nvram.fd")
    }
}

impl Engine {
    /// Every instance, by name.
    pub fn instances(&self) -> Result<Vec<Instance>, Error> {
        let Some(store) = Store::open_reading(&self.state)? else { return Ok(Vec::new()) };
        store.instances()?.into_iter().map(|row| self.view(&store, row)).collect()
    }

    /// One instance.
    pub fn instance(&self, name: &Name) -> Result<Instance, Error> {
        let unknown = || Error::NoInstance(name.clone());
        let store = Store::open_reading(&self.state)?.ok_or_else(unknown)?;
        let row = store.instance(name)?.ok_or_else(unknown)?;
        self.view(&store, row)
    }

    /// What happened to an instance, the oldest first.
    pub fn events(&self, name: &Name) -> Result<Vec<Event>, Error> {
        match Store::open_reading(&self.state)? {
            Some(store) => store.events(name.as_str()),
            None => Ok(Vec::new()),
        }
    }

    /// Forgets an instance with its disk. One that runs is refused, or, with
    /// a grace, stopped first.
    pub fn delete(&mut self, name: &Name, stop: Option<Grace>) -> Result<(), Error> {
        let instance = self.instance(name)?;
        if instance.state.is_live() {
            match stop {
                Some(grace) => self.stop(name, grace).map(drop)?,
                None => {
                    let state = instance.state;
                    return Err(Error::InstanceState { name: name.clone(), state });
                }
            }
        }
        // Its beginning settles what an earlier boot has left of it.
        let mut turn = self.turn("instance delete")?;
        match turn.store.instance(name)? {
            Some(row) if row.state.is_live() => {
                Err(Error::InstanceState { name: name.clone(), state: row.state })
            }
            // The folder first: a row without one can be deleted again.
            _ => {
                turn.engine.state.remove_instance(name)?;
                turn.store.delete_instance(name)
            }
        }
    }

    /// The files of an instance.
    pub fn files(&self, name: &Name) -> Files {
        Files::new(self.state.instance(name))
    }

    fn view(&self, store: &Store, row: InstanceRow) -> Result<Instance, Error> {
        let boot_id = boot_id(&self.root)?;
        let held = store.assignments()?.into_iter();
        let held = held.filter(|held| held.guest == row.name.as_str() && held.boot_id == boot_id);
        // A pid and a start time of another boot are another process's.
        let this_boot = row.boot_id == boot_id;
        let alive = |process: Option<Process>| match process.filter(|_| this_boot) {
            Some(process) => Ok(runs(process)?.then_some(process)),
            None => Ok::<_, Error>(None),
        };
        // The next turn writes it down; what is told must be true before.
        let state = match row.state.is_live() && !this_boot {
            true => InstanceState::Stopped,
            false => row.state,
        };
        Ok(Instance {
            state,
            process: alive(row.process)?,
            supervisor: alive(row.owner)?,
            devices: held.map(|held| held.bdf).collect(),
            spec: row.spec()?,
            exit_status: row.exit_status,
            error: row.error,
            made_at: row.made_at,
            changed_at: row.changed_at,
            files: self.files(&row.name),
            name: row.name,
        })
    }
}

impl InstanceRow {
    /// What it was started with.
    pub(crate) fn spec(&self) -> Result<InstanceSpec, Error> {
        serde_json::from_str(&self.spec)
            .map_err(|source| Error::InstanceSpec { name: self.name.clone(), source })
    }
}

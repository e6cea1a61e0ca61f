//! The supervisor: one process per instance, which sees its guest's end.
//!
//! In: an instance that is starting or will, or one whose supervisor is gone. Out:
//! when the guest has ended, devices that are the host's again, with no
//! other process of passthru alive. Killing it does not end the guest; the
//! next verb finds the guest and gives it a new supervisor.
//!
//! ```text
//! supervisor ── spawns ──▶ __guest NAME: writes its pid down ── exec ──▶ qemu
//!      └── waits for its end, or for SIGTERM (then: power button, SIGTERM, SIGKILL)
//! ```
//!
//! The hypervisor's process writes itself down before it becomes one, and only
//! while the instance is starting under the supervisor that spawned it. So no
//! guest ever runs that the database does not know.

use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use hypervisors::Guest;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::Engine;
use crate::aftermath::abandoned;
use crate::ear::Ear;
use crate::error::Error;
use crate::name::Name;
use crate::request::Grace;
use crate::run::{backend, tail};
use crate::spawn::{GUEST, open_log};
use crate::stop::Ending;
use crate::store::{InstanceRow, InstanceState, Process, Store};
use crate::watch::{Watched, Woken, own_process, runs, started};

/// Between two looks at a guest that is coming up.
const LOOK: Duration = Duration::from_millis(10);
/// How long one try at its control socket may take.
const TRY: Duration = Duration::from_secs(1);
/// How soon to try again to release what the guest let go of.
const RETRY: Duration = Duration::from_secs(1);
/// How long the process that becomes the hypervisor has to write itself down.
const CLAIM: Duration = Duration::from_secs(30);

/// What ended a guest.
struct End {
    /// `None` when it is not this process's child.
    status: Option<ExitStatus>,
    /// Somebody asked for it.
    asked: bool,
}

impl Engine {
    /// Supervises an instance until it has ended and its devices are released,
    /// from when its devices are bound. Does nothing if that comes to nothing,
    /// or somebody else than `from` sees to it by now.
    pub fn supervise(&mut self, name: &Name, from: Process) -> Result<(), Error> {
        let mut calls = Calls::new()?;
        let own = own_process()?;
        let mut store = Store::open(&self.state)?;
        let Some(row) = prepared(&store, name, from)? else { return Ok(()) };
        if !row.state.is_live() || !store.take_over(name, from, own)? {
            return Ok(());
        }
        if row.process.is_none() && calls.take() {
            drop(store);
            return self.settle_end(name, &End { status: None, asked: true });
        }
        let (child, process) = match row.process {
            Some(process) => (None, process),
            None => {
                let (child, process) = self.spawn_guest(name, own)?;
                (Some(child), process)
            }
        };
        drop(store);
        let end = self.see_through(name, child, process, &mut calls)?;
        self.settle_end(name, &end)
    }

    /// Becomes the hypervisor of an instance. Comes back only if it may not.
    pub fn become_guest(&self, name: &Name, spawner: Process) -> Result<(), Error> {
        let mut store = Store::open(&self.state)?;
        let row = store.instance(name)?.ok_or_else(|| Error::NoInstance(name.clone()))?;
        let spec = row.spec()?;
        if !store.claim_start(name, spawner, own_process()?)? {
            return Err(Error::InstanceState { name: name.clone(), state: row.state });
        }
        drop(store);
        let error = Command::new(&spec.program).args(&spec.args).exec();
        Err(Error::file(spec.program, error))
    }

    fn spawn_guest(&self, name: &Name, own: Process) -> Result<(Child, Process), Error> {
        let log = open_log(&self.files(name).hypervisor_log())?;
        let failed = |source| Error::file(&self.own.program, source);
        let also = log.try_clone().map_err(failed)?;
        let child = self
            .own
            .command(GUEST, name, own)
            .stdout(log)
            .stderr(also)
            // Signals to the supervisor's group are not the guest's.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let process = started(child.id())?;
        Ok((child, process))
    }

    /// From the start, or from where the supervisor before was, to the end.
    fn see_through(
        &mut self,
        name: &Name,
        mut child: Option<Child>,
        process: Process,
        calls: &mut Calls,
    ) -> Result<End, Error> {
        let mut asked = false;
        if let Some(watched) = Watched::open(process)? {
            asked = self.await_running(name, &watched, calls)?;
            asked = asked || self.attend(name, &watched, calls)?;
            if asked {
                let files = &self.files(name);
                Ending { name, process, files, interrupt: None }.end(Grace::default())?;
            }
        }
        let status = match &mut child {
            Some(child) => child.wait().ok(),
            None => None,
        };
        Ok(End { status, asked })
    }

    /// Waits for the guest's end, and meanwhile releases what it lets go of
    /// later than somebody waited. Says whether somebody asked for its end.
    fn attend(&mut self, name: &Name, watched: &Watched, calls: &mut Calls) -> Result<bool, Error> {
        let mut ear = Ear::new(self.files(name).events());
        // When to see to what it let go of.
        let mut due = Some(Instant::now());
        loop {
            // What it let go of while nobody listened is seen to as well.
            if ear.open() || due.is_some_and(|due| due <= Instant::now()) {
                due = self.settle_again(name);
            }
            let mut fds = vec![calls.pipe.as_fd()];
            fds.extend(ear.fd());
            let until = [due, ear.due()].into_iter().flatten().min();
            if watched.wait(&fds, until)? == Woken::Ended {
                return Ok(false);
            }
            if calls.take() {
                return Ok(true);
            }
            if ear.hears() {
                due = Some(Instant::now());
            }
        }
    }

    /// When to try once more to release what the guest let go of.
    fn settle_again(&mut self, name: &Name) -> Option<Instant> {
        let settled = self.settle_let_go(name);
        (!matches!(settled, Ok(true))).then(|| Instant::now() + RETRY)
    }

    /// Releases what the guest let go of when nobody waited for it any more.
    /// Says whether it is known what that was.
    fn settle_let_go(&mut self, name: &Name) -> Result<bool, Error> {
        let store = Store::open(&self.state)?;
        if abandoned(&store, name)?.is_empty() {
            return Ok(true);
        }
        drop(store);
        Ok(self.turn("instance unplug")?.settle_hand_overs(name)?.is_some())
    }

    /// Waits until the guest runs or has ended. Says whether somebody asked
    /// for its end meanwhile. There is no deadline: to pin a terabyte of
    /// memory takes minutes.
    fn await_running(
        &self,
        name: &Name,
        watched: &Watched,
        calls: &mut Calls,
    ) -> Result<bool, Error> {
        let monitor = self.files(name).supervisor_monitor();
        let claim = Instant::now() + CLAIM;
        loop {
            match watched.wait(&[calls.pipe.as_fd()], Some(Instant::now() + LOOK))? {
                Woken::Ended => return Ok(false),
                Woken::Called if calls.take() => return Ok(true),
                Woken::Called | Woken::Late => {}
            }
            let connected = backend().connect(&monitor, &TRY.into());
            // It answers when all of the machine is made. Whether that runs
            // or waits (`-S`), it has started.
            if let Ok(state) = connected.and_then(|mut guest: Box<dyn Guest>| guest.state()) {
                let mut store = Store::open(&self.state)?;
                // Before it is said to run: whoever waits for that reads it.
                if state != "running" {
                    store.event(name.as_str(), &format!("started, and is in the state {state}"))?;
                }
                store.set_running(name)?;
                return Ok(false);
            }
            if Instant::now() > claim && !self.is_claimed(name)? {
                return Ok(true);
            }
        }
    }

    fn is_claimed(&self, name: &Name) -> Result<bool, Error> {
        let row = Store::open(&self.state)?.instance(name)?;
        Ok(row.is_some_and(|row| row.process.is_some()))
    }

    /// Releases what the guest held. Another verb may be at work: this one
    /// has all the time in the world.
    fn settle_end(&mut self, name: &Name, end: &End) -> Result<(), Error> {
        let (state, error) = outcome(end, || tail(&self.files(name).hypervisor_log()));
        let exit_status = end.status.and_then(|status| status.code());
        let own = own_process()?;
        loop {
            match self.turn("instance end") {
                Ok(mut turn) => {
                    let row = turn.store.instance(name)?;
                    // Somebody else may have seen the end first, and even
                    // have given the name to another instance.
                    return match row.is_some_and(|row| row.owner == Some(own)) {
                        true => turn.end_guest(name, state, exit_status, error.as_deref()),
                        false => Ok(()),
                    };
                }
                Err(Error::Busy { .. }) => thread::sleep(Duration::from_millis(100)),
                Err(other) => return Err(other),
            }
        }
    }
}

/// The instance, as soon as its devices are bound: its supervisor is started
/// meanwhile. `None` when that comes to nothing, or nobody is at it any more.
fn prepared(store: &Store, name: &Name, from: Process) -> Result<Option<InstanceRow>, Error> {
    while let Some(row) = store.instance(name)? {
        // A start that is being taken back counts as being prepared once more,
        // while its hypervisor lives.
        if row.state != InstanceState::Preparing || row.process.is_some() {
            return Ok(Some(row));
        }
        if row.owner != Some(from) || !runs(from)? {
            return Ok(None);
        }
        thread::sleep(LOOK);
    }
    Ok(None)
}

/// How a guest's end is called.
fn outcome(end: &End, log: impl FnOnce() -> String) -> (InstanceState, Option<String>) {
    match end.status {
        Some(status) if !status.success() && !end.asked => {
            let said = log();
            let said = if said.is_empty() { String::new() } else { format!(": {said}") };
            (InstanceState::Failed, Some(format!("the hypervisor ended with {status}{said}")))
        }
        _ => (InstanceState::Stopped, None),
    }
}

/// Signals that ask for the guest's end, as something to wait for.
struct Calls {
    pipe: UnixStream,
}

impl Calls {
    fn new() -> Result<Self, Error> {
        let failed = Error::Signals;
        let (pipe, write) = UnixStream::pair().map_err(failed)?;
        pipe.set_nonblocking(true).map_err(failed)?;
        for signal in [SIGTERM, SIGINT] {
            let write = write.try_clone().map_err(failed)?;
            signal_hook::low_level::pipe::register(signal, write).map_err(failed)?;
        }
        // A terminal that closes is no reason to end: caught, and forgotten.
        signal_hook::flag::register(SIGHUP, std::sync::Arc::default()).map_err(failed)?;
        Ok(Self { pipe })
    }

    /// Whether there was a call; it is answered now.
    fn take(&mut self) -> bool {
        let mut buffer = [0; 64];
        self.pipe.read(&mut buffer).is_ok_and(|count| count > 0)
    }
}

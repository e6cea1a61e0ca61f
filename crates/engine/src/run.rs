//! `run`: an instance, started.
//!
//! In: what is wanted. Out: a running guest with its devices, which outlives
//! this process; or every reason against it; or an error after everything
//! went back: devices to the host, files away.
//!
//! ```text
//! preparing ── files, bind; supervisor ──▶ starting ── hypervisor ──▶ running
//!     └───────────── anything fails ─────────────┴──▶ released, forgotten
//! ```

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use hypervisors::qemu::disk;
use hypervisors::{Backend, FileCopy, Rendered, Start};
use model::intent::Bind;
use model::plan::Plan;
use model::{Bdf, Code, Reason, Snapshot};

use crate::Engine;
use crate::bind::{Ready, Report, To};
use crate::error::Error;
use crate::guest::{
    Asking, Notes, Observed, Overlay, Wanted, host_devices, memory_for, run_well, wanted,
};
use crate::instances::{Instance, InstanceSpec};
use crate::name::Name;
use crate::present;
use crate::request::{Grace, RunRequest};
use crate::spawn::Starting;
use crate::stop::Ending;
use crate::store::{AssignmentState, InstanceState, Registered, Store};
use crate::target::resolve_all;
use crate::turn::Turn;
use crate::watch::{own_process, runs};

/// How long the supervisor has to appear.
const APPEARANCE: Duration = Duration::from_secs(30);
/// A guest that is not up yet has nothing to lose; its hypervisor has.
const NOW: Grace = Grace { guest: Duration::ZERO, hypervisor: Duration::from_secs(120) };
/// Between two looks at how far the start is.
const LOOK: Duration = Duration::from_millis(10);

/// What `run` would do.
#[derive(Debug)]
pub struct RunPlan {
    /// What is done to the devices.
    pub plan: Plan,
    /// How the hypervisor is started.
    pub rendered: Rendered,
}

/// An instance that was started, and what was done for it.
#[derive(Debug)]
pub struct Started {
    pub instance: Instance,
    pub report: Report,
}

/// Everything that is known before anything is changed.
#[derive(Debug)]
struct Prepared {
    rendered: Rendered,
    overlay: Option<Overlay>,
    spec: InstanceSpec,
    bind: Ready,
}

impl Engine {
    /// Starts an instance and comes back when its guest runs.
    pub fn run(&mut self, request: &RunRequest) -> Result<Started, Error> {
        let (mut report, starting) = self.make_ready(request)?;
        let name = &request.name;
        let started = starting.join().and_then(|()| self.await_start(name));
        if let Err(error) = started {
            return Err(match self.give_up(name) {
                // Somebody is at work, who ends it, or the next verb does.
                Ok(()) | Err(Error::Busy { .. }) => error,
                Err(worse) => worse,
            });
        }
        let instance = self.instance(name)?;
        report.notes.dedup();
        Ok(Started { instance, report })
    }

    /// What [`run`](Self::run) would do. Changes nothing.
    pub fn plan_run(&mut self, request: &RunRequest) -> Result<RunPlan, Error> {
        let notes = Notes::read_only(self.state.programs());
        let asking = Asking::begin(&self.root, request, notes);
        let mut snapshot = self.observe();
        let intent = run_intent(request, &snapshot, &self.registered()?)?;
        let (_, rendered, against) = self.render(request, &snapshot, &intent.devices, asking)?;
        self.refuse_existing(&request.name)?;
        let (guest, holdings) = (request.name.as_str(), self.holdings()?);
        let to = To { guest, state: AssignmentState::Held, owner: None, against };
        let plan = self.weigh(&mut snapshot, &intent, &holdings, Some(&to))?;
        Ok(RunPlan { plan, rendered })
    }

    /// Under the lock: everything up to the start of the hypervisor.
    fn make_ready(&mut self, request: &RunRequest) -> Result<(Report, Starting), Error> {
        let asking = Asking::begin(&self.root, request, Notes::new(self.state.programs()));
        let mut turn = self.turn("run")?;
        let prepared = turn.prepare(request, asking)?;
        let name = &request.name;
        let spec = serde_json::to_string(&prepared.spec)
            .map_err(|source| Error::InstanceSpec { name: name.clone(), source })?;
        let boot_id = turn.boot_id.clone();
        let own = own_process()?;
        turn.store.put_instance(name, &spec, &boot_id, own)?;
        let made = turn.engine.state.make_instance(name).and_then(|_| {
            let starting = Starting::begin(name, turn.engine.starter(name, own));
            match turn.make_and_bind(name, prepared) {
                Ok(report) => Ok((report, starting)),
                Err(error) => {
                    starting.leave();
                    Err(error)
                }
            }
        });
        match made {
            Ok((mut report, starting)) => {
                report.recovered = std::mem::take(&mut turn.recovered);
                Ok((report, starting))
            }
            Err(error) => {
                turn.forget_instance(name)?;
                Err(error)
            }
        }
    }

    /// The hypervisor's start, and what speaks against it in memory.
    fn render(
        &self,
        request: &RunRequest,
        snapshot: &Snapshot,
        functions: &[Bdf],
        asking: Option<Asking>,
    ) -> Result<(Wanted, Rendered, Vec<Reason>), Error> {
        let devices = host_devices(snapshot, functions);
        let files = self.files(&request.name);
        files.check_sockets()?;
        present::check(request, &self.root)?;
        let at = Observed { root: &self.root, snapshot };
        let wanted = wanted(at, request, devices, &files, asking)?;
        let mut rendered = named(&request.on)?.render(&wanted.spec, &wanted.facts)?;
        let (note, mut against) = memory_for(at, &wanted.spec);
        against.extend(present::against_image(request, functions, snapshot, &self.root));
        rendered.notes.extend(note);
        Ok((wanted, rendered, against))
    }

    /// Waits until the guest runs, has run, or will not.
    fn await_start(&self, name: &Name) -> Result<(), Error> {
        let own = own_process()?;
        let appearance = Instant::now() + APPEARANCE;
        let store = Store::open(&self.state)?;
        let not_started = |text: String| Error::NotStarted { name: name.clone(), text };
        loop {
            if self.interrupt.load(Ordering::Relaxed) {
                let text = format!("{name} was not started, everything was taken back");
                return Err(Error::Interrupted { text, hint: "" });
            }
            let row = store.instance(name)?.ok_or_else(|| Error::NoInstance(name.clone()))?;
            match row.state {
                InstanceState::Running | InstanceState::Stopped => return Ok(()),
                InstanceState::Failed => return Err(not_started(row.error.unwrap_or_default())),
                InstanceState::Preparing | InstanceState::Starting => {}
            }
            let unseen = row.owner == Some(own) && Instant::now() > appearance;
            let gone = match row.owner {
                Some(owner) => !runs(owner)? && row.process.is_none(),
                None => true,
            };
            if unseen || gone {
                let text = tail(&self.files(name).supervisor_log());
                return Err(Error::NoSupervisor { name: name.clone(), text });
            }
            thread::sleep(LOOK);
        }
    }

    /// After a start that failed: everything goes back. What the hypervisor
    /// said is in the error already.
    fn give_up(&mut self, name: &Name) -> Result<(), Error> {
        let mut turn = self.turn("run")?;
        // From here on no hypervisor of it can come to life.
        turn.store.set_instance(name, InstanceState::Preparing)?;
        let process = turn.store.instance(name)?.and_then(|row| row.process);
        drop(turn);
        if let Some(process) = process {
            Ending { name, process, files: &self.files(name), interrupt: None }.end(NOW)?;
        }
        self.turn("run")?.forget_instance(name)
    }

    fn refuse_existing(&self, name: &Name) -> Result<(), Error> {
        match Store::open_reading(&self.state)? {
            Some(store) if store.instance(name)?.is_some() => {
                Err(Error::InstanceExists(name.clone()))
            }
            _ => Ok(()),
        }
    }
}

impl Turn<'_> {
    /// Everything that can be known, and refused, before a change.
    fn prepare(&mut self, request: &RunRequest, asking: Option<Asking>) -> Result<Prepared, Error> {
        if self.store.instance(&request.name)?.is_some() {
            return Err(Error::InstanceExists(request.name.clone()));
        }
        let snapshot = self.observe()?;
        let intent = run_intent(request, &snapshot, &self.store.devices()?)?;
        let mut snapshot = self.engine.awake(snapshot, &intent.devices)?;
        let (wanted, rendered, against) =
            self.engine.render(request, &snapshot, &intent.devices, asking)?;
        let Start::Process { program, args } = rendered.start.clone() else {
            let text = format!("the hypervisor `{}` starts nothing", request.on);
            let hint = "it shows what would be started";
            return Err(Error::refused(Reason::machine(Code::Unsupported, text, hint)));
        };
        let guest = request.name.as_str();
        let (state, owner) = (AssignmentState::Held, None);
        let to = To { guest, state, owner, against };
        let bind = self.may_bind(&mut snapshot, &intent, Some(&to))?;
        let spec = InstanceSpec {
            backend: request.on.clone(),
            program,
            args,
            memory: request.memory,
            hugepages: wanted.spec.memory.hugepages,
            machine: wanted.spec.machine.name().to_owned(),
            viommu: Some(wanted.spec.has_iommu()),
            cpus: request.cpus,
            image: wanted.overlay.as_ref().map(|overlay| overlay.base.clone()),
            kernel: request.kernel.as_ref().map(|kernel| kernel.kernel.clone()),
        };
        Ok(Prepared { rendered, overlay: wanted.overlay, spec, bind })
    }

    /// Files first: they are undone by being removed, and fail sooner.
    fn make_and_bind(&mut self, name: &Name, prepared: Prepared) -> Result<Report, Error> {
        if let Some(overlay) = &prepared.overlay {
            run_well(&disk::overlay(&overlay.base, overlay.format, &overlay.path))?;
        }
        prepared.rendered.copies.iter().try_for_each(copy)?;
        let mut report = self.carry_out_bind(prepared.bind)?;
        report.notes.extend(prepared.rendered.notes);
        self.store.set_instance(name, InstanceState::Starting)?;
        Ok(report)
    }

    /// Takes back what was made for an instance that does not run.
    fn forget_instance(&mut self, name: &Name) -> Result<(), Error> {
        let released = self.release_held(name.as_str(), None);
        self.engine.state.remove_instance(name)?;
        self.store.delete_instance(name)?;
        released.map(drop)
    }
}

fn run_intent(
    request: &RunRequest,
    snapshot: &Snapshot,
    registered: &[Registered],
) -> Result<Bind, Error> {
    Ok(Bind {
        devices: resolve_all(&request.devices, snapshot, registered)?,
        driver: "vfio-pci".to_owned(),
        overrides: request.overrides.clone(),
        stop_services: request.stop_services,
    })
}

/// The backend of a name that a user typed.
fn named(name: &str) -> Result<&'static dyn Backend, Error> {
    hypervisors::backend(name).ok_or_else(|| {
        let text = format!("there is no hypervisor `{name}`");
        let known: Vec<&str> = hypervisors::BACKENDS.iter().map(|known| known.name()).collect();
        let hint = format!("it is one of {}", known.join(", "));
        Error::refused(Reason::machine(Code::Unsupported, text, hint))
    })
}

/// The backend that instances run on.
pub(crate) fn backend() -> &'static dyn Backend {
    &hypervisors::qemu::Qemu
}

fn copy(copy: &FileCopy) -> Result<(), Error> {
    if !copy.to.exists() {
        fs::copy(&copy.from, &copy.to).map_err(|error| Error::file(&copy.from, error))?;
    }
    Ok(())
}

/// The last of what a log says.
pub(crate) fn tail(path: &Path) -> String {
    const TAIL: usize = 2048;
    let text = match fs::read(path) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => error.to_string(),
    };
    let text = text.trim();
    let from = text.len().saturating_sub(TAIL);
    let from = (from..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    text[from..].to_owned()
}

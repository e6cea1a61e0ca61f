//! This program, started again: as an instance's supervisor, and as the
//! process that becomes its hypervisor.
//!
//! In: an instance. Out: a process that no end of this one touches: a
//! transient unit where systemd runs, else a process in a session of its own.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use host::paths::Root;
use host::process::has_systemd;
use model::port::Cmd;

use crate::Engine;
use crate::error::Error;
use crate::guest::run_well;
use crate::name::Name;
use crate::request::Grace;
use crate::state::StateDir;
use crate::store::Process;

/// The subcommand that supervises an instance: it calls [`Engine::supervise`].
pub const SUPERVISE: &str = "__supervise";
/// The subcommand that leaves its caller's session and starts the one above:
/// it calls [`Engine::detach_supervisor`].
pub const DETACH: &str = "__detach";
/// The subcommand that becomes a hypervisor: it calls [`Engine::become_guest`].
pub const GUEST: &str = "__guest";

/// How this program is started again.
#[derive(Clone, Debug)]
pub(crate) struct OwnProgram {
    pub program: PathBuf,
    /// Before the subcommand.
    pub args: Vec<OsString>,
    /// Whether systemd may be asked to run it.
    pub systemd: bool,
}

impl OwnProgram {
    /// This very program, with the state directory as its first option.
    pub fn new(state: &StateDir) -> Self {
        // The kernel says " (deleted)" behind the path of a program that an
        // upgrade has replaced: then what is there now is meant.
        let program = std::env::current_exe().unwrap_or_else(|_| Root::real().own_program());
        let program = match program.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
            Some(path) => PathBuf::from(path),
            None => program,
        };
        let args = vec!["--state".into(), state.path().into()];
        Self { program, args, systemd: has_systemd(&Root::real()) }
    }

    /// The beginning of a command line that starts it, for systemd
    /// (systemd.service(5), command lines). It looks for its state by itself
    /// where that is in the usual place.
    pub fn line(&self, root: &Root) -> String {
        let usual = root.at(StateDir::DEFAULT);
        let is_usual = self.args.iter().any(|arg| Path::new(arg) == usual);
        let args = self.args.iter().filter(|_| !is_usual);
        let words = [self.program.as_os_str()].into_iter().chain(args.map(OsString::as_os_str));
        words.map(|word| quoted(&word.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }

    /// The command of a subcommand about an instance, from the process that
    /// saw to it until now.
    pub fn command(&self, subcommand: &str, name: &Name, from: Process) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args).arg(subcommand).args(operands(name, from));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// A word as systemd takes it: `%` is the beginning of a specifier.
fn quoted(word: &str) -> String {
    let word = word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%");
    match word.contains([' ', '\t', '"', '\'', ';', '$']) {
        true => format!("\"{}\"", word.replace('$', "$$")),
        false => word,
    }
}

/// What follows each of the subcommands: the instance, and the pid and start
/// time of the process that saw to it until now.
fn operands(name: &Name, from: Process) -> [String; 3] {
    [name.to_string(), from.pid.to_string(), from.start_time.to_string()]
}

/// The unit that an instance's supervisor runs in.
pub fn unit(name: &Name) -> String {
    format!("passthru-{name}.service")
}

/// The unit of one that takes over. The unit of a supervisor that was killed
/// keeps its name as long as its guest runs in it.
fn next_unit(name: &Name, from: Process) -> String {
    format!("passthru-{name}@{}.service", from.pid)
}

/// Starts the supervisor of one instance, which takes over from the process
/// that saw to it until now. It has all it needs and can be taken to a thread.
#[derive(Clone, Debug)]
pub(crate) struct Starter {
    own: OwnProgram,
    name: Name,
    from: Process,
    log: PathBuf,
}

impl Starter {
    /// Whether starting it makes a file of the instance.
    fn writes(&self) -> bool {
        !self.own.systemd
    }

    /// Starts it, and does not wait for it.
    pub fn start(&self) -> Result<(), Error> {
        if !self.own.systemd {
            return self.spawn_detached();
        }
        let started = run_well(&self.systemd_run(&unit(&self.name)));
        started
            .or_else(|_| run_well(&self.systemd_run(&next_unit(&self.name, self.from))))
            .map(drop)
    }

    /// `KillMode=process`: when the supervisor is killed, its guest runs on.
    fn systemd_run(&self, unit: &str) -> Cmd {
        let Grace { guest, hypervisor } = Grace::default();
        let stop = guest.as_secs() + hypervisor.as_secs() + 60;
        let mut args: Vec<String> = vec![
            format!("--unit={unit}"),
            format!("--description=passthru instance {}", self.name),
            "--collect".to_owned(),
            "--quiet".to_owned(),
            "--no-ask-password".to_owned(),
            "--service-type=exec".to_owned(),
            "--property=KillMode=process".to_owned(),
            "--property=LimitMEMLOCK=infinity".to_owned(),
            "--property=OOMPolicy=continue".to_owned(),
            format!("--property=TimeoutStopSec={stop}"),
            "--".to_owned(),
            self.own.program.display().to_string(),
        ];
        args.extend(self.own.args.iter().map(|arg| arg.to_string_lossy().into_owned()));
        args.push(SUPERVISE.to_owned());
        args.extend(operands(&self.name, self.from));
        Cmd::new("systemd-run", args)
    }

    /// Without systemd: a process that leaves the session and starts the
    /// supervisor, whose parent is then the first process of the machine.
    fn spawn_detached(&self) -> Result<(), Error> {
        let log = open_log(&self.log)?;
        let mut command = self.own.command(DETACH, &self.name, self.from);
        let failed = |source| Error::file(&self.own.program, source);
        let status = command.stderr(log).status().map_err(failed)?;
        match status.success() {
            true => Ok(()),
            false => {
                let text = crate::run::tail(&self.log);
                Err(Error::NoSupervisor { name: self.name.clone(), text })
            }
        }
    }
}

/// A supervisor that is being started while devices are bound: each takes as
/// long as the other.
#[derive(Debug)]
pub(crate) struct Starting {
    name: Name,
    /// Whether starting it makes a file of the instance.
    writes: bool,
    thread: JoinHandle<Result<(), Error>>,
}

impl Starting {
    pub fn begin(name: &Name, starter: Starter) -> Self {
        let writes = starter.writes();
        Self { name: name.clone(), writes, thread: thread::spawn(move || starter.start()) }
    }

    /// For what comes to nothing: the supervisor sees that by itself. It is
    /// waited for only where it could write into a folder that is removed.
    pub fn leave(self) {
        if self.writes {
            let _ = self.thread.join();
        }
    }

    pub fn join(self) -> Result<(), Error> {
        let lost = |_| Err(Error::NoSupervisor { name: self.name, text: String::new() });
        self.thread.join().unwrap_or_else(lost)
    }
}

impl Engine {
    /// What starts the supervisor of an instance that `from` sees to.
    pub(crate) fn starter(&self, name: &Name, from: Process) -> Starter {
        let log = self.files(name).supervisor_log();
        Starter { own: self.own.clone(), name: name.clone(), from, log }
    }

    /// The process in between: leaves its caller's session (and with it the
    /// terminal and its signals) and starts the supervisor.
    pub fn detach_supervisor(&self, name: &Name, from: Process) -> Result<(), Error> {
        let failed = |source: std::io::Error| Error::file(&self.own.program, source);
        rustix::process::setsid().map_err(|errno| failed(errno.into()))?;
        rustix::process::chdir("/").map_err(|errno| failed(errno.into()))?;
        let mut command = self.own.command(SUPERVISE, name, from);
        let log = open_log(&self.files(name).supervisor_log())?;
        command.stderr(log).spawn().map(drop).map_err(failed)
    }
}

/// A log that is added to, for root's eyes only.
pub(crate) fn open_log(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600);
    options.open(path).map_err(|error| Error::file(path, error))
}

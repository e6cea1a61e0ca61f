//! No test waits for ever: what is late is told, interrupted, and then ended.
//!
//! In: a machine and a state directory. Out: a flag that makes the engine's
//! waits end, raised when a test takes far longer than any does; and if that
//! does not end it, the end of all tests, with no guest left behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use engine::{Engine, Instance, Process};

use crate::given::{PATIENCE, kill};
use crate::program;

/// Longer than every single wait of a test may last.
const LATE: Duration = PATIENCE.saturating_add(Duration::from_secs(60));
/// How long an interrupted test may take to come back.
const LAST: Duration = Duration::from_secs(60);

pub struct Limit {
    late: Arc<AtomicBool>,
    /// Gone when the test has ended.
    _running: Sender<()>,
}

impl Limit {
    pub fn new(state: &Path, root: &Path) -> Self {
        let late = Arc::new(AtomicBool::new(false));
        let (running, ended) = channel::<()>();
        let test = thread::current().name().unwrap_or_default().to_owned();
        let places = [state, root].map(Path::to_owned);
        let flag = Arc::clone(&late);
        thread::spawn(move || {
            let [state, root] = places;
            let engine = || program::engine(&state, &root);
            if ended.recv_timeout(LATE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("{test} is late:\n{}", report(&engine()));
                flag.store(true, Ordering::Relaxed);
                if ended.recv_timeout(LAST) == Err(RecvTimeoutError::Timeout) {
                    eprintln!("{test} does not end:\n{}", report(&engine()));
                    engine().instances().unwrap_or_default().iter().for_each(end);
                    std::process::exit(1);
                }
            }
        });
        Self { late, _running: running }
    }

    /// Raised when the test is late.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.late)
    }
}

/// Ends what an instance left running.
pub fn end(instance: &Instance) {
    for process in [instance.supervisor, instance.process].into_iter().flatten() {
        kill(process, "KILL");
    }
}

/// What every process of a test is at.
fn report(engine: &Engine) -> String {
    let own = Process { pid: std::process::id(), start_time: 0 };
    let mut lines = threads("the tests", own);
    for instance in engine.instances().unwrap_or_default() {
        lines.push(format!("instance {} is {:?}", instance.name, instance.state));
        lines.extend(instance.supervisor.into_iter().flat_map(|it| threads("supervisor", it)));
        lines.extend(instance.process.into_iter().flat_map(|it| threads("hypervisor", it)));
        for log in [instance.files.supervisor_log(), instance.files.hypervisor_log()] {
            let text = fs::read_to_string(&log).unwrap_or_default();
            lines.extend(text.lines().map(|line| format!("  {}: {line}", log.display())));
        }
    }
    lines.join("\n")
}

/// The threads of a process, and where each waits in the kernel.
fn threads(what: &str, process: Process) -> Vec<String> {
    let tasks = PathBuf::from(format!("/proc/{}/task", process.pid));
    let text = |path: PathBuf| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let entries = fs::read_dir(tasks).into_iter().flatten().flatten();
    let line = |entry: fs::DirEntry| {
        let name = text(entry.path().join("comm"));
        format!("  {what} {}: {name} in {}", process.pid, text(entry.path().join("wchan")))
    };
    entries.map(line).collect()
}

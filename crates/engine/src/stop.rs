//! `instance stop`: gently, then firmly, then by force.
//!
//! In: an instance and how long each stage may take. Out: a guest that has
//! ended and given its devices back. SIGKILL comes last and never first: a
//! device whose initialisation is cut off may stay unusable until the host
//! is restarted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use hypervisors::Patience;
use rustix::process::Signal;

use crate::Engine;
use crate::error::Error;
use crate::instances::{Files, Instance};
use crate::name::Name;
use crate::request::Grace;
use crate::run::backend;
use crate::store::{InstanceState, Process};
use crate::watch::{Watched, runs};

/// How long to wait for the hypervisor's answer to the power button.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a process may take to end after SIGKILL: it has to give back
/// pinned memory, and a reset of its devices is part of its end.
const LAST: Duration = Duration::from_secs(60);
/// How long its supervisor has to release the devices before somebody else does.
const SETTLE: Duration = Duration::from_secs(90);

/// What made a guest end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It had ended before it was asked.
    Itself,
    /// Its operating system, after the power button was pressed.
    Guest,
    /// The hypervisor, on SIGTERM.
    Terminated,
    /// SIGKILL.
    Killed,
}

impl Engine {
    /// Stops an instance, and comes back when its devices are released.
    pub fn stop(&mut self, name: &Name, grace: Grace) -> Result<Ended, Error> {
        let instance = self.instance(name)?;
        // One whose hypervisor is yet to come belongs to whoever starts it.
        let coming = instance.process.is_none()
            && instance.supervisor.is_some()
            && instance.state != InstanceState::Running;
        if !instance.state.is_live() || coming {
            let state = instance.state;
            return Err(Error::InstanceState { name: name.clone(), state });
        }
        let ended = match instance.process {
            Some(process) => {
                let interrupt = Some(&self.interrupt);
                Ending { name, process, files: &instance.files, interrupt }.end(grace)?
            }
            None => Ended::Itself,
        };
        self.await_release(name)?;
        Ok(ended)
    }

    /// Waits until somebody has released what an ended guest held: its
    /// supervisor, or, if there is none, this process.
    fn await_release(&mut self, name: &Name) -> Result<(), Error> {
        let end = Instant::now() + SETTLE;
        loop {
            let Instance { state, supervisor, .. } = self.instance(name)?;
            if !state.is_live() {
                return Ok(());
            }
            if self.interrupt.load(Ordering::Relaxed) {
                let text = format!("{name} has ended, its devices are on their way to the host");
                return Err(Error::Interrupted { text, hint: "`passthru recover` waits for them" });
            }
            if supervisor.is_none() || Instant::now() > end {
                // A turn begins by settling what has ended.
                self.turn("instance stop")?;
                return Ok(());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

/// An instance whose hypervisor's process is to end.
#[derive(Debug)]
pub(crate) struct Ending<'a> {
    pub name: &'a Name,
    pub process: Process,
    pub files: &'a Files,
    /// What makes the wait for it end early; what cleans up waits to the end.
    pub interrupt: Option<&'a Arc<AtomicBool>>,
}

impl Ending<'_> {
    /// Ends it, gently first.
    pub fn end(&self, grace: Grace) -> Result<Ended, Error> {
        let Some(watched) = Watched::open(self.process)? else { return Ok(Ended::Itself) };
        // A guest that cannot be asked has nothing to be waited for.
        if press_power_button(self.files, ANSWER) && self.ends(&watched, grace.guest)? {
            return Ok(Ended::Guest);
        }
        watched.signal(Signal::TERM)?;
        if self.ends(&watched, grace.hypervisor)? {
            return Ok(Ended::Terminated);
        }
        watched.signal(Signal::KILL)?;
        match self.ends(&watched, LAST)? || !runs(self.process)? {
            true => Ok(Ended::Killed),
            false => Err(Error::Undying { name: self.name.clone(), pid: self.process.pid }),
        }
    }

    fn ends(&self, watched: &Watched, within: Duration) -> Result<bool, Error> {
        let patience = Patience::from(within);
        let patience = match self.interrupt {
            Some(flag) => patience.unless(flag),
            None => patience,
        };
        watched.ends_within(&patience)?.ok_or_else(|| {
            let text = format!("{} was asked to end and may do so still", self.name);
            let hint = "`passthru instance stop` again waits for it, and goes on to make it end";
            Error::Interrupted { text, hint }
        })
    }
}

/// By either socket: each serves one client at a time, and a command that
/// waits for the guest may keep the first for long.
fn press_power_button(files: &Files, answer: Duration) -> bool {
    [files.monitor(), files.supervisor_monitor()].iter().any(|monitor| {
        let guest = backend().connect(monitor, &answer.into());
        guest.and_then(|mut guest| guest.shut_down()).is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_busy_socket_does_not_keep_the_power_button_from_being_pressed() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::new(folder.path().to_owned());
        let _busy = UnixListener::bind(files.monitor()).unwrap();
        let free = UnixListener::bind(files.supervisor_monitor()).unwrap();
        let guest = thread::spawn(move || {
            let (mut stream, _) = free.accept().unwrap();
            writeln!(stream, r#"{{"QMP": {{}}}}"#).unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let mut asked = Vec::new();
            for line in lines.map_while(Result::ok) {
                let request: serde_json::Value = serde_json::from_str(&line).unwrap();
                asked.push(request["execute"].as_str().unwrap().to_owned());
                writeln!(stream, r#"{{"return": {{}}, "id": {}}}"#, request["id"]).unwrap();
            }
            asked
        });
        assert!(press_power_button(&files, Duration::from_millis(200)));
        assert_eq!(guest.join().unwrap(), ["qmp_capabilities", "system_powerdown"]);
    }
}

//! The pretended system's programs: `systemctl` and `modprobe`.

use model::port::{Cmd, Output, RunError, Runner};

use crate::inject::Op;
use crate::kernel::{Fate, Shared};
use crate::machine::{Machine, RELEASE};

/// Runs commands on a pretended machine.
#[derive(Clone, Debug)]
pub struct FakeRunner(pub(crate) Shared);

impl Runner for FakeRunner {
    fn run(&mut self, cmd: &Cmd) -> Result<Output, RunError> {
        let program = cmd.program.clone();
        let result = match self.0.begin(Op::Run(cmd.clone())) {
            Fate::Refused(errno) => Ok(ended(1, "", &format!("{program}: {errno}\n"))),
            Fate::Hangs => Err(RunError::Deadline { program, deadline: cmd.deadline }),
            Fate::Go => self.0.lock().machine.command(cmd),
        };
        self.0.end();
        result
    }
}

impl Machine {
    fn command(&mut self, cmd: &Cmd) -> Result<Output, RunError> {
        let args: Vec<&str> = cmd.args.iter().map(String::as_str).collect();
        match (cmd.program.as_str(), &args[..]) {
            ("systemctl", [verb, unit]) => Ok(self.systemctl(verb, unit)),
            ("modprobe", [module]) => Ok(self.modprobe(module)),
            _ => {
                let (program, text) = (cmd.program.clone(), "no such file or directory".to_owned());
                Err(RunError::Start { program, text })
            }
        }
    }

    /// Statuses and words of systemctl(1): 3 for a unit that is not active, 5
    /// for one that is not there.
    fn systemctl(&mut self, verb: &str, unit: &str) -> Output {
        let active = self.units.get_mut(unit);
        match (verb, active) {
            ("is-active", Some(true)) => ended(0, "active\n", ""),
            ("is-active", _) => ended(3, "inactive\n", ""),
            ("start" | "stop", Some(active)) => {
                *active = verb == "start";
                ended(0, "", "")
            }
            ("start" | "stop", None) => {
                let verb = if verb == "start" { "start" } else { "stop" };
                ended(5, "", &format!("Failed to {verb} {unit}: Unit {unit} not found.\n"))
            }
            _ => ended(1, "", &format!("Unknown command verb '{verb}'.\n")),
        }
    }

    fn modprobe(&mut self, module: &str) -> Output {
        let name = module.replace('-', "_");
        if self.tree.exists(format!("sys/module/{name}")) {
            return ended(0, "", "");
        }
        match self.loadable.get(&name).cloned() {
            Some(drivers) => {
                drivers.into_iter().for_each(|driver| self.load(driver));
                ended(0, "", "")
            }
            None => {
                let text = format!(
                    "modprobe: FATAL: Module {module} not found in directory /lib/modules/{RELEASE}\n"
                );
                ended(1, "", &text)
            }
        }
    }
}

fn ended(status: i32, stdout: &str, stderr: &str) -> Output {
    Output { status: Some(status), stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

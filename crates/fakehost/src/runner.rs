//! The pretended system's programs: `systemctl`, `modprobe`, and those that
//! make what it boots by ([`crate::generators`]).

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
        if let Some(output) = self.generate(cmd) {
            return Ok(output);
        }
        match (cmd.program.as_str(), &args[..]) {
            ("systemctl", args) => Ok(self.systemctl(args)),
            ("modprobe", [module]) => Ok(self.modprobe(module)),
            ("ppc64_cpu", [smt]) => Ok(self.ppc64_cpu(smt)),
            _ => {
                let (program, text) = (cmd.program.clone(), "no such file or directory".to_owned());
                Err(RunError::Start { program, text })
            }
        }
    }

    /// Of one core with two threads.
    fn ppc64_cpu(&mut self, smt: &str) -> Output {
        let siblings =
            |cpu| format!("sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list");
        match smt {
            "--smt=on" => [0, 1].iter().for_each(|cpu| self.tree.put(siblings(cpu), "0-1\n")),
            "--smt=off" => {
                self.tree.put(siblings(&0), "0\n");
                self.tree.remove(siblings(&1));
            }
            _ => return ended(1, "", "ppc64_cpu: invalid argument\n"),
        }
        ended(0, "", "")
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

pub(crate) fn ended(status: i32, stdout: &str, stderr: &str) -> Output {
    Output { status: Some(status), stdout: stdout.to_owned(), stderr: stderr.to_owned() }
}

//! Where the demo's commands run: in a lab host, or on this machine.

use std::env;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;
use lab::LabHost;

use crate::shell;

/// What a command said, and whether it succeeded.
pub(super) struct Said {
    pub success: bool,
    pub stdout: String,
    pub stderr: String,
}

pub(super) trait Place {
    /// What stands before a command on the screen.
    fn prompt(&self) -> &'static str;
    /// Runs a command in a shell, as root.
    fn run(&self, command: &str) -> anyhow::Result<Said>;
    /// What the machine said last, where it has a console of its own.
    fn console_tail(&self) -> String;
}

impl Place for LabHost {
    fn prompt(&self) -> &'static str {
        "lab#"
    }

    fn run(&self, command: &str) -> anyhow::Result<Said> {
        let output = LabHost::run(self, command)?;
        Ok(Said { success: output.success(), stdout: output.stdout, stderr: output.stderr })
    }

    fn console_tail(&self) -> String {
        LabHost::console_tail(self, 10)
    }
}

/// This machine, with the program of this checkout.
pub(super) struct Here {
    path: String,
    root: bool,
}

impl Here {
    pub fn new() -> anyhow::Result<Self> {
        shell::cargo(&["build", "--release", "--quiet", "-p", "cli"])?;
        let built = lab::places::target().join("release");
        let path = format!("{}:{}", built.display(), env::var("PATH").unwrap_or_default());
        Ok(Self { path, root: is_root() })
    }
}

impl Place for Here {
    fn prompt(&self) -> &'static str {
        "#"
    }

    fn run(&self, command: &str) -> anyhow::Result<Said> {
        let script = format!("PATH='{}'; export PATH; {command}", self.path);
        let mut shell = match self.root {
            true => Command::new("sh"),
            false => Command::new("sudo"),
        };
        if !self.root {
            shell.arg("sh");
        }
        let output = shell.args(["-c", &script]).stdin(Stdio::null()).output();
        let output = output.with_context(|| format!("cannot run `{command}` as root"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said {
            success: output.status.success(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        })
    }

    fn console_tail(&self) -> String {
        String::new()
    }
}

/// A process of root's owns its own entry in `/proc`.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0)
}

//! `passthru completions`: for a shell to learn the command line.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;

use crate::error::Error;
use crate::output::print;

/// Print completions for a shell
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub fn exec(&self) -> Result<(), Error> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut crate::command(), "passthru", &mut text);
        print(|out| out.write_all(&text))
    }
}

//! `passthru completions`: for a shell to learn the command line.

use std::io::Write;

use clap::Args;
use clap_complete::Shell;
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::output::{json, print};

/// Print completions for a shell
#[derive(Debug, Args)]
pub struct Completions {
    /// The shell
    shell: Shell,
}

#[derive(Serialize)]
struct ScriptJson {
    script: String,
}

impl Completions {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut crate::command(), "passthru", &mut text);
        match cx.json {
            true => json::print(&ScriptJson { script: String::from_utf8_lossy(&text).into() }),
            false => print(|out| out.write_all(&text)),
        }
    }
}

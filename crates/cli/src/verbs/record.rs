//! `passthru record`: this machine as text that tests and bug reports replay.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use host::record::{Options, record, record_with};
use host::write::ChildWriter;
use serde::Serialize;

use crate::context::Context;
use crate::error::Error;
use crate::output::{json, print};

/// Record this machine as text that `--machine` and umockdev can replay
///
/// Serial numbers, hardware and network addresses and names that people chose
/// are masked. Recording changes nothing and wakes no device; what only root
/// may read is recorded as refused for anybody else.
#[derive(Debug, Args)]
pub struct Record {
    /// A folder without a recording, or a file that does not exist; else standard output
    #[arg(value_name = "OUT")]
    out: Option<PathBuf>,

    /// Keep serial numbers, addresses and names as they are
    #[arg(long)]
    unmasked: bool,

    /// Record which processes hold device nodes open, too
    #[arg(long)]
    holders: bool,
}

#[derive(Serialize)]
struct WrittenJson<'a> {
    path: &'a str,
    devices: usize,
}

#[derive(Serialize)]
struct TextJson<'a> {
    recording: &'a str,
}

impl Record {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        let in_doubt = cx.in_doubt();
        let options = Options { unmasked: self.unmasked, holders: self.holders, in_doubt };
        let recording = match cx.root.is_real() {
            true => record_with(&cx.root, &options, &mut ChildWriter::new()),
            false => record(&cx.root, &options),
        };
        let recording = recording.map_err(Error::Record)?;
        let Some(out) = &self.out else {
            let text = recording.to_text();
            return match cx.json {
                true => json::print(&TextJson { recording: &text }),
                false => print(|out| out.write_all(text.as_bytes())),
            };
        };
        recording.write_to(out).map_err(Error::Record)?;
        let devices = recording.devices.len();
        match cx.json {
            true => json::print(&WrittenJson { path: &out.to_string_lossy(), devices }),
            false => print(|to| writeln!(to, "recorded {devices} devices in {}", out.display())),
        }
    }
}

//! Writes the described machines of `machines/`, and says which are stale.
//!
//! `cargo run -p host --example machines` writes all of them;
//! `… -- --check` writes nothing and fails if one is not what its
//! description gives. Descriptions are Rust because configuration space
//! written by hand is wrong configuration space.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use host::record::{DEVICES_FILE, Recording, SIDECAR_FILE};
use model::parse::{sidecar, umockdev};

mod attached;
mod catalogue;
mod config;
mod function;
mod host_files;
mod machine;
mod place;

fn main() -> ExitCode {
    let only_check = std::env::args().any(|argument| argument == "--check");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines");
    let mut stale = false;
    for (name, describe) in catalogue::ALL {
        let folder = folder.join(name);
        let recording = describe();
        for (file, text) in files(&recording) {
            let path = folder.join(file);
            if only_check {
                if fs::read_to_string(&path).is_ok_and(|old| old == text) {
                    continue;
                }
                eprintln!("machines/{name}/{file} is not what its description gives");
                stale = true;
            } else {
                fs::create_dir_all(&folder).unwrap();
                fs::write(&path, text).unwrap();
            }
        }
    }
    if stale { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn files(recording: &Recording) -> [(&'static str, String); 2] {
    let devices = umockdev::print(&recording.devices);
    [(DEVICES_FILE, devices), (SIDECAR_FILE, sidecar::print(&recording.sidecar))]
}

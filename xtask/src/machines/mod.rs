//! The described machines of `machines/`, as files.
//!
//! In: descriptions ([`catalogue`]), in Rust because configuration space
//! written by hand is wrong configuration space. Out: recordings in the
//! format of `passthru record`. What each is made after stands in its
//! `SOURCE.md`.

mod attached;
mod catalogue;
mod config;
mod function;
mod host_files;
mod machine;
mod place;

use std::path::{Path, PathBuf};

use host::record::{DEVICES_FILE, SIDECAR_FILE};
use model::parse::{sidecar, umockdev};

/// Each file of each described machine.
pub fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for (name, describe) in catalogue::ALL {
        let folder = Path::new("machines").join(name);
        let recording = describe();
        let devices = umockdev::print(&recording.devices);
        files.push((folder.join(DEVICES_FILE), devices.into_bytes()));
        let sidecar = sidecar::print(&recording.sidecar);
        files.push((folder.join(SIDECAR_FILE), sidecar.into_bytes()));
    }
    files
}

//! This machine as text that tests and bug reports can replay.
//!
//! In: a root directory. Out: a [`Recording`]: the devices in umockdev's
//! format, so that other tools read them too, and a sidecar for the rest.
//! Never: a write to the machine, a wake-up of a suspended device, a machine
//! id; nor, unless it is asked for, a serial number, a hardware or network
//! address or a name that somebody chose.

mod attributes;
mod devices;
mod holders;
mod host;
mod mask;
mod recording;
mod setup;
mod source;
mod sources;

use std::cell::RefCell;
use std::path::Path;

use model::port::AttrWriter;

use crate::observe::InDoubt;
use crate::paths::Root;

pub use recording::{DEVICES_FILE, Recording, RecordingError, SIDECAR_FILE};

/// What to record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Keep serial numbers, addresses and names as they are.
    pub unmasked: bool,
    /// Record which processes hold device nodes open.
    pub holders: bool,
    /// Whose registers are not read.
    pub in_doubt: InDoubt,
}

/// Records a machine. What cannot be read is recorded as refused, so that a
/// recording made without privilege observes as it did for that user. On the
/// real machine `driver_override` is left out, as reading it may block: see
/// [`record_with`]. The error is that the root is not a machine.
pub fn record(root: &Root, options: &Options) -> Result<Recording, RecordingError> {
    take(source::Source::new(root, &options.in_doubt, None), options)
}

/// Records a machine, and reads what may block through `attrs`.
pub fn record_with(
    root: &Root,
    options: &Options,
    attrs: &mut dyn AttrWriter,
) -> Result<Recording, RecordingError> {
    let attrs = RefCell::new(attrs);
    let read = |path: &Path| attrs.borrow_mut().read(path);
    take(source::Source::new(root, &options.in_doubt, Some(&read)), options)
}

fn take(source: source::Source, options: &Options) -> Result<Recording, RecordingError> {
    let bus = source.root().pci_devices();
    let path = || source.root().shown(&bus).into();
    std::fs::read_dir(&bus)
        .map_err(|error| RecordingError::Read { path: path(), source: error })?;
    let mut recording = Recording::default();
    host::add(source, &mut recording.sidecar);
    recording.devices = devices::devices(source, &mut recording.sidecar);
    if options.holders {
        holders::add(source, &mut recording);
    }
    if !options.unmasked {
        mask::mask(&mut recording);
    }
    Ok(recording)
}

//! A recording as a value, and its two shapes on disk.
//!
//! In: a folder (`devices.umockdev`, `host.sidecar`), or one text file with
//! both. Out: a [`Recording`], and back. Never: an opinion about the machine.
//!
//! One file is the first shape's two files behind each other: the sidecar's
//! version line cannot be a line of the other format. It can be read before
//! it is attached to a bug report, which an archive cannot.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use model::parse::recording::{LineError, Problem};
use model::parse::sidecar::{self, Sidecar};
use model::parse::umockdev::{self, Device};
use thiserror::Error;

/// The devices, in umockdev's format.
pub const DEVICES_FILE: &str = "devices.umockdev";
/// Everything else.
pub const SIDECAR_FILE: &str = "host.sidecar";

/// The largest recording that is read. 10,000 functions take about 100 MiB.
const LARGEST: u64 = 512 << 20;

/// A machine as it was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recording {
    pub devices: Vec<Device>,
    pub sidecar: Sidecar,
}

/// Why a recording cannot be read or written.
#[derive(Debug, Error)]
pub enum RecordingError {
    #[error("cannot read `{}`", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("`{}` is larger than any recording ({} MiB)", path.display(), LARGEST >> 20)]
    TooLarge { path: PathBuf },
    #[error("`{}` is not a recording that can be used", path.display())]
    Malformed { path: PathBuf, source: LineError },
}

impl Recording {
    /// Reads a text that holds the devices and perhaps, behind them, the sidecar.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let Some(start) = sidecar_start(text) else {
            return Ok(Self { devices: umockdev::parse(text)?, sidecar: Sidecar::new() });
        };
        let (devices, rest) = text.split_at(start);
        let lines_before = devices.matches('\n').count();
        let sidecar = sidecar::parse(rest).map_err(|mut error| {
            error.line += lines_before;
            error
        })?;
        Ok(Self { devices: umockdev::parse(devices)?, sidecar })
    }

    /// One text with both parts.
    pub fn to_text(&self) -> String {
        let mut text = umockdev::print(&self.devices);
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&sidecar::print(&self.sidecar));
        text
    }

    /// Whether a folder is a recording, and not a machine's tree.
    pub fn is_folder(path: &Path) -> bool {
        path.join(DEVICES_FILE).is_file()
    }

    /// Reads a folder or a file.
    pub fn read_from(path: &Path) -> Result<Self, RecordingError> {
        if !path.is_dir() {
            let text = read(path)?;
            return Self::parse(&text).map_err(malformed(path));
        }
        let devices = path.join(DEVICES_FILE);
        let devices = umockdev::parse(&read(&devices)?).map_err(malformed(&devices))?;
        let path = path.join(SIDECAR_FILE);
        let sidecar = match read(&path) {
            Ok(text) => sidecar::parse(&text).map_err(malformed(&path))?,
            Err(error) if is_missing(&error) => Sidecar::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { devices, sidecar })
    }

    /// Writes two files into a folder, if there is one at the path, else one
    /// file. None of them may exist yet.
    pub fn write_to(&self, path: &Path) -> Result<(), RecordingError> {
        if !path.is_dir() {
            return write(path, &self.to_text());
        }
        let (devices, sidecar) = (path.join(DEVICES_FILE), path.join(SIDECAR_FILE));
        // Before the other is written: no half of a recording is left.
        if sidecar.exists() {
            return Err(write_error(&sidecar, io::ErrorKind::AlreadyExists.into()));
        }
        write(&devices, &umockdev::print(&self.devices))?;
        write(&sidecar, &sidecar::print(&self.sidecar))
    }
}

/// Where the sidecar's version line starts, whatever version it names.
fn sidecar_start(text: &str) -> Option<usize> {
    let word = sidecar::VERSION.split(' ').next().unwrap_or_default();
    let starts = |at: &usize| *at == 0 || text.as_bytes()[at - 1] == b'\n';
    text.match_indices(word).map(|(at, _)| at).find(starts)
}

fn read(path: &Path) -> Result<String, RecordingError> {
    let failed = |source| RecordingError::Read { path: path.to_owned(), source };
    let too_large = || RecordingError::TooLarge { path: path.to_owned() };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > LARGEST {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(too_large());
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
        malformed(path)(Problem::NotUtf8.at(line))
    })
}

fn write(path: &Path, text: &str) -> Result<(), RecordingError> {
    let mut file = File::create_new(path).map_err(|source| write_error(path, source))?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(|error| write_error(path, error))
}

fn write_error(path: &Path, source: io::Error) -> RecordingError {
    RecordingError::Write { path: path.to_owned(), source }
}

fn malformed(path: &Path) -> impl Fn(LineError) -> RecordingError + use<'_> {
    |source| RecordingError::Malformed { path: path.to_owned(), source }
}

fn is_missing(error: &RecordingError) -> bool {
    matches!(error, RecordingError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

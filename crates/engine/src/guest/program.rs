//! What a hypervisor's program is: its version, and whether it can confine itself.
//!
//! In: a program, by name or path. Out: what it says of itself, remembered in
//! the state directory for as long as its file is the same: to start QEMU and
//! ask takes as long as all else that is done before a guest starts. Only a
//! binary is remembered; a script may start another QEMU tomorrow.

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use host::paths::Root;
use host::run::CommandRunner;
use hypervisors::machine::Machine;
use hypervisors::qemu::{Version, version};
use model::port::Runner;
use serde::{Deserialize, Serialize};

use super::{failed, run_well};
use crate::error::Error;
use crate::request::RunRequest;

/// What a program says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct About {
    pub version: Version,
    /// Whether it was built with seccomp.
    pub sandbox: bool,
}

/// What is remembered of one program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// Which file it was.
    file: String,
    version: (u32, u32, u32),
    sandbox: bool,
}

/// The program that a guest will most likely run on, known or being asked
/// while the machine is looked at.
#[derive(Debug)]
pub(crate) struct Asking {
    program: String,
    answer: Answer,
}

#[derive(Debug)]
enum Answer {
    Known(About),
    Coming(JoinHandle<Result<About, Error>>),
}

impl Asking {
    /// `None` where nobody is to be asked.
    pub fn begin(root: &Root, request: &RunRequest, notes: &Path) -> Option<Self> {
        let program = match (&request.program, &request.machine) {
            (Some(program), _) => program.display().to_string(),
            (None, _) if !root.is_real() => return None,
            (None, Some(name)) => Machine::named(name).ok()?.kind().program().to_owned(),
            (None, None) => Machine::for_arch(ARCH).ok()?.kind().program().to_owned(),
        };
        let answer = match remembered(notes, &program) {
            Some(about) => Answer::Known(about),
            None => {
                let asked = program.clone();
                Answer::Coming(thread::spawn(move || ask(&asked)))
            }
        };
        Some(Self { program, answer })
    }

    pub fn is_about(&self, program: &str) -> bool {
        self.program == program
    }

    pub fn answer(self) -> Result<About, Error> {
        match self.answer {
            Answer::Known(about) => Ok(about),
            // Asked once more should the thread have been lost.
            Answer::Coming(thread) => thread.join().unwrap_or_else(|_| ask(&self.program)),
        }
    }
}

/// Asks a program.
pub(crate) fn ask(program: &str) -> Result<About, Error> {
    let cmd = version::ask(program);
    let output = CommandRunner.run(&cmd)?;
    let (output, sandbox) = match output.status {
        Some(0) => (output, true),
        _ if version::lacks_sandbox(&output.stderr) => {
            (run_well(&version::ask_unconfined(program))?, false)
        }
        _ => return Err(failed(&cmd, &output)),
    };
    let version = Version::parse(&output.stdout);
    let version = version.ok_or_else(|| Error::NotQemu { program: program.to_owned() })?;
    Ok(About { version, sandbox })
}

/// Remembers what a program said. Where that fails, it is asked again.
pub(crate) fn remember(notes: &Path, program: &str, about: About) {
    if remembered(notes, program) == Some(about) {
        return;
    }
    let Some((path, file)) = found(program) else { return };
    if !is_binary(&path).unwrap_or(false) {
        return;
    }
    let Version(major, minor, micro) = about.version;
    let note = Note { file, version: (major, minor, micro), sandbox: about.sandbox };
    let mut all = read(notes);
    all.insert(path, note);
    let Ok(text) = serde_json::to_vec_pretty(&all) else { return };
    // Renamed into place: whoever reads it meanwhile sees all of it.
    let fresh = notes.with_extension("json.new");
    let _ = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, notes));
}

fn remembered(notes: &Path, program: &str) -> Option<About> {
    let (path, file) = found(program)?;
    let note = read(notes).remove(&path).filter(|note| note.file == file)?;
    let (major, minor, micro) = note.version;
    Some(About { version: Version(major, minor, micro), sandbox: note.sandbox })
}

/// What does not read as notes are none.
fn read(notes: &Path) -> BTreeMap<PathBuf, Note> {
    let text = fs::read(notes).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Where a program is, and which file that is: an upgrade makes another one.
fn found(program: &str) -> Option<(PathBuf, String)> {
    let path = match program.contains('/') {
        true => PathBuf::from(program),
        false => {
            let path = std::env::var_os("PATH")?;
            let runs = |path: &PathBuf| {
                fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
            };
            std::env::split_paths(&path).map(|folder| folder.join(program)).find(runs)?
        }
    };
    let found = fs::metadata(&path).ok()?;
    let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
    let file = format!("{}:{}:{}:{times:?}", found.dev(), found.ino(), found.size());
    Some((path, file))
}

fn is_binary(path: &Path) -> io::Result<bool> {
    let mut magic = [0; 4];
    File::open(path)?.read_exact(&mut magic)?;
    Ok(magic == *b"\x7fELF")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About = About { version: Version(10, 0, 2), sandbox: true };

    #[test]
    fn a_binary_is_remembered_until_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let (notes, program) = (dir.path().join("programs.json"), dir.path().join("qemu"));
        let name = program.to_str().unwrap();
        fs::write(&program, b"\x7fELF and so on").unwrap();
        assert_eq!(remembered(&notes, name), None);
        remember(&notes, name, ABOUT);
        assert_eq!(remembered(&notes, name), Some(ABOUT));

        // An upgrade puts another file there, maybe one of the same length.
        fs::write(dir.path().join("new"), b"\x7fELF and so on").unwrap();
        fs::rename(dir.path().join("new"), &program).unwrap();
        assert_eq!(remembered(&notes, name), None);
        let newer = About { version: Version(11, 0, 0), sandbox: false };
        remember(&notes, name, newer);
        assert_eq!(remembered(&notes, name), Some(newer));

        fs::write(&notes, "garbage").unwrap();
        assert_eq!(remembered(&notes, name), None);
        remember(&notes, name, newer);
        assert_eq!(remembered(&notes, name), Some(newer));
    }

    #[test]
    fn a_script_is_asked_every_time() {
        let dir = tempfile::tempdir().unwrap();
        let (notes, program) = (dir.path().join("programs.json"), dir.path().join("qemu"));
        fs::write(&program, "#!/bin/sh\nexec qemu-11 \"$@\"\n").unwrap();
        remember(&notes, program.to_str().unwrap(), ABOUT);
        assert_eq!(remembered(&notes, program.to_str().unwrap()), None);
    }
}

//! What a hypervisor's program is: its version, and whether it can confine itself.
//!
//! In: a program, by name or path. Out: what it says of itself, remembered in
//! the state directory for as long as its file is the same: to start QEMU and
//! ask takes longer than to look at the machine (docs/decisions/0013).

use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
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

/// Where it is remembered.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    path: PathBuf,
    read_only: bool,
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
    /// With the file that is asked, and where to note what it says.
    Coming(JoinHandle<Result<About, Error>>, Option<(Found, Notes)>),
}

/// Where a program is, and which file that is: an upgrade makes another one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    path: PathBuf,
    file: String,
}

impl Asking {
    /// `None` where nobody is to be asked.
    pub fn begin(root: &Root, request: &RunRequest, notes: Notes) -> Option<Self> {
        let program = match (&request.program, &request.machine) {
            (Some(program), _) => program.display().to_string(),
            (None, _) if !root.is_real() => return None,
            (None, Some(name)) => Machine::named(name).ok()?.kind().program().to_owned(),
            (None, None) => Machine::for_arch(ARCH).ok()?.kind().program().to_owned(),
        };
        // Of another machine nothing is known but what it shows.
        let found = if root.is_real() { Found::of(&program) } else { None };
        let answer = match found.as_ref().and_then(|found| notes.get(found)) {
            Some(about) => Answer::Known(about),
            None => {
                let asked = program.clone();
                let thread = thread::spawn(move || ask(&asked));
                Answer::Coming(thread, found.map(|found| (found, notes)))
            }
        };
        Some(Self { program, answer })
    }

    pub fn is_about(&self, program: &str) -> bool {
        self.program == program
    }

    pub fn answer(self) -> Result<About, Error> {
        let (thread, note) = match self.answer {
            Answer::Known(about) => return Ok(about),
            Answer::Coming(thread, note) => (thread, note),
        };
        // Asked once more should the thread have been lost.
        let about = thread.join().unwrap_or_else(|_| ask(&self.program))?;
        if let Some((found, notes)) = note {
            notes.put(found, about);
        }
        Ok(about)
    }
}

/// The version of a QEMU program of this machine; `None` where there is none.
pub(crate) fn version_of(program: &str, notes: &Notes) -> Result<Option<Version>, Error> {
    let Some(found) = Found::of(program) else { return Ok(None) };
    let about = match notes.get(&found) {
        Some(about) => about,
        None => ask(program)?,
    };
    Ok(Some(about.version))
}

/// Whether a program is among this machine's.
pub(crate) fn is_installed(program: &str) -> bool {
    Found::of(program).is_some()
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

impl Notes {
    pub fn new(path: PathBuf) -> Self {
        Self { path, read_only: false }
    }

    /// For a plan, which changes nothing.
    pub fn read_only(path: PathBuf) -> Self {
        Self { path, read_only: true }
    }

    fn get(&self, found: &Found) -> Option<About> {
        let note = self.all().remove(&found.path).filter(|note| note.file == found.file)?;
        let (major, minor, micro) = note.version;
        Some(About { version: Version(major, minor, micro), sandbox: note.sandbox })
    }

    /// Where that fails, the program is asked again. `found` is the file from
    /// before it was asked: one that came meanwhile is not taken for it.
    fn put(&self, found: Found, about: About) {
        if self.read_only || !found.is_the_program_itself() {
            return;
        }
        let Version(major, minor, micro) = about.version;
        let version = (major, minor, micro);
        let note = Note { file: found.file, version, sandbox: about.sandbox };
        let mut all = self.all();
        all.insert(found.path, note);
        let Ok(text) = serde_json::to_vec_pretty(&all) else { return };
        // Renamed into place: whoever reads it meanwhile sees all of it.
        let fresh = self.path.with_extension("json.new");
        let _ = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, &self.path));
    }

    /// What does not read as notes are none.
    fn all(&self) -> BTreeMap<PathBuf, Note> {
        let text = fs::read(&self.path).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }
}

impl Found {
    fn of(program: &str) -> Option<Self> {
        let path = match program.contains('/') {
            true => PathBuf::from(program),
            false => {
                let path = std::env::var_os("PATH")?;
                let runs = |path: &PathBuf| {
                    let found = fs::metadata(path);
                    found.is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0)
                };
                std::env::split_paths(&path).map(|folder| folder.join(program)).find(runs)?
            }
        };
        let found = fs::metadata(&path).ok()?;
        let times = [found.mtime(), found.mtime_nsec(), found.ctime(), found.ctime_nsec()];
        let file = format!("{}:{}:{}:{times:?}", found.dev(), found.ino(), found.size());
        Some(Self { path, file })
    }

    /// Not a script, and not a link to a dispatcher such as snap's: either may
    /// start another QEMU tomorrow and be the same file.
    fn is_the_program_itself(&self) -> bool {
        let is_binary = || {
            let mut magic = [0; 4];
            File::open(&self.path)?.read_exact(&mut magic)?;
            io::Result::Ok(magic == *b"\x7fELF")
        };
        let named = self.path.canonicalize();
        let same_name = named.is_ok_and(|named| named.file_name() == self.path.file_name());
        same_name && is_binary().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About = About { version: Version(10, 0, 2), sandbox: true };

    #[test]
    fn a_binary_is_remembered_until_it_is_another() {
        let dir = tempfile::tempdir().unwrap();
        let (path, program) = (dir.path().join("programs.json"), dir.path().join("qemu"));
        let (notes, name) = (Notes::new(path.clone()), program.to_str().unwrap());
        fs::write(&program, b"\x7fELF and so on").unwrap();
        let first = Found::of(name).unwrap();
        assert_eq!(notes.get(&first), None);
        Notes::read_only(path.clone()).put(first.clone(), ABOUT);
        assert_eq!(notes.get(&first), None);
        notes.put(first.clone(), ABOUT);
        assert_eq!(notes.get(&Found::of(name).unwrap()), Some(ABOUT));

        // An upgrade puts another file there, maybe one of the same length.
        fs::write(dir.path().join("new"), b"\x7fELF and so on").unwrap();
        fs::rename(dir.path().join("new"), &program).unwrap();
        let second = Found::of(name).unwrap();
        assert_eq!(notes.get(&second), None);
        let newer = About { version: Version(11, 0, 0), sandbox: false };
        notes.put(second.clone(), newer);
        assert_eq!(notes.get(&second), Some(newer));
        notes.put(first, ABOUT);
        assert_eq!(notes.get(&second), None, "what the older one said is not the newer one's");

        fs::write(&path, "garbage").unwrap();
        assert_eq!(notes.get(&second), None);
        notes.put(second.clone(), newer);
        assert_eq!(notes.get(&second), Some(newer));
    }

    #[test]
    fn what_starts_another_program_is_asked_every_time() {
        let dir = tempfile::tempdir().unwrap();
        let notes = Notes::new(dir.path().join("programs.json"));
        let [script, snap, link] = ["script", "snap", "qemu"].map(|name| dir.path().join(name));
        fs::write(&script, "#!/bin/sh\nexec qemu-11 \"$@\"\n").unwrap();
        fs::write(&snap, b"\x7fELF and so on").unwrap();
        std::os::unix::fs::symlink(&snap, &link).unwrap();
        for program in [script, link] {
            let found = Found::of(program.to_str().unwrap()).unwrap();
            notes.put(found.clone(), ABOUT);
            assert_eq!(notes.get(&found), None, "{found:?}");
        }
    }
}

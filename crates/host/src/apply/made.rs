//! Steps in which a program makes a file: a boot menu, an initramfs.
//!
//! ```text
//! program ──▶ .FILE.passthru-new     looked through
//! FILE ─────▶ .FILE.passthru-old     the old one is kept
//!             .FILE.passthru-new ──▶ FILE
//!             .FILE.passthru-made    the hash of what was made
//! ```
//!
//! The way back is the kept file, as long as the one in its place is still
//! what was made: somebody may have installed a kernel since, and then the
//! old menu names files that are gone. In that case it is made anew.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::port::Cmd;
use model::step::{Made, Wanted};

use super::file::{beside, content, failed, flush_folder, hash, like, remove};
use super::{Applier, ApplyError, Outcome, Stop, look};

/// Under emulation and on slow disks an initramfs takes minutes.
const DEADLINE: Duration = Duration::from_secs(1800);

/// Names beside a file that was made.
struct Kept {
    file: PathBuf,
    new: PathBuf,
    old: PathBuf,
    made: PathBuf,
}

impl Kept {
    fn of(file: PathBuf) -> Self {
        let name = |what| beside(&file, what);
        Self { new: name("new"), old: name("old"), made: name("made"), file }
    }

    /// Keeps the file as it is, unless an older one is kept already.
    fn keep(&self) -> Result<(), ApplyError> {
        if self.old.exists() || !self.file.exists() {
            return Ok(());
        }
        // A file system without links (FAT) gets a copy, in place at once as well.
        if fs::hard_link(&self.file, &self.old).is_err() {
            let copy = beside(&self.file, "copy");
            let copied = fs::copy(&self.file, &copy).and_then(|_| {
                fs::File::open(&copy)?.sync_all()?;
                fs::rename(&copy, &self.old)
            });
            copied.map_err(|error| {
                let _ = fs::remove_file(&copy);
                failed("keep a copy of", &self.file, &error)
            })?;
        }
        flush_folder(&self.file)
    }

    /// Puts the new one in the place of the one in use, after `first`.
    fn replace(
        &self,
        first: impl FnOnce(&Self) -> Result<(), ApplyError>,
    ) -> Result<(), ApplyError> {
        let replaced = first(self).and_then(|()| self.set());
        if replaced.is_err() {
            let _ = fs::remove_file(&self.new);
        }
        replaced
    }

    fn set(&self) -> Result<(), ApplyError> {
        let set = fs::File::open(&self.new).and_then(|made| {
            if let Ok(old) = fs::metadata(&self.file) {
                like(&made, &old)?;
            }
            made.sync_all()?;
            fs::rename(&self.new, &self.file)
        });
        set.map_err(|error| failed("put in place", &self.file, &error))?;
        flush_folder(&self.file)
    }

    /// Notes what was made.
    fn note(&self) -> Result<(), ApplyError> {
        let hash = hash(&self.file)?;
        fs::write(&self.made, hash).map_err(|error| failed("write", &self.made, &error))?;
        flush_folder(&self.file)
    }

    /// Sees to it that one that was kept is never put back: what is made now
    /// has more in it.
    fn disown(&self) -> Result<(), ApplyError> {
        match self.old.exists() {
            true => fs::write(&self.made, "").map_err(|error| failed("write", &self.made, &error)),
            false => Ok(()),
        }
    }

    /// Whether the file is still what was made, and an old one was kept.
    fn is_ours(&self) -> Result<bool, ApplyError> {
        let Some(made) = content(&self.made)? else { return Ok(false) };
        Ok(self.old.exists() && self.file.exists() && hash(&self.file)?[..] == made[..])
    }

    /// Puts the old one back.
    fn put_back(&self) -> Result<(), ApplyError> {
        fs::rename(&self.old, &self.file)
            .map_err(|error| failed("put back", &self.file, &error))?;
        // Of two names of one file neither goes (rename(2)): then nothing was in its place yet.
        remove(&self.old)?;
        remove(&self.made)?;
        flush_folder(&self.file)
    }

    fn forget(&self) -> Result<(), ApplyError> {
        remove(&self.old)?;
        remove(&self.made)
    }
}

impl Applier {
    pub(super) fn make(&mut self, made: &Made) -> Result<Outcome, Stop> {
        let kept = Kept::of(self.place(&made.path)?);
        self.make_beside(made, &kept, Some(&made.wanted))?;
        kept.replace(Kept::keep)?;
        kept.note()?;
        Ok(Outcome::Done)
    }

    pub(super) fn remake(&mut self, made: &Made) -> Result<Outcome, Stop> {
        let kept = Kept::of(self.place(&made.path)?);
        self.make_beside(made, &kept, Some(&made.wanted))?;
        // One that was kept is not the predecessor of this one.
        kept.replace(Kept::disown)?;
        Ok(Outcome::Done)
    }

    pub(super) fn restore(&mut self, made: &Made) -> Result<Outcome, Stop> {
        let kept = Kept::of(self.place(&made.path)?);
        remove(&kept.new)?;
        if !kept.old.exists() {
            remove(&kept.made)?;
            return Ok(Outcome::Already);
        }
        // Without a note, the one in place is the old one, or has just replaced it.
        let ours = !kept.made.exists() || kept.is_ours()?;
        match ours && self.still_boots(&made.wanted, &kept.old)? {
            true => kept.put_back()?,
            // Of a kernel that was removed meanwhile there is none to be made.
            false if !kept.file.exists() => kept.forget()?,
            false => {
                self.make_beside(made, &kept, None)?;
                kept.replace(|_| Ok(()))?;
                kept.forget()?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Makes a file beside the one in use, and looks through it.
    fn make_beside(
        &mut self,
        made: &Made,
        kept: &Kept,
        wanted: Option<&Wanted>,
    ) -> Result<(), Stop> {
        remove(&kept.new)?;
        let out = kept.new.display().to_string();
        let words: Vec<String> =
            made.command.iter().map(|word| word.replace(Made::OUT, &out)).collect();
        let result =
            self.run_to_make(&words).and_then(|()| self.look_through(made, &kept.new, wanted));
        if result.is_err() {
            let _ = fs::remove_file(&kept.new);
        }
        result
    }

    fn run_to_make(&mut self, words: &[String]) -> Result<(), Stop> {
        let Some((program, args)) = words.split_first() else { return Ok(()) };
        let mut cmd = Cmd::new(program, args);
        cmd.deadline = DEADLINE;
        self.run_well(cmd).map(drop)
    }

    /// Whether what was made is what was wanted.
    fn look_through(&self, made: &Made, new: &Path, wanted: Option<&Wanted>) -> Result<(), Stop> {
        let size = fs::metadata(new).map_err(|error| failed("read", new, &error))?.size();
        let wrong = |reason: String| ApplyError::NotMade {
            path: made.path.clone().into(),
            program: made.program().to_owned(),
            reason,
        };
        if size == 0 {
            return Err(wrong("it is empty".to_owned()).into());
        }
        match wanted {
            Some(Wanted::Menu { arguments }) => look::menu(new, arguments).map_err(wrong)?,
            Some(Wanted::Initramfs { with, without, files }) => {
                look::initramfs(new, (with, without), files).map_err(wrong)?;
            }
            None => {}
        }
        Ok(())
    }

    /// Whether a file that was kept may be booted by: what a menu names must
    /// be there still.
    fn still_boots(&self, wanted: &Wanted, old: &Path) -> Result<bool, Stop> {
        match wanted {
            Wanted::Initramfs { .. } => Ok(true),
            Wanted::Menu { .. } => {
                let text = content(old)?.unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                let there = |name: &str| {
                    // GRUB counts from the root of its own file system.
                    [name.to_owned(), format!("/boot{name}")]
                        .iter()
                        .any(|path| self.root.at(path).exists())
                };
                Ok(look::files(old, &text)
                    .is_some_and(|names| names.iter().all(|name| there(name))))
            }
        }
    }
}

//! Steps in which a program makes a file: a boot menu, an initramfs.
//!
//! ```text
//! program ──▶ .FILE.passthru-new     looked through
//!             .FILE.passthru-made    the hash of what was made
//! FILE ─────▶ .FILE.passthru-old     the old one is kept
//!             .FILE.passthru-new ──▶ FILE
//! ```
//!
//! A preparation on top of another one keeps what it finds as well, under
//! names of its own (`…-old-1`, `…-made-1`).
//!
//! The way back is the kept file, as long as the one in its place is still
//! what was made: somebody may have installed a kernel since, and then the
//! old menu names files that are gone. In that case it is made anew.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use model::file::Content;
use model::port::Cmd;
use model::step::{Made, Wanted};
use sha2::{Digest, Sha256};

use super::disk::Disk;
use super::error::failed;
use super::file::{beside, content};
use super::{Applier, ApplyError, Outcome, Stop, look};
use crate::setup::kernels;

/// Under emulation and on slow disks an initramfs takes minutes.
const DEADLINE: Duration = Duration::from_secs(1800);

/// Names beside a file that was made.
struct Kept {
    file: PathBuf,
    new: PathBuf,
    old: PathBuf,
    copy: PathBuf,
    made: PathBuf,
}

/// Where it says what was made.
pub(super) fn note_of(file: &Path, layer: u32) -> PathBuf {
    Kept::of(file.to_owned(), layer).made
}

impl Kept {
    fn of(file: PathBuf, layer: u32) -> Self {
        let name = |what: &str| match layer {
            0 => beside(&file, what),
            layer => beside(&file, &format!("{what}-{layer}")),
        };
        let (new, copy) = (beside(&file, "new"), beside(&file, "copy"));
        Self { new, copy, old: name("old"), made: name("made"), file }
    }

    /// Keeps the file as it is, unless an older one is kept already.
    fn keep(&self, disk: &mut Disk) -> Result<(), ApplyError> {
        if self.old.exists() || !self.file.exists() {
            return Ok(());
        }
        // A file system without links (FAT) gets a copy, in place at once as well.
        if !disk.link(&self.file, &self.old) {
            disk.remove(&self.copy)?;
            let copied = disk.copy(&self.file, &self.copy);
            let kept = copied.and_then(|()| disk.rename(&self.copy, &self.old));
            kept.inspect_err(|_| disk.discard(&self.copy))?;
        }
        disk.flush_folder(&self.file)
    }

    /// Puts the new one in the place of the one in use.
    fn set(&self, disk: &mut Disk) -> Result<(), ApplyError> {
        disk.take_after(&self.new, &self.file)?;
        disk.rename(&self.new, &self.file)?;
        disk.flush_folder(&self.file)
    }

    /// Notes what was made, before it is in place: from then on it is known
    /// which of the two is, and whether it is neither.
    fn note(&self, disk: &mut Disk) -> Result<(), ApplyError> {
        let hash = hash(&self.new)?;
        disk.remove(&self.made)?;
        disk.create(&self.made, &hash, None)?;
        disk.flush_folder(&self.file)
    }

    /// Whether the file is what was made, or still what was there before. One
    /// that was made again since with more in it is neither.
    fn is_ours(&self) -> Result<bool, ApplyError> {
        if !self.file.exists() {
            return Ok(false);
        }
        let found = hash(&self.file)?;
        let made = content(&self.made)?.is_some_and(|made| made == found);
        Ok(made || hash(&self.old)? == found)
    }

    /// Puts the old one back.
    fn put_back(&self, disk: &mut Disk) -> Result<(), ApplyError> {
        disk.rename(&self.old, &self.file)?;
        // Of two names of one file neither goes (rename(2)): then nothing was in its place yet.
        self.forget(disk)?;
        disk.flush_folder(&self.file)
    }

    /// The kept file goes first: without it, the note says nothing any more.
    fn forget(&self, disk: &mut Disk) -> Result<(), ApplyError> {
        disk.remove(&self.old)?;
        disk.remove(&self.made)
    }
}

impl Applier {
    pub(super) fn make(&mut self, made: &Made) -> Result<Outcome, Stop> {
        let kept = Kept::of(self.place(&made.path)?, made.layer);
        let result = self.make_new(made, &kept).and_then(|()| {
            kept.note(&mut self.disk)?;
            kept.keep(&mut self.disk)?;
            Ok(kept.set(&mut self.disk)?)
        });
        self.leave_none(&kept, result)?;
        Ok(Outcome::Done)
    }

    pub(super) fn remake(&mut self, made: &Made) -> Result<Outcome, Stop> {
        let kept = Kept::of(self.place(&made.path)?, made.layer);
        let result = self.make_new(made, &kept).and_then(|()| Ok(kept.set(&mut self.disk)?));
        self.leave_none(&kept, result)?;
        Ok(Outcome::Done)
    }

    pub(super) fn restore(&mut self, made: &Made) -> Result<Outcome, Stop> {
        let kept = Kept::of(self.place(&made.path)?, made.layer);
        self.disk.remove(&kept.new)?;
        self.disk.remove(&kept.copy)?;
        if !kept.old.exists() {
            self.disk.remove(&kept.made)?;
            return Ok(Outcome::Already);
        }
        match kept.is_ours()? && self.still_boots(made, &kept.old)? {
            true => kept.put_back(&mut self.disk)?,
            // Of a kernel that was removed meanwhile there is none to be made.
            false if !kept.file.exists() => kept.forget(&mut self.disk)?,
            false => {
                let made = made.back();
                let result =
                    self.make_new(&made, &kept).and_then(|()| Ok(kept.set(&mut self.disk)?));
                self.leave_none(&kept, result)?;
                kept.forget(&mut self.disk)?;
            }
        }
        Ok(Outcome::Done)
    }

    /// Makes a file beside the one in use, and looks through it.
    fn make_new(&mut self, made: &Made, kept: &Kept) -> Result<(), Stop> {
        self.disk.remove(&kept.new)?;
        let out = kept.new.display().to_string();
        let words: Vec<String> =
            made.command.iter().map(|word| word.replace(Made::OUT, &out)).collect();
        self.run_to_make(&words)?;
        self.look_through(made, &kept.new)
    }

    /// What was not put in place is not left, either.
    fn leave_none(&mut self, kept: &Kept, result: Result<(), Stop>) -> Result<(), Stop> {
        if result.is_err() {
            // Programs make files of their own beside it (`grub-mkconfig`: `.new`).
            let name = kept.new.file_name().unwrap_or_default().to_string_lossy();
            let folder = kept.new.parent().unwrap_or(Path::new("/"));
            for left in fs::read_dir(folder).into_iter().flatten().flatten() {
                if left.file_name().to_string_lossy().starts_with(&*name) {
                    self.disk.discard(&left.path());
                }
            }
        }
        result
    }

    fn run_to_make(&mut self, words: &[String]) -> Result<(), Stop> {
        let Some((program, args)) = words.split_first() else { return Ok(()) };
        let mut cmd = Cmd::new(program, args);
        cmd.deadline = DEADLINE;
        match self.run_well(cmd) {
            Err(Stop::Failed(error)) => Err(ApplyError::NotRun(Box::new(error)).into()),
            run => run.map(drop),
        }
    }

    /// Whether what was made is what was wanted.
    fn look_through(&self, made: &Made, new: &Path) -> Result<(), Stop> {
        let wrong =
            |reason: String| ApplyError::NotMade { program: made.program().to_owned(), reason };
        let size = match fs::metadata(new) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(wrong("there is none".to_owned()).into());
            }
            found => found.map_err(|error| failed("read", new, &error))?.size(),
        };
        if size == 0 {
            return Err(wrong("it is empty".to_owned()).into());
        }
        let looked = match &made.wanted {
            Wanted::Menu { arguments } => look::menu(new, arguments),
            Wanted::Initramfs { with, without, files } => {
                look::initramfs(new, (with, without), files)
            }
        };
        Ok(looked.map_err(wrong)?)
    }

    /// Whether a file that was kept may be booted by: what a menu names must
    /// be there still.
    fn still_boots(&self, Made { path, wanted, .. }: &Made, old: &Path) -> Result<bool, Stop> {
        match wanted {
            Wanted::Initramfs { .. } => Ok(true),
            Wanted::Menu { .. } => {
                let content = Content(content(old)?.unwrap_or_default());
                Ok(kernels::boots(&self.root, path, &content))
            }
        }
    }
}

/// The SHA-256 of a file, read piece by piece.
fn hash(path: &Path) -> Result<[u8; 32], ApplyError> {
    let read = |path: &Path| -> io::Result<[u8; 32]> {
        let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
        let mut piece = vec![0; 64 << 10];
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(hasher.finalize().into()),
                count => hasher.update(&piece[..count]),
            }
        }
    };
    read(path).map_err(|error| failed("read", path, &error))
}

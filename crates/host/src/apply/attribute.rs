//! Steps that change one attribute of one function, and the reading that all steps share.

use std::io;
use std::path::{Path, PathBuf};

use model::Bdf;
use model::port::{Showed, errno_text};

use super::{Applier, ApplyError, Outcome, Stop};

/// The bytes of configuration space that every function has in common.
const HEADER: usize = 64;

/// One attribute that a step moves from one value to another.
struct Change<'a> {
    bdf: Bdf,
    what: &'static str,
    path: PathBuf,
    from: Option<&'a str>,
    to: Option<&'a str>,
}

impl Applier {
    pub(super) fn set_driver_override(
        &mut self,
        bdf: Bdf,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Outcome, Stop> {
        [from, to].into_iter().flatten().try_for_each(plain_name)?;
        let path = self.function(bdf)?.join("driver_override");
        self.change(Change { bdf, what: "driver_override", path, from, to })
    }

    pub(super) fn set_power_control(
        &mut self,
        bdf: Bdf,
        from: &str,
        to: &str,
    ) -> Result<Outcome, Stop> {
        let path = self.function(bdf)?.join("power/control");
        self.change(Change { bdf, what: "power/control", path, from: Some(from), to: Some(to) })
    }

    /// Whatever it was: kernels before 5.19 leave it `on` under VFIO, later
    /// ones set it to `auto`.
    pub(super) fn keep_awake(&mut self, bdf: Bdf) -> Result<Outcome, Stop> {
        let path = self.function(bdf)?.join("power/control");
        let found = self.value_of(&path)?;
        let (from, to) = (found.as_deref(), Some("on"));
        self.change(Change { bdf, what: "power/control", path, from, to })
    }

    pub(super) fn set_d3cold(&mut self, bdf: Bdf, from: bool, to: bool) -> Result<Outcome, Stop> {
        let word = |on: bool| Some(if on { "1" } else { "0" });
        let path = self.function(bdf)?.join("d3cold_allowed");
        let (from, to) = (word(from), word(to));
        self.change(Change { bdf, what: "d3cold_allowed", path, from, to })
    }

    /// The kernel resets with the first method that works, in the order of
    /// `reset_method`. The file is there only if it knows any.
    pub(super) fn reset(&mut self, bdf: Bdf) -> Result<Outcome, Stop> {
        let function = self.function(bdf)?;
        let path = function.join("reset");
        self.present(&path, "the kernel knows no way to reset this device")?;
        let wrote = self.write(&path, "1")?;
        self.function(bdf)?;
        wrote?;
        // Every register reading as ones is what a device that did not come
        // back looks like (PCI Express Base Specification 6.0, 2.3.2). Only
        // the ids are ones on every virtual function.
        let config = self.show(&function.join("config"))?;
        if config.len() >= HEADER && config[..HEADER].iter().all(|byte| *byte == 0xff) {
            return Err(ApplyError::NoAnswer { bdf }.into());
        }
        Ok(Outcome::Done)
    }

    fn change(&mut self, change: Change<'_>) -> Result<Outcome, Stop> {
        let Change { bdf, what, path, from, to } = change;
        self.present(&path, "this kernel or this device has no such attribute")?;
        let found = self.value_of(&path)?;
        if found.as_deref() == to {
            return Ok(Outcome::Already);
        }
        if found.as_deref() != from {
            let (expected, found) = (shown(from), shown(found.as_deref()));
            return Err(ApplyError::Moved { bdf, what, expected, found }.into());
        }
        // A write of no bytes never reaches the attribute (sysfs_kf_write(),
        // fs/sysfs/file.c); a lone line feed clears (driver_set_override(),
        // drivers/base/driver.c).
        let value = to.unwrap_or("\n");
        let wrote = self.write(&path, value)?;
        self.function(bdf)?;
        let found = match self.value_of(&path) {
            // The kernel took it, and somebody else has the device's lock now.
            Err(Stop::Failed(ApplyError::Locked { .. })) if wrote.is_ok() => {
                return Ok(Outcome::Done);
            }
            found => found?,
        };
        if found.as_deref() == to {
            return Ok(Outcome::Done);
        }
        wrote?;
        let (value, found) = (shown(to), shown(found.as_deref()));
        Err(ApplyError::NoEffect { path, value, found }.into())
    }

    /// An attribute's value; `None` for none, which the kernel prints as
    /// `(null)` (`driver_override_show()`).
    pub(super) fn value_of(&mut self, path: &Path) -> Result<Option<String>, Stop> {
        let content = self.show(path)?;
        let text = String::from_utf8_lossy(&content);
        let text = text.trim_end_matches('\n');
        Ok((!text.is_empty() && text != "(null)").then(|| text.to_owned()))
    }

    fn show(&mut self, path: &Path) -> Result<Vec<u8>, Stop> {
        let path = path.to_owned();
        match self.writer.read(&path) {
            Showed::Content(content) => Ok(content),
            Showed::Failed { errno, text } => Err(ApplyError::Read { path, errno, text }.into()),
            Showed::Stuck(stuck) => Err(ApplyError::Locked { path, stuck }.into()),
        }
    }

    /// The folder of a function that is there, and inside the root.
    pub(super) fn function(&self, bdf: Bdf) -> Result<PathBuf, ApplyError> {
        let path = self.root.pci_device(bdf);
        match self.inside(&path) {
            Ok(()) => Ok(path),
            Err(ApplyError::Read { errno, .. }) if is_gone(errno) => {
                Err(ApplyError::Vanished { bdf })
            }
            Err(error) => Err(error),
        }
    }

    /// See that a file is there, and inside the root.
    pub(super) fn present(&self, path: &Path, meaning: &'static str) -> Result<(), ApplyError> {
        match self.inside(path) {
            Err(ApplyError::Read { errno, path, .. }) if is_gone(errno) => {
                Err(ApplyError::NoAttribute { path, meaning })
            }
            other => other,
        }
    }

    /// Links in a recorded or pretended tree may lead anywhere; what is
    /// written through them must not.
    fn inside(&self, path: &Path) -> Result<(), ApplyError> {
        // Nothing is outside of the machine itself: that the path leads
        // somewhere is one call, and where it leads one for each of its parts.
        if self.root.is_real() {
            return path.metadata().map(drop).map_err(|error| read_error(path, &error));
        }
        let real = path.canonicalize().map_err(|error| read_error(path, &error))?;
        let root = self.root.path();
        let root = root.canonicalize().map_err(|error| read_error(root, &error))?;
        if real.starts_with(root) {
            return Ok(());
        }
        Err(ApplyError::Outside { path: path.to_owned() })
    }
}

/// Whether a name stays one part of a path and is no option of a command.
pub(super) fn plain_name(name: &str) -> Result<(), ApplyError> {
    let odd = |letter: char| letter == '/' || letter.is_whitespace() || letter.is_control();
    if name.is_empty() || name.starts_with(['.', '-']) || name.contains(odd) {
        return Err(ApplyError::Name(name.to_owned()));
    }
    Ok(())
}

pub(super) fn read_error(path: &Path, error: &io::Error) -> ApplyError {
    let errno = error.raw_os_error().unwrap_or_default();
    ApplyError::Read { path: path.to_owned(), errno, text: errno_text(errno) }
}

/// How a value, or none, reads in a sentence.
pub(super) fn shown(value: Option<&str>) -> String {
    value.unwrap_or("(none)").to_owned()
}

/// The error numbers of a path into a device that went away.
pub(super) fn is_gone(errno: i32) -> bool {
    use rustix::io::Errno;
    [Errno::NOENT, Errno::NODEV, Errno::NXIO].contains(&Errno::from_raw_os_error(errno))
}

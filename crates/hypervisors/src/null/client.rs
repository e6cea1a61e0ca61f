//! A guest that is not there: keeps what was asked, in order.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::device::{HostDevice, HostFunction};
use crate::qemu::QmpError;
use crate::{ControlError, Guest, Listener, Patience, Slots};

/// What was asked of the guest, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorder {
    pub lines: Vec<String>,
    /// What it was given and has not given back, by slots.
    slots: Slots,
}

impl Guest for Recorder {
    fn state(&mut self) -> Result<String, ControlError> {
        Ok("null".to_owned())
    }

    fn shut_down(&mut self) -> Result<(), ControlError> {
        self.lines.push("shut down".to_owned());
        Ok(())
    }

    fn quit(&mut self) -> Result<(), ControlError> {
        self.lines.push("quit".to_owned());
        Ok(())
    }

    fn held(&mut self) -> Result<Vec<String>, ControlError> {
        Ok(self.slots.concat())
    }

    fn slots(&mut self) -> Result<Slots, ControlError> {
        Ok(self.slots.clone())
    }

    fn may_attach(&mut self, _: &[HostDevice], _: &[HostFunction]) -> Result<(), ControlError> {
        Ok(())
    }

    fn attach(&mut self, device: &HostDevice) -> Result<(), ControlError> {
        self.lines.push(format!("attach {}", device.name()));
        self.slots.push(device.functions.iter().map(HostFunction::id).collect());
        Ok(())
    }

    fn detach(&mut self, device: &HostDevice, _: &Patience) -> Result<(), ControlError> {
        self.lines.push(format!("detach {}", device.name()));
        let leaves = |id: &String| device.functions.iter().any(|function| function.id() == *id);
        self.slots.retain(|slot| !slot.iter().any(leaves));
        Ok(())
    }
}

/// A guest that is not there says nothing.
#[derive(Debug)]
pub struct Silence {
    ear: UnixStream,
    _mouth: UnixStream,
}

impl Silence {
    pub(crate) fn new(path: &Path) -> Result<Self, QmpError> {
        let path = path.display().to_string();
        let (ear, mouth) =
            UnixStream::pair().map_err(|source| QmpError::Connect { path, source })?;
        Ok(Self { ear, _mouth: mouth })
    }
}

impl AsFd for Silence {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ear.as_fd()
    }
}

impl Listener for Silence {
    fn let_go(&mut self) -> Result<bool, ControlError> {
        Ok(false)
    }
}

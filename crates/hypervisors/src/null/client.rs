//! A guest that is not there: keeps what was asked, in order.

use crate::device::HostDevice;
use crate::{ControlError, Guest, Patience};

/// What was asked of the guest, a line each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorder {
    pub lines: Vec<String>,
    /// What it was given and has not given back.
    held: Vec<String>,
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
        Ok(self.held.clone())
    }

    fn may_attach(&mut self, _: &[HostDevice]) -> Result<(), ControlError> {
        Ok(())
    }

    fn attach(&mut self, device: &HostDevice) -> Result<(), ControlError> {
        self.lines.push(format!("attach {}", device.name()));
        self.held.extend(device.functions.iter().map(|function| function.id()));
        Ok(())
    }

    fn detach(&mut self, device: &HostDevice, _: &Patience) -> Result<(), ControlError> {
        self.lines.push(format!("detach {}", device.name()));
        self.held.retain(|id| device.functions.iter().all(|function| function.id() != *id));
        Ok(())
    }
}

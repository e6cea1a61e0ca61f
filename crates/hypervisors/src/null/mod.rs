//! The backend that starts nothing and says what it would start.
//!
//! For dry runs, and the one to copy when a backend is added. In: a guest.
//! Out: its description as text. Its running guest is a list of what was
//! asked of it.

pub mod client;
pub mod render;

use std::path::Path;

use model::plan::Refusal;

use crate::machine::{GuestSpec, HostFacts};
use crate::{Backend, Capabilities, ControlError, Guest, Listener, Patience, Rendered, Start};

/// The backend.
#[derive(Clone, Copy, Debug)]
pub struct Null;

impl Backend for Null {
    fn name(&self) -> &'static str {
        "null"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            runs: false,
            hotplug: true,
            guest_iommu: true,
            iommufd: true,
            memory_placement: true,
            max_functions: usize::MAX,
        }
    }

    fn render(&self, spec: &GuestSpec, _: &HostFacts) -> Result<Rendered, Refusal> {
        let start = Start::Print(render::text(spec));
        Ok(Rendered { start, copies: Vec::new(), notes: Vec::new() })
    }

    fn connect(&self, _: &Path, _: &Patience) -> Result<Box<dyn Guest>, ControlError> {
        Ok(Box::new(client::Recorder::default()))
    }

    fn listen(&self, socket: &Path, _: &Patience) -> Result<Box<dyn Listener>, ControlError> {
        Ok(Box::new(client::Silence::new(socket)?))
    }
}

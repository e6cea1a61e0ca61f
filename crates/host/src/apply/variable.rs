//! A variable of GRUB's environment block, changed among others.
//!
//! GRUB itself writes the others at each boot (`boot_success`), so only this
//! one has to be what it was.

use model::boot::grubenv::Environment;
use model::boot::source::Problem;

use super::file::{beside, content};
use super::{Applier, ApplyError, Outcome, Stop};

impl Applier {
    pub(super) fn set_grub_variable(
        &mut self,
        path: &str,
        name: &str,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Outcome, Stop> {
        let place = self.place(path)?;
        let wrong = |problem: Problem| ApplyError::NotUnderstood {
            path: place.clone(),
            reason: problem.to_string(),
        };
        let mut block = Environment::parse(&content(&place)?.unwrap_or_default()).map_err(wrong)?;
        if block.get(name) == to {
            self.disk.remove(&beside(&place, "new"))?;
            return Ok(Outcome::Already);
        }
        if block.get(name) != from {
            return Err(ApplyError::FileMoved { path: place }.into());
        }
        match to {
            Some(to) => block.set(name, to).map_err(wrong)?,
            None => block.unset(name),
        }
        let bytes = block.to_bytes().map_err(wrong)?;
        self.replace(&place, &bytes)?;
        self.disk.flush_folder(&place)?;
        Ok(Outcome::Done)
    }
}

//! The step that has the boot loader start another entry once.
//!
//! In: an entry, or none for the usual one. Out: an outcome, after what the
//! loader remembers was read again. The boot loader's own program writes it:
//! it knows how GRUB's block and the firmware's variables are written to.

use model::port::Cmd;
use model::step::Once;

use super::{Applier, ApplyError, Outcome, Stop};
use crate::setup::chosen_once;

impl Applier {
    /// What was chosen meanwhile, by the start of the machine or by another
    /// program, is not taken back.
    pub(super) fn boot_once(
        &mut self,
        by: &Once,
        from: Option<&str>,
        to: Option<&str>,
    ) -> Result<Outcome, Stop> {
        let found = chosen_once(&self.root, by);
        if found.as_deref() == to || (to.is_none() && found.as_deref() != from) {
            return Ok(Outcome::Already);
        }
        let cmd = match (by, to) {
            (Once::Grub { program, .. }, Some(to)) => Cmd::new(program, [to]),
            (Once::Grub { program, environment }, None) => {
                let editor = program.replace("reboot", "editenv");
                Cmd::new(&editor, [environment, "unset", "next_entry"])
            }
            (Once::SystemdBoot, to) => Cmd::new("bootctl", ["set-oneshot", to.unwrap_or("")]),
        };
        let program = cmd.program.clone();
        self.run_well(cmd)?;
        match chosen_once(&self.root, by).as_deref() == to {
            true => Ok(Outcome::Done),
            false => {
                let to = to.unwrap_or("the usual one").to_owned();
                Err(ApplyError::NotChosen { program, entry: to }.into())
            }
        }
    }
}

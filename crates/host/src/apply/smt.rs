//! Simultaneous multithreading, of all processors at once.

use model::port::Cmd;

use super::{Applier, ApplyError, Outcome, Stop};
use crate::setup::smt;

impl Applier {
    /// By the kernel's switch (`control_store()`, kernel/cpu.c), or by the
    /// program that does the same where there is none.
    pub(super) fn set_smt(&mut self, from: &str, to: &str) -> Result<Outcome, Stop> {
        let path = self.root.smt("control");
        let found = self.control();
        if found.as_deref() == Some(to) {
            return Ok(Outcome::Already);
        }
        if found.as_deref() != Some(from) {
            return Err(ApplyError::FileMoved { path }.into());
        }
        match smt::has_switch(&self.root) {
            true => self.write(&path, to)??,
            false => self.run_well(Cmd::new(smt::PROGRAM, [format!("--smt={to}")])).map(drop)?,
        }
        match self.control() {
            Some(found) if found == to => Ok(Outcome::Done),
            found => {
                let (value, found) = (to.to_owned(), found.unwrap_or_else(|| "nothing".to_owned()));
                Err(ApplyError::NoEffect { path, value, found }.into())
            }
        }
    }

    fn control(&self) -> Option<String> {
        smt::smt(&self.root).ok().map(|smt| smt.control)
    }
}

//! What was bound and is not there any more: pulled out, or exchanged for
//! another device at the same address.
//!
//! In: bindings with the identity of what was bound, and a snapshot. Out:
//! bindings of what is there. The kernel made everything anew for whatever
//! sits at the address now, so nothing is undone on it; services that were
//! stopped for the device are started again.

use model::Snapshot;
use model::identity::Likeness;

use crate::error::Error;
use crate::release::{By, is_in_doubt};
use crate::store::Binding;
use crate::turn::Turn;

impl Turn<'_> {
    /// The machine as it is now: see [`crate::Engine::observe`]. What is
    /// gone is forgotten before anybody takes another device for it.
    pub fn observe(&mut self) -> Result<Snapshot, Error> {
        let snapshot = self.look();
        let holdings = self.holdings()?;
        for binding in self.store.bindings()? {
            // What is in doubt is settled when the kernel lets go.
            let function = [(binding.bdf, Some(binding.group))];
            if is_gone(&binding, &snapshot) && !is_in_doubt(&holdings, &function) {
                self.forget_gone(&binding, &snapshot)?;
            }
        }
        Ok(snapshot)
    }

    fn forget_gone(&mut self, binding: &Binding, snapshot: &Snapshot) -> Result<(), Error> {
        let (bdf, guest) = (binding.bdf, binding.guest.as_deref());
        let text = format!("{bdf} is gone, or another device now: it is held no more");
        self.store.event(guest.unwrap_or(&bdf.to_string()), &text)?;
        let mut without = snapshot.clone();
        without.functions.remove(&bdf);
        match self.release_group(&mut without, &[bdf], By::WayBack(guest)) {
            Ok(_) => Ok(()),
            // A service that does not start is no reason to keep it.
            Err(failed @ Error::Failed(_)) => {
                self.store.event(guest.unwrap_or(&bdf.to_string()), &failed.to_string())?;
                let in_effect = self.store.in_effect(&[bdf], &self.boot_id)?;
                self.store.take_back(&in_effect, &[bdf])
            }
            Err(other) => Err(other),
        }
    }
}

/// Whether what was bound is not what sits at its address. A listing that
/// shows no device at all is no news of any.
pub(crate) fn is_gone(binding: &Binding, snapshot: &Snapshot) -> bool {
    match (snapshot.get(binding.bdf), &binding.identity) {
        (None, _) => !snapshot.functions.is_empty(),
        (Some(function), Some(identity)) => {
            matches!(identity.compare(function), Likeness::Other(_))
        }
        (Some(_), None) => false,
    }
}

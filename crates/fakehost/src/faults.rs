//! What goes wrong on a pretended machine, to order.

use rustix::io::Errno;

use crate::host::FakeHost;
use crate::inject::{Fault, Injection, Moment, On};
use crate::presets::address;

/// Faults. See [`On`] for which operation they hit.
impl FakeHost {
    /// The kernel refuses one write (a command ends with status 1).
    pub fn refuse(&self, on: On, errno: Errno) {
        self.inject(on, Fault::Refuse(errno), true);
    }

    /// The kernel refuses every such write from now on.
    pub fn refuse_always(&self, on: On, errno: Errno) {
        self.inject(on, Fault::Refuse(errno), false);
    }

    /// One write hangs in the kernel: it comes back as in doubt at once, and
    /// takes effect when [`settle`](Self::settle) is called. Until then every
    /// other write to that function hangs behind it. A command does not end.
    pub fn hang(&self, on: On) {
        self.inject(on, Fault::Hang, true);
    }

    /// What hangs comes through, and its processes end.
    pub fn settle(&self) {
        self.shared.lock().settle(true);
    }

    /// What hangs ends without any effect.
    pub fn settle_without_effect(&self) {
        self.shared.lock().settle(false);
    }

    /// The program dies at this point: see
    /// [`until_killed`](crate::until_killed).
    pub fn kill(&self, moment: Moment) {
        self.shared.lock().death = Some(moment);
    }

    /// Forget the log, the faults that were ordered and the death: counting
    /// begins anew. What hangs, hangs on.
    pub fn calm(&self) {
        let mut state = self.shared.lock();
        state.log.clear();
        state.injections.clear();
        state.death = None;
        state.machine.refused_probes.clear();
    }

    /// A driver's probe of a function fails. `drivers_probe` does not say so.
    pub fn refuse_probe(&self, bdf: &str, driver: &str, errno: Errno) {
        let key = (address(bdf), driver.to_owned());
        self.shared.lock().machine.refused_probes.insert(key, errno);
    }

    /// A function is pulled out.
    pub fn vanish(&self, bdf: &str) {
        self.shared.lock().machine.remove_function(address(bdf));
    }

    /// A driver's module is unloaded.
    pub fn unload(&self, driver: &str) {
        self.shared.lock().machine.unload(driver);
    }

    /// A function falls off the bus: every read gives ones.
    pub fn wedge(&self, bdf: &str) {
        let state = self.shared.lock();
        let path = format!("{}/config", state.machine.folder(address(bdf)));
        let length = state.machine.tree.bytes(&path).map_or(0, |bytes| bytes.len());
        state.machine.tree.put(path, vec![0xff; length]);
    }

    /// Somebody else writes: not in the log, not counted, never refused by order.
    pub fn meddle(&self, path: &str, value: &str) {
        let mut state = self.shared.lock();
        let at = state.machine.tree.at(path);
        let real = state.machine.tree.real(&at).unwrap_or_else(|| panic!("there is no {path}"));
        let reacted = state.machine.react(&real, value);
        reacted.unwrap_or_else(|errno| panic!("{path}: {errno}"));
    }

    fn inject(&self, on: On, fault: Fault, once: bool) {
        self.shared.lock().injections.push(Injection { on, fault, once });
    }
}

//! Tells what is on the buses, and what comes and goes.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::pci::{self, Functions};
use crate::{disks, say};

/// What was told last.
#[derive(Debug, Default)]
pub struct Watch {
    functions: Functions,
    disks: BTreeSet<String>,
}

impl Watch {
    /// Waits until each NVMe function has a disk, but not for ever: one may have none.
    pub fn wait_for_disks(&self, limit: Duration) {
        let until = Instant::now() + limit;
        let waiting = || {
            pci::functions()
                .iter()
                .any(|(address, function)| function.is_nvme() && disks::of_function(address) == 0)
        };
        while waiting() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Tells everything that is there.
    pub fn tell_all(&mut self) {
        self.functions = pci::functions();
        self.disks = disks::names();
        for (address, function) in &self.functions {
            say(&format!("pci {address} {function}"));
        }
        for disk in &self.disks {
            say(&format!("disk {}", disks::describe(disk)));
        }
    }

    /// Tells what changed since the last time.
    pub fn tell_changes(&mut self) {
        let functions = pci::functions();
        for address in self.functions.keys().filter(|address| !functions.contains_key(*address)) {
            say(&format!("pci removed {address}"));
        }
        for (address, function) in &functions {
            match self.functions.get(address) {
                None => say(&format!("pci added {address} {function}")),
                Some(before) if before != function => say(&format!("pci {address} {function}")),
                Some(_) => {}
            }
        }
        self.functions = functions;

        let disks = disks::names();
        for disk in self.disks.difference(&disks) {
            say(&format!("disk removed {disk}"));
        }
        for disk in disks.difference(&self.disks) {
            say(&format!("disk {}", disks::describe(disk)));
        }
        self.disks = disks;
    }
}

//! What is recorded of how a host is set up: all that [`crate::setup`] reads.
//!
//! In: a machine. Out: entries by path. Of longer files only the words that
//! are asked for are kept. Never: what this user may do (limits, access).

use std::collections::BTreeSet;

use super::host::Taker;
use super::source::Found;
use crate::paths::Root;
use crate::setup::SCREEN_UNITS;

impl Taker<'_> {
    pub(super) fn setup(&mut self) {
        let root = self.source.root();
        let files = [
            &root.os_release()[..],
            &["control", "active"].map(|name| root.smt(name)),
            &["lsm", "lockdown"].map(|name| root.security(name)),
            &[root.efi_variable("SecureBoot")],
        ];
        for path in files.concat() {
            self.source.name(&path).iter().for_each(|path| self.file(path));
        }
        if let Some(efi) = self.source.name(&root.efi()) {
            self.names(&efi);
        }
        if let Some(path) = self.source.name(&root.interrupts()) {
            self.kept(&path, controllers);
        }
        self.services();
        self.xorg();
    }

    fn services(&mut self) {
        for folder in self.source.root().service_groups() {
            let Some(folder) = self.source.name(&folder) else { continue };
            let Found::Here(names) = self.source.names(&folder) else { continue };
            self.folder(&folder);
            for unit in SCREEN_UNITS.iter().filter(|unit| names.iter().any(|name| name == *unit)) {
                self.folder(&format!("{folder}/{unit}"));
            }
        }
    }

    /// Which drivers the X server is told of, and nothing else.
    fn xorg(&mut self) {
        let root = self.source.root();
        let file = root.at(Root::xorg_file());
        let mut files: Vec<String> = self.source.name(&file).into_iter().collect();
        for folder in Root::xorg_folders() {
            let Some(folder) = self.source.name(&root.at(folder)) else { continue };
            let names = self.source.names(&folder).here().unwrap_or_default();
            let configs = names.iter().filter(|name| name.ends_with(".conf"));
            files.extend(configs.map(|name| format!("{folder}/{name}")));
        }
        for path in files {
            self.kept(&path, drivers);
        }
    }
}

/// The controllers of a table of interrupts, each once, in a table like it.
fn controllers(text: &str) -> String {
    let is_one =
        |word: &&str| word.contains("MSI") || word.contains("APIC") || word.starts_with("IR-");
    // A controller's name may have a device's address behind it.
    let plain = |word: &str| word.split("-0").next().unwrap_or(word).to_owned();
    let found: BTreeSet<String> =
        text.lines().filter_map(|line| line.split_whitespace().find(is_one)).map(plain).collect();
    let lines = found.iter().enumerate().map(|(n, name)| format!("{n:>4}: 0 {name}\n"));
    format!("     CPU0\n{}", lines.collect::<String>())
}

/// The lines that name a driver.
fn drivers(text: &str) -> String {
    let named = |line: &&str| {
        let line = line.trim_start().to_lowercase();
        line.starts_with("driver") || line.starts_with("matchdriver")
    };
    text.lines().filter(named).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controllers_are_kept_and_no_devices() {
        let text = "            CPU0 CPU1\n   0: 5 6 IR-IO-APIC 2-edge timer\n  24: 0 1 IR-PCI-MSI-0000:00:1f.2 0-edge ahci[0000:00:1f.2]\n\
                     25: 0 0 IR-PCI-MSIX-0000:01:00.0 1-edge secret\n NMI: 0 0 Non-maskable interrupts\n";
        let want = "     CPU0\n   0: 0 IR-IO-APIC\n   1: 0 IR-PCI-MSI\n   2: 0 IR-PCI-MSIX\n";
        assert_eq!(controllers(text), want);
    }
}

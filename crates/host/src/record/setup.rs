//! What is recorded of how a host is set up: all that [`crate::setup`] reads.
//!
//! In: a machine. Out: entries by path. Of longer files only the words that
//! are asked for are kept. Never: what this user may do (limits, access), an
//! initramfs, or a file of the boot loader's: there may be passwords in it.

use std::collections::BTreeSet;

use model::boot::modprobe::{File, Rule, Settings};
use model::parse::modalias;

use super::host::Taker;
use super::source::Found;
use crate::paths::Root;
use model::setup::services::SERVICES;

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
        self.modprobe();
        self.claims();
    }

    /// What modprobe is told, as far as it decides which driver gets a device.
    fn modprobe(&mut self) {
        let mut seen = BTreeSet::new();
        for folder in Root::modprobe_texts() {
            let names = self.names(&folder);
            for name in names.into_iter().filter(|name| Settings::is_read(name)) {
                let path = format!("{folder}/{name}");
                let place = self.source.root().at(&path);
                // A link to nothing hides no others of its name; what is no
                // file hides them, and says nothing.
                if place.exists() && seen.insert(name) {
                    match place.is_file() {
                        true => self.kept(&path, rules),
                        false => self.existence(&path),
                    }
                }
            }
        }
    }

    /// The lines of the kernel's table that are about this machine's devices.
    fn claims(&mut self) {
        let root = self.source.root();
        let release = self.source.name(&root.sysctl("kernel/osrelease"));
        let Some(release) = release.and_then(|path| self.source.word(&path)) else { return };
        let devices = self.source.name(&root.pci_devices());
        let devices = devices.and_then(|folder| Some((self.source.names(&folder).here()?, folder)));
        let Some((names, folder)) = devices else { return };
        let aliases = names.iter().map(|name| format!("{folder}/{name}/modalias"));
        let aliases: BTreeSet<String> =
            aliases.filter_map(|path| self.source.word(&path)).collect();
        if let Some(table) = self.source.name(&root.modules_of(&release).join("modules.alias")) {
            let wanted = |line: &&str| {
                line.starts_with("alias pci:")
                    && aliases.iter().any(|alias| !modalias::claims(line, alias).is_empty())
            };
            self.kept(&table, |text| {
                text.lines().filter(wanted).flat_map(|line| [line, "\n"]).collect()
            });
        }
    }

    fn services(&mut self) {
        for folder in self.source.root().service_groups() {
            let Some(folder) = self.source.name(&folder) else { continue };
            let Found::Here(names) = self.source.names(&folder) else { continue };
            self.folder(&folder);
            let units = SERVICES.iter().map(|(unit, _)| *unit);
            for unit in units.filter(|unit| names.iter().any(|name| name == unit)) {
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

/// The rules that `check` asks for, in their plainest form: of options only
/// VFIO's, and of commands only that one does nothing.
fn rules(text: &str) -> String {
    let settings = Settings::read(&[File { folder: "", name: "a.conf", text }]);
    let line = |rule: &Rule| match rule {
        Rule::Blacklist(module) => Some(format!("blacklist {module}\n")),
        Rule::Alias { pattern, module } if module == "off" => {
            Some(format!("alias {pattern} off\n"))
        }
        Rule::Options { module, options } if module.starts_with("vfio") => {
            Some(format!("options {module} {options}\n"))
        }
        Rule::Install { pattern, .. } if settings.disabled(pattern).is_some() => {
            Some(format!("install {pattern} /bin/false\n"))
        }
        Rule::Softdep { pattern, pre, post } => {
            Some(format!("softdep {pattern} pre: {} post: {}\n", pre.join(" "), post.join(" ")))
        }
        _ => None,
    };
    settings.rules().filter_map(|(rule, _)| line(rule)).collect()
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
    fn rules_are_kept_and_no_secrets() {
        let text = "# x\nblacklist \\\nnouveau\noptions vfio-pci ids=10de:1 x=1\noptions usb key=secret\n\
                    install a /bin/false\ninstall b /bin/sh secret\nsoftdep c pre: vfio-pci\nalias d off\nalias e f\n";
        let want = "blacklist nouveau\noptions vfio_pci ids=10de:1 x=1\ninstall a /bin/false\n\
                    softdep c pre: vfio_pci post: \nalias d off\n";
        assert_eq!(rules(text), want);
        assert_eq!(rules(want), want);
    }

    #[test]
    fn controllers_are_kept_and_no_devices() {
        let text = "            CPU0 CPU1\n   0: 5 6 IR-IO-APIC 2-edge timer\n  24: 0 1 IR-PCI-MSI-0000:00:1f.2 0-edge ahci[0000:00:1f.2]\n\
                     25: 0 0 IR-PCI-MSIX-0000:01:00.0 1-edge secret\n NMI: 0 0 Non-maskable interrupts\n";
        let want = "     CPU0\n   0: 0 IR-IO-APIC\n   1: 0 IR-PCI-MSI\n   2: 0 IR-PCI-MSIX\n";
        assert_eq!(controllers(text), want);
    }
}

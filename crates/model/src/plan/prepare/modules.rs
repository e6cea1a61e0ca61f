//! Kernel modules: which take the devices at boot, and which come first.
//!
//! A driver that has no other device of the host is kept out altogether; one
//! that the host needs elsewhere (`nvme`, `xhci_hcd`) has to wait until
//! vfio-pci has taken what is meant for guests, by its ids. Where a device
//! that stays has the same ids, ids cannot tell them apart: that is left to a
//! rule by identity (`bind --persist`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{Preparation, Wanted, heading, write};
use crate::bdf::Bdf;
use crate::check::Subject;
use crate::function::{Function, is_vfio_driver};
use crate::setup::boot::{Boot, Generator};
use crate::step::{Made, Step, Wanted as InFile};

/// Options and aliases of modules.
pub const MODPROBE: &str = "modprobe.d/passthru.conf";
/// Modules that are loaded at every boot.
pub const LOAD: &str = "modules-load.d/passthru.conf";

pub(super) fn plan(
    subject: &Subject<'_>,
    wanted: &Wanted,
    boot: &Boot,
    preparation: &mut Preparation,
) {
    let configuration = configuration(subject, wanted, preparation);
    let etc = |name: &str| format!("{}/{name}", boot.configuration);
    if !wanted.load.is_empty() {
        let text = heading(subject.devices) + &wanted.load.join("\n") + "\n";
        preparation.steps.extend(write(boot, &etc(LOAD), Some(&text)));
    }
    let Some(configuration) = configuration else { return };
    let change = write(boot, &etc(MODPROBE), Some(&configuration.text));
    if change.is_none() {
        return;
    }
    preparation.reboot = true;
    preparation.steps.extend(change);
    images(subject, &configuration, boot, preparation);
}

/// What modprobe is told.
struct Configuration {
    text: String,
    /// Drivers that are not to be in the initramfs, or do nothing there.
    out: Vec<String>,
    /// Whether vfio-pci has to be in the initramfs.
    early: bool,
}

fn configuration(
    subject: &Subject<'_>,
    wanted: &Wanted,
    preparation: &mut Preparation,
) -> Option<Configuration> {
    let meant: Vec<&Function> = subject.functions().collect();
    let set: BTreeSet<Bdf> = meant.iter().map(|function| function.bdf).collect();
    let (mut lines, mut out, mut ids) = (String::new(), Vec::new(), Vec::new());
    for module in &wanted.keep {
        let stays = |function: &&Function| {
            !set.contains(&function.bdf) && function.driver_name() == Some(module)
        };
        if subject.snapshot.functions.values().find(stays).is_none() {
            let _ = write!(lines, "blacklist {module}\nalias {module} off\n");
            if module == "nouveau" {
                // Another name that Ubuntu's backported modules had.
                lines.push_str("blacklist lbm-nouveau\noptions nouveau modeset=0\n");
            }
            out.push(module.clone());
            continue;
        }
        let _ = writeln!(lines, "softdep {module} pre: vfio-pci");
        for function in meant.iter().filter(|function| function.driver_name() == Some(module)) {
            match twin(subject, &set, function) {
                None => super::add(&mut ids, function.ids_text()),
                Some(twin) => super::add(
                    &mut preparation.by_hand,
                    format!(
                        "{} has the ids of {twin}, which stays with the host: at boot they cannot be told apart by ids; bind it when the host has started",
                        function.bdf
                    ),
                ),
            }
        }
    }
    if !ids.is_empty() {
        let _ = writeln!(lines, "options vfio-pci ids={}", ids.join(","));
    }
    let text = heading(subject.devices) + &lines;
    (!lines.is_empty()).then_some(Configuration { text, out, early: !ids.is_empty() })
}

/// A function that stays with the host and has the same ids.
fn twin(subject: &Subject<'_>, set: &BTreeSet<Bdf>, function: &Function) -> Option<Bdf> {
    let same = |other: &&Function| {
        !set.contains(&other.bdf)
            && other.vendor == function.vendor
            && other.device == function.device
            && !other.driver_name().is_some_and(is_vfio_driver)
    };
    subject.snapshot.functions.values().find(same).map(|other| other.bdf)
}

/// Images keep a copy of what modprobe is told, and of the drivers: they are
/// made anew for the kernel that runs, and the newest.
fn images(
    subject: &Subject<'_>,
    configuration: &Configuration,
    boot: &Boot,
    preparation: &mut Preparation,
) {
    let Some(generator) = boot.generator.known().copied().flatten() else {
        preparation.by_hand.push(
            "make the initramfs anew, if there is one: it has a copy of what modprobe is told"
                .to_owned(),
        );
        return;
    };
    let running = subject.snapshot.machine.kernel.known();
    let newest = boot.images.keys().next_back();
    let releases: BTreeSet<&String> =
        running.into_iter().chain(newest).filter(|name| boot.images.contains_key(*name)).collect();
    for release in releases {
        let with = if configuration.early { vec!["vfio_pci".to_owned()] } else { Vec::new() };
        // The generators leave drivers in, which modprobe's configuration then keeps from loading.
        let without = match generator {
            Generator::Dracut => configuration.out.clone(),
            _ => Vec::new(),
        };
        preparation.steps.push(Step::Make(Made {
            path: boot.images[release].clone(),
            command: command(generator, release),
            wanted: InFile::Initramfs { with, without },
        }));
    }
}

/// How the image of a kernel is made.
fn command(generator: Generator, release: &str) -> Vec<String> {
    let words: &[&str] = match generator {
        Generator::InitramfsTools => &["mkinitramfs", "-o", Made::OUT, release],
        Generator::Dracut => &["dracut", "--force", Made::OUT, release],
        Generator::Mkinitcpio => &["mkinitcpio", "-k", release, "-g", Made::OUT],
        Generator::Booster => {
            &["booster", "build", "--force", "--kernel-version", release, Made::OUT]
        }
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

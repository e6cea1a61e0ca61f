//! Kernel modules: which take the devices at boot, and which come first.
//!
//! A driver of graphics or accelerators that has no other device of the host
//! is kept out altogether; one that the host needs elsewhere, or may
//! (`nvme`, `xhci_hcd`), has to wait until vfio-pci has taken what is meant
//! for guests, by its ids. Where a device
//! that stays has the same ids, ids cannot tell them apart: that is left to a
//! rule by identity (`bind --persist`). What is built into the kernel does not
//! heed modprobe: it is told by boot arguments, where it knows any.

use std::collections::BTreeSet;

use super::super::image::{self, Contents};
use super::{DRACUT, HEADING, LOAD, MKINITCPIO, MODPROBE, Preparation, Wanted, add, write};
use crate::bdf::Bdf;
use crate::boot::cmdline::Change;
use crate::check::Subject;
use crate::file::Content;
use crate::function::{Function, is_vfio_driver};
use crate::setup::boot::{Boot, Generator};
use crate::snapshot::ModuleState;
use crate::step::Step;

pub(super) fn plan(
    subject: &Subject<'_>,
    wanted: &mut Wanted,
    boot: &Boot,
    preparation: &mut Preparation,
) {
    let configuration = configuration(subject, wanted, boot, preparation);
    let etc = |name: &str| format!("{}/{name}", boot.configuration);
    if !wanted.load.is_empty() {
        let text = HEADING.to_owned() + &wanted.load.join("\n") + "\n";
        preparation.steps.extend(write(boot, &etc(LOAD), Some(&text)));
    }
    let Some(configuration) = configuration else { return };
    let change = write(boot, &etc(MODPROBE), Some(&configuration.text));
    if change.is_none() {
        return;
    }
    preparation.reboot = true;
    preparation.steps.extend(change);
    if let Some((path, text)) = generators_own(&configuration, boot) {
        preparation.steps.extend(write(boot, &etc(path), Some(&text)));
    }
    images(subject, &configuration, boot, wanted, preparation);
}

/// What the initramfs generator is told in a file of ours: which drivers to
/// take along, although no hardware asks for them yet, and which not.
fn generators_own(configuration: &Configuration, boot: &Boot) -> Option<(&'static str, String)> {
    let early = if configuration.early { "vfio vfio_iommu_type1 vfio_pci" } else { "" };
    let (path, lines) = match boot.generator.known().copied().flatten()? {
        Generator::Dracut => {
            let line = |key: &str, names: &str| match names {
                "" => String::new(),
                names => format!("{key}+=\" {names} \"\n"),
            };
            let out = configuration.out.join(" ");
            // An image for any host has no copy of what modprobe is told by itself.
            let modprobe = format!("{}/{MODPROBE}", boot.configuration);
            let lines =
                [("add_drivers", early), ("omit_drivers", &out), ("install_items", &modprobe)];
            (DRACUT, lines.map(|(key, names)| line(key, names)).concat())
        }
        Generator::Mkinitcpio if configuration.early => {
            (MKINITCPIO, format!("MODULES+=({early})\n"))
        }
        // initramfs-tools takes along what modprobe would load first.
        _ => return None,
    };
    Some((path, HEADING.to_owned() + &lines))
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
    wanted: &mut Wanted,
    boot: &Boot,
    preparation: &mut Preparation,
) -> Option<Configuration> {
    let meant: Vec<&Function> = subject.functions().collect();
    let set: BTreeSet<Bdf> = meant.iter().map(|function| function.bdf).collect();
    // Of an earlier preparation, for other devices.
    let earlier = boot.files.get(&format!("{}/{MODPROBE}", boot.configuration));
    let earlier = earlier.map(|content| content.text().into_owned()).unwrap_or_default();
    let (mut lines, mut ids) = read_back(&earlier);
    let mut out = Vec::new();
    for module in &wanted.keep {
        let name = subject.setup.modules.of_driver(module);
        match way(subject, module) {
            Way::Modeset => add(&mut wanted.arguments, modeset_off(module)),
            Way::None => add(&mut preparation.by_hand, never_out(module)),
            Way::Out => {
                keep_out(&name).into_iter().for_each(|line| add(&mut lines, line));
                out.push(name);
            }
            Way::Behind => {
                for function in meant.iter().filter(|one| one.driver_name() == Some(module)) {
                    match twin(subject, &set, function) {
                        Some(twin) => add(&mut preparation.by_hand, told_apart(function, twin)),
                        // In the kernel it comes before every module.
                        None if is_built_in(subject, "vfio_pci") => {
                            let values = vec![function.ids_text()];
                            let name = "vfio-pci.ids".to_owned();
                            add(&mut wanted.arguments, Change::Include { name, values });
                        }
                        None => {
                            add(&mut lines, format!("softdep {name} pre: vfio-pci"));
                            add(&mut ids, function.ids_text());
                        }
                    }
                }
            }
        }
    }
    let early = !ids.is_empty();
    if early {
        lines.push(format!("{IDS}{}", ids.join(",")));
    }
    let text = HEADING.to_owned() + &lines.join("\n") + "\n";
    (!lines.is_empty()).then_some(Configuration { text, out, early })
}

/// How a driver is kept from the devices that are meant.
pub(super) enum Way {
    /// It is not loaded.
    Out,
    /// It is loaded behind vfio-pci, which has taken them then.
    Behind,
    /// It is in the kernel, and leaves all of its devices alone.
    Modeset,
    /// It is in the kernel, and not to be kept from them.
    None,
}

pub(super) fn way(subject: &Subject<'_>, module: &str) -> Way {
    match (is_built_in(subject, module), is_for_guests_alone(subject, module)) {
        (false, true) => Way::Out,
        (false, false) => Way::Behind,
        (true, true) if MODESET.contains(&module) => Way::Modeset,
        (true, _) => Way::None,
    }
}

fn is_built_in(subject: &Subject<'_>, module: &str) -> bool {
    subject.setup.modules.state(module).is(&ModuleState::BuiltIn)
}

/// Whether a driver has nothing that stays with the host, and nothing that
/// the host might need a driver like it for.
fn is_for_guests_alone(subject: &Subject<'_>, module: &str) -> bool {
    let meant: BTreeSet<Bdf> = subject.functions().map(|function| function.bdf).collect();
    let has = subject.snapshot.functions.values();
    let mut has = has.filter(|function| function.driver_name() == Some(module));
    has.all(|function| meant.contains(&function.bdf) && is_special(function))
}

/// Whether its driver is for graphics or accelerators, and so nothing that
/// the host might need for a device that comes later (USB, drives, sound).
fn is_special(function: &Function) -> bool {
    let class = function.class.known();
    class.is_some_and(|class| class.is_display() || class.is_accelerator())
}

/// Drivers that leave their devices alone when they are told to, also where
/// they are built into the kernel.
const MODESET: &[&str] = &["i915", "nouveau", "radeon"];

pub(super) fn modeset_off(module: &str) -> Change {
    Change::Set(format!("{module}.modeset=0"))
}

fn never_out(module: &str) -> String {
    format!(
        "{module} is built into the kernel, where nothing keeps it from the device at boot: bind it when the host has started"
    )
}

/// How ids are given to vfio-pci.
const IDS: &str = "options vfio-pci ids=";

/// The lines of a file of ours, and the ids in it.
fn read_back(text: &str) -> (Vec<String>, Vec<String>) {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let (ids, others): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with(IDS));
    let ids = ids.iter().flat_map(|line| line[IDS.len()..].split(',')).map(str::to_owned);
    (others.into_iter().map(str::to_owned).collect(), ids.collect())
}

/// What keeps a driver from being loaded.
fn keep_out(module: &str) -> Vec<String> {
    let mut lines = vec![format!("blacklist {module}"), format!("alias {module} off")];
    if module == "nouveau" {
        // Another name that Ubuntu's backported modules had.
        lines.push("blacklist lbm-nouveau".to_owned());
        lines.push("options nouveau modeset=0".to_owned());
    }
    lines
}

fn told_apart(function: &Function, twin: Bdf) -> String {
    format!(
        "{} has the ids of {twin}, which stays with the host: at boot they cannot be told apart by ids; `passthru bind --persist {}` does by their places",
        function.bdf, function.bdf
    )
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

/// Where it is not known where the image is, or how it is made.
const BY_HAND: &str =
    "make the initramfs anew, if there is one: it has a copy of what modprobe is told";

/// Images keep a copy of what modprobe is told, and of the drivers: they are
/// made anew.
fn images(
    subject: &Subject<'_>,
    configuration: &Configuration,
    boot: &Boot,
    wanted: &mut Wanted,
    preparation: &mut Preparation,
) {
    if boot.loader.known().is_some_and(|loader| loader.makes_all) {
        return;
    }
    let Some(generator) = image::generator(boot) else {
        // The kernel itself refuses these, whoever asks for them (kernel/module/main.c).
        if !configuration.out.is_empty() {
            let (name, values) = ("module_blacklist".to_owned(), configuration.out.clone());
            add(&mut wanted.arguments, Change::Include { name, values });
        }
        preparation.by_hand.push(BY_HAND.to_owned());
        return;
    };
    let path = format!("{}/{MODPROBE}", boot.configuration);
    let contents = Contents {
        with: if configuration.early { vec!["vfio_pci".to_owned()] } else { Vec::new() },
        // The others leave drivers in, which modprobe's configuration then keeps from being loaded.
        without: match generator {
            Generator::Dracut => configuration.out.clone(),
            _ => Vec::new(),
        },
        files: [(path, Content::from(&configuration.text[..]))].into(),
    };
    let made = image::images(subject.snapshot, boot, &contents);
    if made.is_empty() {
        preparation.by_hand.push(BY_HAND.to_owned());
    }
    preparation.steps.extend(made.into_iter().map(Step::Make));
}

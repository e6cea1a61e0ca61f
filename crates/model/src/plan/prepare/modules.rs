//! Kernel modules: what modprobe and the initramfs are told, so that
//! [`vfio-pci` and not the host's drivers](way) have the devices at boot.

use std::collections::{BTreeMap, BTreeSet};

use super::super::image::{self, Contents};
use super::others::{self, VFIO_IDS};
use super::way::{Way, is_built_in, modeset_off, out, refused, takes, way};
use super::{Preparation, Wanted};
use crate::bdf::Bdf;
use crate::boot::booster::{self, List};
use crate::boot::cmdline::Change;
use crate::boot::source::{EditError, Source, whole};
use crate::check::Subject;
use crate::file::Content;
use crate::function::Function;
use crate::list::add;
use crate::ours::{BOOSTER, DRACUT, LOAD, MKINITCPIO, MODPROBE, PREPARED};
use crate::plan::write;
use crate::setup::boot::{Boot, Generator, Loader};
use crate::snapshot::ModuleState;
use crate::step::Step;

pub(super) fn plan(
    subject: &Subject<'_>,
    wanted: &mut Wanted,
    preparation: &mut Preparation,
) -> Result<(), EditError> {
    let boot = &subject.setup.boot;
    let configuration = configuration(subject, wanted, preparation);
    if !wanted.load.is_empty() {
        let earlier = boot.files.get(&boot.path(LOAD));
        let earlier = earlier.map(|file| file.text().into_owned()).unwrap_or_default();
        let earlier = earlier.lines().filter(|line| !line.starts_with('#'));
        let all = with(earlier.map(str::to_owned).collect(), wanted.load.clone());
        let text = PREPARED.to_owned() + &all.join("\n") + "\n";
        preparation.steps.extend(write(boot, &boot.path(LOAD), Some(&text)));
    }
    let Some(configuration) = configuration else { return Ok(()) };
    let change = write(boot, &boot.path(MODPROBE), Some(&configuration.text));
    if change.is_none() {
        return Ok(());
    }
    preparation.reboot = true;
    preparation.steps.extend(change);
    if let Some((path, text)) = generators_own(subject, &configuration)? {
        preparation.steps.extend(write(boot, &boot.path(path), Some(&text)));
    }
    images(subject, &configuration, wanted, preparation);
    Ok(())
}

/// What the initramfs generator is told: which drivers to take along, although
/// no hardware asks for them yet, and which not.
fn generators_own(
    subject: &Subject<'_>,
    configuration: &Configuration,
) -> Result<Option<(&'static str, String)>, EditError> {
    let boot = &subject.setup.boot;
    let early = if configuration.early { early(subject) } else { Vec::new() };
    let (path, lines) = match boot.generator.known().copied().flatten() {
        Some(Generator::Dracut) => {
            let line = |key: &str, names: &str| match names {
                "" => String::new(),
                names => format!("{key}+=\" {names} \"\n"),
            };
            let out = configuration.out.join(" ");
            // An image for any host has no copy of what modprobe is told by itself.
            let modprobe = boot.path(MODPROBE);
            let lines = [
                ("add_drivers", &early.join(" ")),
                ("omit_drivers", &out),
                ("install_items", &modprobe),
            ];
            (DRACUT, lines.map(|(key, names)| line(key, names)).concat())
        }
        Some(Generator::Mkinitcpio) if !early.is_empty() => {
            (MKINITCPIO, format!("MODULES+=({})\n", early.join(" ")))
        }
        Some(Generator::Booster) => {
            let text = boosters(configuration, &early, boot)?;
            return Ok(Some((BOOSTER, text)));
        }
        // initramfs-tools takes along what modprobe would load first.
        _ => return Ok(None),
    };
    Ok(Some((path, PREPARED.to_owned() + &lines)))
}

/// The modules that have to be in an image for vfio-pci to come first: those
/// that this kernel has, and not in itself. What it needs beside vfio_pci is of
/// use only later, so a generator that ends at a name it does not know has the
/// one that matters.
fn early(subject: &Subject<'_>) -> Vec<&'static str> {
    let iommu = if subject.is_power() { "vfio_iommu_spapr_tce" } else { "vfio_iommu_type1" };
    let mut names = vec!["vfio_pci", "vfio", iommu];
    names.retain(|name| {
        let state = subject.setup.modules.state(name);
        !state.is(&ModuleState::Missing) && !state.is(&ModuleState::BuiltIn)
    });
    names
}

/// Booster's settings are one file, with everybody's names in a list. What
/// modprobe is told is in its images in a form of their own.
fn boosters(
    configuration: &Configuration,
    early: &[&str],
    boot: &Boot,
) -> Result<String, EditError> {
    let path = boot.path(BOOSTER);
    let text = boot.files.get(&path).map(|file| whole(&path, file)).transpose()?;
    let early: Vec<String> = early.iter().map(|name| (*name).to_owned()).collect();
    let out: Vec<String> = configuration.out.iter().map(|name| format!("-{name}")).collect();
    let text = text.unwrap_or_default();
    let text = booster::add(Source::new(&path, &text), List::Force, &early)?;
    booster::add(Source::new(&path, &text), List::Modules, &out)
}

/// What modprobe is told.
struct Configuration {
    text: String,
    /// Drivers that are not to be in the initramfs, or do nothing there.
    out: Vec<String>,
    /// Whether vfio-pci has to be in the initramfs.
    early: bool,
    /// Whether anything of it is about what is loaded there.
    in_image: bool,
}

fn configuration(
    subject: &Subject<'_>,
    wanted: &mut Wanted,
    preparation: &mut Preparation,
) -> Option<Configuration> {
    let boot = &subject.setup.boot;
    // Of an earlier preparation, for other devices.
    let earlier = boot.files.get(&boot.path(MODPROBE));
    let earlier = earlier.map(|content| content.text().into_owned()).unwrap_or_default();
    let mut told = read_back(&earlier);
    for driver in &wanted.keep {
        match way(subject, driver) {
            Way::Modeset => add(&mut wanted.arguments, modeset_off(driver)),
            Way::None => add(&mut preparation.by_hand, never_out(driver)),
            Way::Out => {
                let names = out(subject, driver);
                names
                    .iter()
                    .flat_map(|name| keep_out(name))
                    .for_each(|line| add(&mut told.lines, line));
                refused(&names).into_iter().for_each(|change| add(&mut wanted.arguments, change));
                names.into_iter().for_each(|name| add(&mut told.out, name));
            }
            Way::Behind => behind(subject, driver, &mut told, preparation),
        }
    }
    options_of_vfio(subject, wanted, &mut told);
    let Told { mut lines, ids, in_kernel, out } = told;
    let early = !ids.is_empty();
    let given = others::given(subject);
    let ids = with(ids, given.ids);
    if early {
        lines.push(format!("{IDS}{}", ids.join(",")));
    }
    // Whoever says it last is heard: files in the order of their names, then arguments.
    let mut on_line = in_kernel;
    if early && given.later {
        on_line = with(on_line, ids);
    }
    if !on_line.is_empty() {
        let name = VFIO_IDS.to_owned();
        add(&mut wanted.arguments, Change::Include { name, values: on_line });
    }
    let text = PREPARED.to_owned() + &lines.join("\n") + "\n";
    let in_image = early || lines.iter().any(|line| !line.starts_with(OPTIONS));
    (!lines.is_empty()).then_some(Configuration { text, out, early, in_image })
}

/// Options of vfio-pci are boot arguments, which it has wherever it is loaded.
/// Where a person would have to write those, modprobe is told.
fn options_of_vfio(subject: &Subject<'_>, wanted: &mut Wanted, told: &mut Told) {
    let takes_arguments = subject.setup.boot.loader.known().is_some_and(Loader::is_changed_here);
    if takes_arguments || is_built_in(subject, "vfio_pci") {
        return;
    }
    wanted.arguments.retain(|change| match change {
        Change::Set(word) if word.starts_with(OPTION) => {
            add(&mut told.lines, format!("{OPTIONS}{}", &word[OPTION.len()..]));
            false
        }
        _ => true,
    });
}

/// How its options begin.
const OPTIONS: &str = "options vfio-pci ";

/// How a boot argument for it begins.
const OPTION: &str = "vfio-pci.";

/// What a file of ours says.
#[derive(Default)]
struct Told {
    /// All lines but that with ids.
    lines: Vec<String>,
    ids: Vec<String>,
    /// Ids for a vfio-pci that is part of the kernel, and so comes before every module.
    in_kernel: Vec<String>,
    /// Drivers that are kept out.
    out: Vec<String>,
}

/// How ids are given to vfio-pci.
const IDS: &str = "options vfio-pci ids=";

/// What an earlier file of ours says.
fn read_back(text: &str) -> Told {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let (ids, others): (Vec<&str>, Vec<&str>) = lines.partition(|line| line.starts_with(IDS));
    let out = others.iter().filter_map(|line| line.strip_prefix("blacklist "));
    let ids = ids.iter().flat_map(|line| line[IDS.len()..].split(',')).map(str::to_owned);
    Told {
        out: out.filter(|name| *name != BACKPORT).map(str::to_owned).collect(),
        ids: ids.collect(),
        lines: others.into_iter().map(str::to_owned).collect(),
        in_kernel: Vec::new(),
    }
}

/// Both, each once.
fn with(mut list: Vec<String>, more: Vec<String>) -> Vec<String> {
    more.into_iter().for_each(|one| add(&mut list, one));
    list
}

/// A driver is told to wait for vfio-pci, which takes what is meant by its ids.
fn behind(subject: &Subject<'_>, driver: &str, told: &mut Told, preparation: &mut Preparation) {
    let name = subject.setup.modules.of_driver(driver);
    for function in subject.functions().filter(|one| takes(subject, one, driver)) {
        match twin(subject, function) {
            Some(twin) => add(&mut preparation.by_hand, told_apart(function, twin)),
            None if is_built_in(subject, "vfio_pci") => {
                add(&mut told.in_kernel, function.ids_text());
            }
            None => {
                let (line, by_hand) = others::softdep(subject, &name);
                // One that was written when less was known.
                let start = format!("softdep {name} ");
                match told.lines.iter_mut().find(|other| other.starts_with(&start)) {
                    Some(other) => *other = line,
                    None => told.lines.push(line),
                }
                by_hand.into_iter().for_each(|text| add(&mut preparation.by_hand, text));
                add(&mut told.ids, function.ids_text());
            }
        }
    }
}

fn never_out(module: &str) -> String {
    format!(
        "{module} is built into the kernel, where nothing keeps it from the device at boot: bind it when the host has started"
    )
}

/// Another name that Ubuntu's backported modules had.
const BACKPORT: &str = "lbm-nouveau";

/// What keeps a driver from being loaded.
fn keep_out(module: &str) -> Vec<String> {
    let mut lines = vec![format!("blacklist {module}"), format!("alias {module} off")];
    if module == "nouveau" {
        lines.push(format!("blacklist {BACKPORT}"));
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

/// A function that is not meant and has the same ids. Which driver has it now
/// says nothing: ids are for good. One that a rule hands over at every boot
/// loses nothing by them.
fn twin(subject: &Subject<'_>, function: &Function) -> Option<Bdf> {
    let meant: BTreeSet<Bdf> = subject.functions().map(|function| function.bdf).collect();
    let rules = subject.setup.boot.bindings().unwrap_or_default();
    let same = |other: &&Function| {
        (&other.vendor, &other.device) == (&function.vendor, &function.device)
            && !meant.contains(&other.bdf)
            && !rules.iter().any(|rule| rule.is_about(other))
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
    wanted: &mut Wanted,
    preparation: &mut Preparation,
) {
    let boot = &subject.setup.boot;
    if !configuration.in_image || boot.loader.known().is_some_and(Loader::makes_all) {
        return;
    }
    let system = boot.loader.known().and_then(|loader| loader.system);
    if let Some(system) = system.filter(|system| system.keeps_images()) {
        preparation.by_hand.extend(system.then(image::generator(boot)));
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
    let path = boot.path(MODPROBE);
    let contents = Contents {
        with: if configuration.early { vec!["vfio_pci".to_owned()] } else { Vec::new() },
        // The others leave drivers in, which modprobe's configuration then keeps from being loaded.
        without: match generator {
            Generator::Dracut | Generator::Booster => configuration.out.clone(),
            _ => Vec::new(),
        },
        files: match generator {
            Generator::Booster => BTreeMap::new(),
            _ => [(path, Content::from(&configuration.text[..]))].into(),
        },
    };
    let made = image::images(subject.snapshot, boot, &contents);
    if made.is_empty() {
        let then = system.and_then(|system| system.then(Some(generator)));
        preparation.by_hand.push(then.unwrap_or_else(|| BY_HAND.to_owned()));
    }
    preparation.by_hand.extend(image::left(boot, &made));
    preparation.steps.extend(made.into_iter().map(Step::Make));
}

//! Kernel modules: which take the devices at boot, and which come first.
//!
//! A driver of graphics or accelerators that has no other device of the host
//! is kept out altogether; one that the host needs elsewhere, or may
//! (`nvme`, `xhci_hcd`), has to wait until vfio-pci has taken what is meant
//! for guests, by its ids. Where a device
//! that stays has the same ids, ids cannot tell them apart: that is left to a
//! rule by identity (`bind --persist`). What is built into the kernel does not
//! heed modprobe: it is told by boot arguments, where it knows any.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use super::super::image::{self, Contents};
use super::{Preparation, Wanted};
use crate::bdf::Bdf;
use crate::boot::cmdline::{Change, Cmdline};
use crate::boot::modprobe::Place;
use crate::check::{NVIDIA, Subject};
use crate::file::Content;
use crate::function::{Function, is_vfio_driver};
use crate::ours::{DRACUT, LOAD, MKINITCPIO, MODPROBE, PREPARED};
use crate::plan::{add, persist, write};
use crate::setup::boot::{Boot, Generator};
use crate::snapshot::ModuleState;
use crate::step::Step;

pub(super) fn plan(subject: &Subject<'_>, wanted: &mut Wanted, preparation: &mut Preparation) {
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
    let Some(configuration) = configuration else { return };
    let change = write(boot, &boot.path(MODPROBE), Some(&configuration.text));
    if change.is_none() {
        return;
    }
    preparation.reboot = true;
    preparation.steps.extend(change);
    if let Some((path, text)) = generators_own(&configuration, boot) {
        preparation.steps.extend(write(boot, &boot.path(path), Some(&text)));
    }
    images(subject, &configuration, wanted, preparation);
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
            let modprobe = boot.path(MODPROBE);
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
    Some((path, PREPARED.to_owned() + &lines))
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
    let Told { mut lines, ids, in_kernel, out } = told;
    let early = !ids.is_empty();
    let given = given(subject);
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
        let name = "vfio-pci.ids".to_owned();
        add(&mut wanted.arguments, Change::Include { name, values: on_line });
    }
    let text = PREPARED.to_owned() + &lines.join("\n") + "\n";
    (!lines.is_empty()).then_some(Configuration { text, out, early })
}

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
    for function in subject.functions().filter(|one| one.driver_name() == Some(driver)) {
        match twin(subject, function) {
            Some(twin) => add(&mut preparation.by_hand, told_apart(function, twin)),
            None if is_built_in(subject, "vfio_pci") => {
                add(&mut told.in_kernel, function.ids_text());
            }
            None => {
                let (line, by_hand) = waits(subject, &name);
                // One that was written when less was known.
                let start = format!("softdep {name} ");
                told.lines.retain(|other| !other.starts_with(&start));
                told.lines.push(line);
                by_hand.into_iter().for_each(|text| add(&mut preparation.by_hand, text));
                add(&mut told.ids, function.ids_text());
            }
        }
    }
}

/// The rule that has a module wait for vfio-pci, and what a person has to do
/// for it to count: of several rules for a module the first one does, by the
/// names of their files (`libkmod/libkmod-module.c`). So what another one says
/// is said in ours, too.
fn waits(subject: &Subject<'_>, name: &str) -> (String, Option<String>) {
    let mut line = format!("softdep {name} pre: {VFIO}");
    let settings = subject.setup.modprobe.known();
    let Some(other) = settings.and_then(|settings| settings.softdep(name)) else {
        return (line, None);
    };
    let (own, is_vfio) = (ours_is(other.place), |module: &&String| *module == "vfio_pci");
    for module in other.pre.iter().filter(|module| !is_vfio(module)) {
        line += &format!(" {module}");
    }
    if !other.post.is_empty() {
        line += &format!(" post: {}", other.post.join(" "));
    }
    let hides = own == Ordering::Less && !other.pre.iter().any(|module| is_vfio(&module));
    let by_hand = format!(
        "write `{line}` in place of what {} says of {name}: of two such lines the first one counts",
        other.place
    );
    (line, hides.then_some(by_hand))
}

const VFIO: &str = "vfio-pci";

/// Where a file of modprobe's comes, and ours.
fn ours_is(place: &Place) -> Ordering {
    let ours = MODPROBE.rsplit('/').next().unwrap_or(MODPROBE);
    place.name.as_str().cmp(ours)
}

/// The ids that vfio-pci is given by others.
struct Given {
    ids: Vec<String>,
    /// By somebody whose word comes behind that of our file.
    later: bool,
}

fn given(subject: &Subject<'_>) -> Given {
    let mut given = Given { ids: Vec::new(), later: false };
    let settings = subject.setup.modprobe.known();
    let options = settings.into_iter().flat_map(|settings| settings.options("vfio_pci"));
    for (line, place) in options.filter(|(_, place)| ours_is(place) != Ordering::Equal) {
        for ids in line.split_whitespace().filter_map(|word| word.strip_prefix("ids=")) {
            given.later |= ours_is(place) == Ordering::Greater;
            ids.split(',').for_each(|one| add(&mut given.ids, one.to_owned()));
        }
    }
    let cmdline = Cmdline::new(subject.setup.cmdline.known().map_or("", String::as_str));
    for ids in cmdline.list("vfio-pci.ids") {
        given.later = true;
        add(&mut given.ids, ids.to_owned());
    }
    given
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

pub(super) fn way(subject: &Subject<'_>, driver: &str) -> Way {
    let name = subject.setup.modules.of_driver(driver);
    match (is_built_in(subject, driver), is_for_guests_alone(subject, &name)) {
        (false, true) => Way::Out,
        (false, false) => Way::Behind,
        (true, true) if MODESET.contains(&driver) => Way::Modeset,
        (true, _) => Way::None,
    }
}

fn is_built_in(subject: &Subject<'_>, driver: &str) -> bool {
    let modules = &subject.setup.modules;
    modules.state(&modules.of_driver(driver)).is(&ModuleState::BuiltIn)
}

/// Whether a module has nothing that stays with the host, and nothing that
/// the host might need a driver like it for.
fn is_for_guests_alone(subject: &Subject<'_>, module: &str) -> bool {
    let meant: BTreeSet<Bdf> = subject.functions().map(|function| function.bdf).collect();
    let is_of = |driver: &str| subject.setup.modules.of_driver(driver) == module;
    let has = subject.snapshot.functions.values();
    let mut has = has.filter(|function| function.driver_name().is_some_and(is_of));
    has.all(|function| meant.contains(&function.bdf) && is_special(function))
}

/// The modules that are kept out with a driver: its own, and those that would
/// take its devices in its place.
pub(super) fn out(subject: &Subject<'_>, driver: &str) -> Vec<String> {
    let modules = &subject.setup.modules;
    let of = subject.functions().filter(|function| function.driver_name() == Some(driver));
    let claims = of.filter_map(|function| modules.claims.get(&function.bdf)?.known()).flatten();
    let rivals = claims.map(|name| name.replace('-', "_")).filter(|name| {
        !is_vfio_driver(&name.replace('_', "-"))
            && !modules.state(name).is(&ModuleState::BuiltIn)
            && is_for_guests_alone(subject, name)
    });
    with(vec![modules.of_driver(driver)], rivals.collect())
}

/// What the kernel itself refuses. NVIDIA's packages load other modules of
/// theirs by name, which bring the driver along, whatever modprobe is told of
/// it; and Debian's is called otherwise on the disk than in the kernel.
pub(super) fn refused(out: &[String]) -> Option<Change> {
    let is_nvidias = |name: &String| name == NVIDIA || name.starts_with("nvidia_");
    let (name, values) = ("module_blacklist".to_owned(), vec![NVIDIA.to_owned()]);
    out.iter().any(is_nvidias).then_some(Change::Include { name, values })
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
    let rules = persist::rules(&subject.setup.boot).unwrap_or_default();
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
    let path = boot.path(MODPROBE);
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

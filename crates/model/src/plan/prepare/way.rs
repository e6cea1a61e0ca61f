//! In which way a driver of the host is kept from the devices at boot.
//!
//! A driver of graphics or accelerators that has no other device of the host
//! is kept out altogether; one that the host needs elsewhere, or may
//! (`nvme`, `xhci_hcd`), has to wait until vfio-pci has taken what is meant
//! for guests, by its ids. Where a device that stays has the same ids, ids
//! cannot tell them apart: that is left to a rule by identity (`bind
//! --persist`). What is built into the kernel does not heed modprobe: it is
//! told by boot arguments, where it knows any.

use std::collections::BTreeSet;

use crate::bdf::Bdf;
use crate::boot::cmdline::Change;
use crate::check::{NVIDIA, Subject};
use crate::fact::Fact;
use crate::function::{Function, is_vfio_driver};
use crate::list::add;
use crate::snapshot::ModuleState;

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

pub(super) fn is_built_in(subject: &Subject<'_>, driver: &str) -> bool {
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
        && subject.functions().filter(|one| is_next(subject, one, module)).all(is_special)
}

/// Whether a driver has a function that is meant, or will when nothing keeps
/// it out: a function that has none, or was bound to VFIO for now.
pub(super) fn takes(subject: &Subject<'_>, function: &Function, driver: &str) -> bool {
    function.driver_name() == Some(driver)
        || is_next(subject, function, &subject.setup.modules.of_driver(driver))
}

fn is_next(subject: &Subject<'_>, function: &Function, module: &str) -> bool {
    let claims = subject.setup.modules.claims.get(&function.bdf).and_then(Fact::known);
    let mut claims = claims.into_iter().flatten().map(|name| name.replace('-', "_"));
    function.driver_name().is_none_or(is_vfio_driver) && claims.any(|name| name == module)
}

/// The modules that are kept out with a driver: its own, and those that would
/// take its devices in its place.
pub(super) fn out(subject: &Subject<'_>, driver: &str) -> Vec<String> {
    let modules = &subject.setup.modules;
    let of = subject.functions().filter(|function| takes(subject, function, driver));
    let claims = of.filter_map(|function| modules.claims.get(&function.bdf)?.known()).flatten();
    // By whatever name it is on the disk.
    let nvidia_stays = subject.stays(|other| other.driver_name() == Some(NVIDIA)).is_some();
    let rivals = claims.map(|name| name.replace('-', "_")).filter(|name| {
        let stays = is_nvidias(name) && nvidia_stays;
        let is_module = !modules.state(name).is(&ModuleState::BuiltIn);
        let is_rival = is_module && !is_vfio_driver(&name.replace('_', "-"));
        is_rival && !stays && is_for_guests_alone(subject, name)
    });
    let mut names = vec![modules.of_driver(driver)];
    rivals.for_each(|name| add(&mut names, name));
    names
}

/// Whether a module is of NVIDIA's own driver.
fn is_nvidias(name: &str) -> bool {
    name == NVIDIA || name.starts_with("nvidia_")
}

/// What the kernel itself refuses. NVIDIA's packages load other modules of
/// theirs by name, which bring the driver along, whatever modprobe is told of
/// it; and Debian's is called otherwise on the disk than in the kernel.
pub(super) fn refused(out: &[String]) -> Option<Change> {
    let (name, values) = ("module_blacklist".to_owned(), vec![NVIDIA.to_owned()]);
    out.iter().any(|name| is_nvidias(name)).then_some(Change::Include { name, values })
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

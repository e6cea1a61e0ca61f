//! A module and a device that it would take: what becomes of the two at boot.

use crate::boot::modprobe::{Settings, Softdep};
use crate::check::Subject;
use crate::fact::{Fact, Why};
use crate::function::{Function, is_vfio_driver};
use crate::setup::boot::Generator;
use crate::snapshot::ModuleState;

/// Modules that are loaded behind another: what that one waits for, they wait
/// for (drivers/usb/host/xhci-pci.c).
const BEHIND: &[(&str, &str)] = &[("xhci_pci", "xhci_hcd")];

/// A module, and the device that it would take.
#[derive(Clone, Copy)]
pub(super) struct Taker<'a> {
    pub subject: &'a Subject<'a>,
    pub function: &'a Function,
    /// With underscores only.
    pub module: &'a str,
}

/// What becomes of the two at boot; with the words for what keeps them apart.
pub(super) enum Fate {
    /// Nothing keeps them apart.
    Free,
    /// Nothing can: the module is part of the kernel.
    BuiltIn,
    /// They are kept apart on the disk, but not in the initramfs, where the
    /// module is.
    Stale(String),
    /// The module would have to wait for vfio-pci in the initramfs, which has
    /// only the one of them.
    Alone(String),
    /// They are kept apart on the disk; of the initramfs it is not known.
    Unsure(String, Why),
    Apart(String),
}

/// What keeps a module from a device.
struct Kept {
    text: String,
    /// That it is loaded behind vfio-pci.
    by_vfio: bool,
}

impl Taker<'_> {
    pub(super) fn fate(&self, settings: &Settings) -> Fate {
        if self.is(ModuleState::BuiltIn) {
            return Fate::BuiltIn;
        }
        if let Some(argument) = self.kept_by_argument() {
            return Fate::Apart(argument);
        }
        let Some(Kept { text, .. }) = self.kept(settings) else { return Fate::Free };
        let early = match &self.subject.setup.early {
            Fact::Unknown(why) => return Fate::Unsure(text, why.clone()),
            Fact::Known(early) if !early.has(self.module) => return Fate::Apart(text),
            Fact::Known(early) => early,
        };
        if self.subject.setup.boot.generator.is(&Some(Generator::Booster)) {
            let why = "booster keeps what modprobe is told in a form of its own".to_owned();
            return Fate::Unsure(text, Why::Failed(why));
        }
        match self.kept(&early.modprobe) {
            None => Fate::Stale(text),
            Some(there) if there.by_vfio && !self.has_vfio_early() => Fate::Alone(text),
            Some(_) => Fate::Apart(format!("{text}, and in the initramfs, too")),
        }
    }

    /// What keeps it from the device, of what modprobe is told. That its name
    /// is an alias of nothing does not: devices ask by other names.
    fn kept(&self, settings: &Settings) -> Option<Kept> {
        let module = self.module;
        let always = |text| Some(Kept { text, by_vfio: false });
        if let Some(place) = settings.disabled(module) {
            return always(format!("{module} is disabled in {place}"));
        }
        if let Some(place) = settings.blacklisted(module) {
            return always(format!("{module} is blacklisted in {place}"));
        }
        let Softdep { pre, place, .. } = names(module).find_map(|name| settings.softdep(name))?;
        let lines = settings.options("vfio_pci").map(|(line, _)| line);
        let ids =
            lines.flat_map(str::split_whitespace).filter_map(|word| word.strip_prefix("ids="));
        // The last one that says it is heard, and the kernel's arguments come behind the files.
        let ids = self.subject.cmdline().value("vfio-pci.ids").or(ids.last());
        let has_ids = ids.is_some_and(|ids| self.is_among(ids));
        let waits = has_ids && pre.iter().any(|name| name == "vfio_pci");
        let text = format!("{module} waits for vfio-pci, which takes its ids ({place})");
        waits.then_some(Kept { text, by_vfio: true })
    }

    /// What keeps it from the device, of what the kernel was started with
    /// (Documentation/admin-guide/kernel-parameters.txt, modprobe(8),
    /// dracut.cmdline(7)).
    fn kept_by_argument(&self) -> Option<String> {
        let cmdline = self.subject.cmdline();
        let module = self.module;
        for name in ["module_blacklist", "modprobe.blacklist"] {
            if cmdline.list(name).any(|listed| plain(listed) == module) {
                return Some(format!("{module} is kept out by the boot argument {name}="));
            }
        }
        let state = self.subject.setup.modules.state("vfio_pci");
        let text = match (self.is_among_arguments(), state) {
            (false, _) => return None,
            (true, Fact::Known(ModuleState::BuiltIn)) => "is built into the kernel and",
            (true, _) if cmdline.list("rd.driver.pre").any(|name| plain(name) == "vfio_pci") => {
                "is loaded first (rd.driver.pre=) and"
            }
            (true, _) => return None,
        };
        Some(format!("vfio-pci {text} takes the device by its ids before {module}"))
    }

    fn is_among_arguments(&self) -> bool {
        self.subject.cmdline().value("vfio-pci.ids").is_some_and(|ids| self.is_among(ids))
    }

    /// Whether it is among ids for vfio-pci: `vendor:device`, and more behind
    /// them (`vfio_pci_fill_ids()` in drivers/vfio/pci/vfio_pci.c).
    fn is_among(&self, ids: &str) -> bool {
        let own = self.function.ids_text();
        ids.split(',').any(|entry| {
            let mut parts = entry.split(':');
            let both = parts.next().zip(parts.next());
            both.is_some_and(|(vendor, device)| {
                format!("{vendor}:{device}").eq_ignore_ascii_case(&own)
            })
        })
    }

    pub(super) fn is_with_vfio(&self) -> bool {
        self.function.driver_name().is_some_and(is_vfio_driver)
    }

    /// No driver of the host has it.
    pub(super) fn is_nobodys(&self) -> bool {
        self.function.driver_name().is_none_or(is_vfio_driver)
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.is(ModuleState::Loaded)
    }

    pub(super) fn is_early(&self) -> bool {
        self.subject.setup.early.known().is_some_and(|early| early.has(self.module))
    }

    fn has_vfio_early(&self) -> bool {
        let setup = self.subject.setup;
        let in_image = setup.early.known().is_some_and(|early| early.has("vfio_pci"));
        in_image || setup.modules.state("vfio_pci").is(&ModuleState::BuiltIn)
    }

    fn is(&self, state: ModuleState) -> bool {
        self.subject.setup.modules.state(self.module).is(&state)
    }
}

/// A module, and the one that it is loaded behind.
fn names(module: &str) -> impl Iterator<Item = &str> {
    let other = BEHIND.iter().find(|(of, _)| *of == module).map(|(_, first)| *first);
    [module].into_iter().chain(other)
}

/// A module's name as the kernel has it.
pub(super) fn plain(name: &str) -> String {
    name.replace('-', "_")
}

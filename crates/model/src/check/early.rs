//! Which driver gets a device at boot: what keeps the host's drivers from it,
//! on the disk and in the initramfs. The initramfs has a copy of what modprobe
//! is told, and it is that copy that counts for whatever is loaded there.

mod taker;

use taker::{Fate, Taker, plain};

use super::{Check, Finding, Found, Remedy, Run, Severity, Status, Subject, known};
use crate::fact::Fact;
use crate::function::{Function, is_vfio_driver};
use crate::setup::boot::Generator;

pub(super) const CHECKS: &[Check] = &[Check {
    name: "at_boot",
    about: "A rule, boot arguments, or what modprobe is told (in the initramfs, too) keep the host's drivers from the device.",
    severity: Severity::Advised,
    run: Run::Device(at_boot),
}];

fn at_boot(subject: &Subject<'_>, function: &Function) -> Found {
    let driver = known(&function.driver, "its driver")?.as_deref();
    if let Some(rule) = persists(subject, function) {
        return Ok(Finding::pass(format!(
            "a rule binds it to {rule}, before any other driver is looked for"
        )));
    }
    let of_driver = |driver: &str| subject.setup.modules.of_driver(driver);
    let has_it = driver.filter(|driver| !is_vfio_driver(driver)).map(of_driver);
    let claims = subject.setup.modules.claims.get(&function.bdf);
    let claimers = claims.and_then(Fact::known).into_iter().flatten().map(|name| plain(name));
    let mut modules: Vec<String> = has_it.iter().cloned().collect();
    claimers.filter(|name| has_it.as_ref() != Some(name)).for_each(|name| modules.push(name));
    if modules.is_empty() {
        if let Some(claims) = claims {
            known(claims, "which modules the kernel has for it")?;
        }
        return Ok(Finding::pass("this kernel has no module for it"));
    }
    let settings = known(&subject.setup.modprobe, "what modprobe is told")?;
    let mut told = Told::default();
    for module in &modules {
        let taker = Taker { subject, function, module };
        told.add(&taker, taker.fate(settings), has_it.as_ref() == Some(module));
    }
    Ok(told.finding(subject, function))
}

/// The driver that `bind --persist` gives it to at every boot.
fn persists(subject: &Subject<'_>, function: &Function) -> Option<String> {
    // A file that is not understood is told of by whoever would change it.
    let rules = subject.setup.boot.bindings().ok()?;
    rules.into_iter().find(|rule| rule.is_about(function)).map(|rule| rule.driver)
}

/// Texts of all modules, by what they amount to.
#[derive(Default)]
struct Told {
    free: Vec<String>,
    /// One of those that are free has the device, is loaded, or gave it to
    /// vfio-pci for now.
    felt: bool,
    /// Free ones that will have it, where it has no driver of the host now.
    next: Vec<String>,
    stale: Vec<String>,
    alone: Vec<String>,
    unsure: Vec<String>,
    apart: Vec<String>,
}

impl Told {
    fn add(&mut self, taker: &Taker<'_>, fate: Fate, has_it: bool) {
        let module = taker.module;
        match fate {
            Fate::Free => {
                let loaded = taker.is_loaded();
                self.felt |= has_it || loaded || taker.is_with_vfio();
                if taker.is_nobodys() {
                    self.next.push(module.to_owned());
                }
                self.free.push(free(module, [has_it, loaded && !has_it, taker.is_early()]));
            }
            Fate::BuiltIn => {
                self.felt |= has_it;
                self.free.push(format!(
                    "{module} is built into the kernel, so that nothing modprobe is told keeps it from the device"
                ));
            }
            Fate::Stale(kept) => self.stale.push(format!(
                "{kept}, but it is in the initramfs, whose copy of what modprobe is told lacks that: the image was made before"
            )),
            Fate::Alone(kept) => self
                .alone
                .push(format!("{kept}, but it is in the initramfs, and vfio-pci is not")),
            Fate::Unsure(kept, why) => self.unsure.push(format!(
                "{kept}; whether the initramfs says so, too, is not known: {why}"
            )),
            Fate::Apart(kept) => self.apart.push(kept),
        }
    }

    /// The worst of it, and what to do about that.
    fn finding(self, subject: &Subject<'_>, function: &Function) -> Finding {
        let Self { free, felt, next, stale, alone, unsure, apart } = self;
        if !stale.is_empty() {
            let hint = remake(subject);
            let text = [stale, alone, free].concat().join("; ");
            return Finding::warn(text, hint.clone()).remedy(Remedy::ByHand(hint));
        }
        if !alone.is_empty() {
            let hint = "have the initramfs take vfio_pci along (`add_drivers` of dracut, `MODULES` of mkinitcpio, the file `modules` of initramfs-tools), and make it anew";
            let text = [alone, free].concat().join("; ");
            return Finding::warn(text, hint).remedy(Remedy::ByHand(hint.to_owned()));
        }
        if felt {
            let hint =
                format!("`passthru prepare {}` shows what keeps it out, and does it", function.bdf);
            let found = Finding::warn(free.join("; "), hint);
            let keep = |found: Finding, module| found.remedy(Remedy::Keep { module });
            return next.into_iter().fold(found, keep);
        }
        match unsure.is_empty() {
            true => Finding::pass([apart, free].concat().join("; ")),
            false => Finding { status: Status::Unknown, ..Finding::pass(unsure.join("; ")) },
        }
    }
}

/// Of a module that nothing keeps out: whether it has the device, is loaded,
/// is in the initramfs.
fn free(module: &str, is: [bool; 3]) -> String {
    let traits = is.into_iter().zip(["has it", "is loaded", "is in the initramfs"]);
    let traits: Vec<&str> = traits.filter(|(is, _)| *is).map(|(_, text)| text).collect();
    match traits.is_empty() {
        true => format!("nothing keeps {module} from the device at boot"),
        false => {
            let traits = traits.join(", ");
            format!("{module} {traits}, and nothing keeps it from the device at boot")
        }
    }
}

/// How the initramfs is made anew, by who makes it.
pub(super) fn remake(subject: &Subject<'_>) -> String {
    let command = match subject.setup.boot.generator.known().copied().flatten() {
        Some(Generator::InitramfsTools) => "`update-initramfs -u`",
        Some(Generator::Dracut) => "`dracut -f`",
        Some(Generator::Mkinitcpio) => "`mkinitcpio -P`",
        Some(Generator::Booster) => "`booster build`",
        None => "by the program that makes it",
    };
    format!("make the initramfs anew ({command}): it has a copy of what modprobe is told")
}

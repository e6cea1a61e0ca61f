//! What the host boots by.
//!
//! In: a root directory. Out: the boot loader, the kernels, who makes their
//! initramfs, and the text of every file that `prepare` may change. Never: a
//! program that is run; a loader that is not known for certain is another one.

mod grub;
mod images;
pub(crate) mod kernels;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use model::boot::bls;
use model::boot::cmdline::is_recovery;
use model::boot::grubenv::Environment;
use model::boot::source::{Source, whole};
use model::file::Content;
use model::ours;
use model::setup::boot::{Boot, Chooser, Format, Generator, Loader};
use model::setup::own::System;
use model::setup::services::SERVICES;
use model::step::Once;
use model::{Fact, Why};

use self::grub::grub;
use self::images::{images, images_of_entries};
use crate::paths::Root;
use crate::read;

/// Look at what the host boots by. A recording has nothing of it: there may
/// be hashes of passwords in a boot loader's files.
pub fn boot(root: &Root) -> Boot {
    let configuration = Root::configuration_text().to_owned();
    if root.is_recorded() {
        return Boot {
            loader: Fact::Unknown(Why::NotRecorded),
            generator: Fact::Unknown(Why::NotRecorded),
            images: BTreeMap::new(),
            configuration,
            files: BTreeMap::new(),
        };
    }
    let mut files = BTreeMap::new();
    let loader = loader(root, &mut files);
    for name in ours::FILES {
        file(root, &format!("{configuration}/{name}"), &mut files);
    }
    for (unit, _) in SERVICES {
        file(root, &format!("{configuration}/{}", ours::drop_in(unit)), &mut files);
    }
    for path in super::xorg(root).known().into_iter().flatten() {
        file(root, path, &mut files);
    }
    let mut images = images(root);
    images.extend(images_of_entries(root, &loader, &files, &images));
    Boot { loader, generator: generator(root).into(), images, configuration, files }
}

/// Reads one more file of the configuration, which a plan may be about.
pub fn read_also(root: &Root, boot: &mut Boot, name: &str) {
    file(root, &boot.path(name), &mut boot.files);
}

/// What is in a file that a plan names; `None` where there is none, it is no
/// file (a pipe would be waited for), or it cannot be read.
pub fn content(root: &Root, path: &str) -> Option<Content> {
    let path = root.at(path);
    let is_file = fs::metadata(&path).is_ok_and(|found| found.is_file());
    // A link that leads out of the tree is to a place of another machine.
    (is_file && root.holds(&path)).then(|| fs::read(path).ok().map(Content)).flatten()
}

/// A variable of GRUB's environment block; `None` where there is none, or the
/// block cannot be read.
pub fn grub_variable(root: &Root, path: &str, name: &str) -> Option<String> {
    let block = Environment::parse(&content(root, path)?.0).ok()?;
    block.get(name).map(str::to_owned)
}

/// Reads a file that may have to be changed; whether it was there.
fn file(root: &Root, path: &str, files: &mut BTreeMap<String, Content>) -> bool {
    let found = content(root, path);
    let there = found.is_some();
    files.extend(found.map(|content| (path.to_owned(), content)));
    there
}

/// The first that is found, those that leave certain signs before others.
fn loader(root: &Root, files: &mut BTreeMap<String, Content>) -> Fact<Loader> {
    if let Some((_, system)) = Root::own_ways().iter().find(|(sign, _)| root.at(sign).exists()) {
        let (name, system) = (system.name().to_owned(), Some(*system));
        return Loader { name, system, ..Loader::default() }.into();
    }
    let others = |files: &mut _| grub(root, files).or_else(|| extlinux(root, files));
    let found = match started_by(root) {
        Some(name) if name.starts_with(SYSTEMD_BOOT) => systemd_boot(root, files),
        Some(_) => others(files),
        None => others(files).or_else(|| systemd_boot(root, files)),
    };
    let none = || Fact::Unknown(Why::Failed("none that passthru knows is here".to_owned()));
    found.map_or_else(none, Fact::Known)
}

/// How systemd-boot begins what it says of itself.
const SYSTEMD_BOOT: &str = "systemd-boot";

/// What the boot loader that started the machine says that it is.
fn started_by(root: &Root) -> Option<String> {
    efi_text(&root.loader_info())
}

/// A variable of the Boot Loader Interface: four bytes of attributes, then
/// UTF-16 with a zero behind it (Documentation/filesystems/efivarfs.rst).
fn efi_text(path: &Path) -> Option<String> {
    let bytes = read::bytes(path, 1024).ok()?;
    let units = bytes.get(4..)?.chunks_exact(2);
    let units = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    char::decode_utf16(units.take_while(|unit| *unit != 0)).collect::<Result<_, _>>().ok()
}

/// Entries on the partition that the firmware reads, and what new ones are
/// made from. Without entries the kernels are unified images, with their
/// arguments inside.
fn systemd_boot(root: &Root, files: &mut BTreeMap<String, Content>) -> Option<Loader> {
    let partition =
        Root::esp_texts().into_iter().find(|esp| root.at(esp).join("loader").is_dir())?;
    let mut found = entries(root, &format!("{partition}/loader/entries"), files);
    file(root, &format!("{partition}/loader/loader.conf"), files);
    let unified = found.is_empty();
    let more = [(Root::kernel_line(), Format::Line), (Root::kernelstub(), Format::Kernelstub)];
    if !unified {
        for (path, format) in more {
            if file(root, path, files) {
                found.push((path.to_owned(), format));
            }
        }
    }
    let images = read::names(&root.at(Root::unified_images(partition))).unwrap_or_default();
    let has_unified = images.iter().any(|name| name.ends_with(".efi"));
    let system = (unified || has_unified).then_some(System::Unified);
    let name = if unified { System::Unified.name() } else { SYSTEMD_BOOT };
    let chosen = chosen_once(root, &Once::SystemdBoot);
    // Only where it is what started the machine.
    let is_it = started_by(root).is_some_and(|name| name.starts_with(SYSTEMD_BOOT));
    let chooser = is_it.then_some(Chooser { by: Once::SystemdBoot, chosen });
    Some(Loader { name: name.to_owned(), files: found, chooser, system, ..Loader::default() })
}

/// The entry that is started next, and once.
pub(crate) fn chosen_once(root: &Root, by: &Once) -> Option<String> {
    let chosen = match by {
        Once::Grub { environment, .. } => grub_variable(root, environment, "next_entry"),
        Once::SystemdBoot => efi_text(&root.loader_once()),
    };
    chosen.filter(|chosen| !chosen.is_empty())
}

/// The entries of a folder that start a kernel of this system, but for
/// recovery, and those of ours. Programs of EFI are none: they have arguments
/// of their own inside, or are another system.
fn entries(
    root: &Root,
    folder: &str,
    files: &mut BTreeMap<String, Content>,
) -> Vec<(String, Format)> {
    let this = read::text(&root.machine_id()).unwrap_or_default();
    let mut found = Vec::new();
    for path in listed(root, folder, ".conf") {
        let Some(content) = content(root, &path) else { continue };
        let entry = bls::parse(Source::new(&path, &content.text()));
        // It is refused by whoever would change it.
        let is_damaged = !content.0.is_empty() && whole(&path, &content).is_err();
        // Red Hat's entry of last resort (`0-rescue-…`) has the arguments of all others.
        let is_rescue =
            entry.version.as_ref().is_some_and(|version| version.starts_with("0-rescue"));
        let is_other = entry.machine_id.as_ref().is_some_and(|id| id != this.trim());
        let is_other = is_other && !this.trim().is_empty();
        let is_usual = !is_rescue && !is_other && !is_recovery(&entry.options);
        if is_damaged || (entry.kernel.is_some() && is_usual) {
            if !ours::is_entry(&entry.id) {
                found.push((path.clone(), Format::Entry));
            }
            files.insert(path, content);
        }
    }
    found
}

/// The files of a folder whose names end so, in order.
fn listed(root: &Root, folder: &str, ending: &str) -> Vec<String> {
    let mut names = read::names(&root.at(folder)).unwrap_or_default();
    names.sort();
    let named = names.iter().filter(|name| name.ends_with(ending));
    named.map(|name| format!("{folder}/{name}")).collect()
}

fn extlinux(root: &Root, files: &mut BTreeMap<String, Content>) -> Option<Loader> {
    let path = Root::extlinux();
    if !file(root, path, files) {
        return None;
    }
    let mut found = Vec::new();
    if has(root, "u-boot-update") {
        let (settings, folders) = Root::u_boot_settings();
        file(root, settings, files);
        found.push((settings.to_owned(), Format::UBoot));
        for folder in folders {
            for path in listed(root, folder, ".conf") {
                file(root, &path, files);
                found.push((path, Format::UBoot));
            }
        }
        if file(root, Root::kernel_line(), files) {
            found.push((Root::kernel_line().to_owned(), Format::Line));
        }
    }
    found.push((path.to_owned(), Format::Extlinux));
    Some(Loader { name: "extlinux".to_owned(), files: found, ..Loader::default() })
}

/// Whether a system program is installed.
pub(super) fn has(root: &Root, name: &str) -> bool {
    program(root, name).is_some()
}

fn program(root: &Root, name: &str) -> Option<std::path::PathBuf> {
    root.program_folders().map(|folder| folder.join(name)).into_iter().find(|path| path.exists())
}

/// The program that the distribution's kernels come with. Where several are
/// installed, Debian's own gives way to one that was installed on purpose.
fn generator(root: &Root) -> Option<Generator> {
    [
        ("dracut", Generator::Dracut),
        ("mkinitcpio", Generator::Mkinitcpio),
        ("booster", Generator::Booster),
        ("mkinitramfs", Generator::InitramfsTools),
    ]
    .into_iter()
    .find(|(program, _)| has(root, program))
    .map(|(_, generator)| generator)
}

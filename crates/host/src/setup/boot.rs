//! What the host boots by.
//!
//! In: a root directory. Out: the boot loader, the kernels, who makes their
//! initramfs, and the text of every file that `prepare` may change. Never: a
//! program that is run; a loader that is not known for certain is another one.

mod grub;
mod images;

use std::collections::BTreeMap;
use std::fs;

use model::boot::bls;
use model::boot::cmdline::is_recovery;
use model::boot::grubenv::Environment;
use model::boot::source::Source;
use model::file::Content;
use model::plan::{persist, prepare};
use model::setup::boot::{Boot, Chooser, Format, Generator, Loader};
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
    for name in prepare::FILES.iter().chain(persist::FILES) {
        file(root, &format!("{configuration}/{name}"), &mut files);
    }
    for unit in super::SCREEN_UNITS {
        file(root, &format!("{configuration}/{}", prepare::drop_in(unit)), &mut files);
    }
    for path in super::xorg(root).known().into_iter().flatten() {
        file(root, path, &mut files);
    }
    let mut images = images(root);
    images.extend(images_of_entries(root, &loader, &files, &images));
    Boot { loader, generator: generator(root).into(), images, configuration, files }
}

/// What is in a file that a plan names; `None` where there is none, or it
/// cannot be read.
pub fn content(root: &Root, path: &str) -> Option<Content> {
    fs::read(root.at(path)).ok().map(Content)
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
    let mut own = Root::own_ways().iter().filter(|(sign, ..)| root.at(sign).exists());
    if let Some((_, name, makes_all)) = own.next() {
        let (name, makes_all) = ((*name).to_owned(), *makes_all);
        return Loader { name, makes_all, ..Loader::default() }.into();
    }
    let found = match root.loader_info().exists() {
        true => systemd_boot(root, files),
        false => grub(root, files)
            .or_else(|| extlinux(root, files))
            .or_else(|| systemd_boot(root, files)),
    };
    let none = || Fact::Unknown(Why::Failed("none that passthru knows is here".to_owned()));
    found.map_or_else(none, Fact::Known)
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
    let name = match unified {
        true => {
            "systemd-boot, whose kernels are unified images (the kernel's command line, then `kernel-install add-all`)"
        }
        false => "systemd-boot",
    };
    let chosen = chosen_once(root, &Once::SystemdBoot);
    // Only where it is what started the machine.
    let is_it = root.loader_info().exists();
    let chooser = is_it.then_some(Chooser { by: Once::SystemdBoot, chosen });
    Some(Loader { name: name.to_owned(), files: found, chooser, ..Loader::default() })
}

/// The entry that is started next, and once.
pub(crate) fn chosen_once(root: &Root, by: &Once) -> Option<String> {
    let chosen = match by {
        Once::Grub { environment, .. } => {
            let block = Environment::parse(&content(root, environment)?.0).ok()?;
            block.get("next_entry")?.to_owned()
        }
        Once::SystemdBoot => {
            // Four bytes of attributes, then UTF-16 with a zero behind it
            // (Documentation/filesystems/efivarfs.rst, the Boot Loader Interface).
            let bytes = read::bytes(&root.loader_once(), 1024).ok()?;
            let units = bytes.get(4..)?.chunks_exact(2);
            let units = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            char::decode_utf16(units.take_while(|unit| *unit != 0))
                .collect::<Result<_, _>>()
                .ok()?
        }
    };
    Some(chosen).filter(|chosen| !chosen.is_empty())
}

/// The entries of a folder that start a kernel, but for recovery, and those
/// of ours.
fn entries(
    root: &Root,
    folder: &str,
    files: &mut BTreeMap<String, Content>,
) -> Vec<(String, Format)> {
    let mut names = read::names(&root.at(folder)).unwrap_or_default();
    names.sort();
    let paths = names.iter().filter(|name| name.ends_with(".conf"));
    let mut found = Vec::new();
    for path in paths.map(|name| format!("{folder}/{name}")) {
        let Some(content) = content(root, &path) else { continue };
        let entry = bls::parse(Source::new(&path, &content.text()));
        // Red Hat's entry of last resort (`0-rescue-…`) has the arguments of all others.
        let is_rescue =
            entry.version.as_ref().is_some_and(|version| version.starts_with("0-rescue"));
        if entry.kernel.is_some() && !is_rescue && !is_recovery(&entry.options) {
            if !prepare::is_ours(&entry.id) {
                found.push((path.clone(), Format::Entry));
            }
            files.insert(path, content);
        }
    }
    found
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
            let mut names = read::names(&root.at(folder)).unwrap_or_default();
            names.sort();
            let named = names.iter().filter(|name| name.ends_with(".conf"));
            for path in named.map(|name| format!("{folder}/{name}")) {
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
fn has(root: &Root, name: &str) -> bool {
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

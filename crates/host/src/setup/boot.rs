//! What the host boots by.
//!
//! In: a root directory. Out: the boot loader, the kernels, who makes their
//! initramfs, and the text of every file that `prepare` may change. Never: a
//! program that is run; a loader that is not known for certain is another one.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;

use model::boot::cmdline::is_recovery;
use model::boot::grubenv::{self, Environment};
use model::boot::source::Source;
use model::boot::{bls, grub_cfg};
use model::file::Content;
use model::parse::mounts::{Mount, mounts};
use model::plan::{persist, prepare};
use model::setup::boot::{Boot, Chooser, Format, Generator, Loader, Menu};
use model::step::Once;
use model::{Fact, Why};

use crate::paths::Root;
use crate::read;

/// How the image of a release is called: Debian, Red Hat, SUSE.
const IMAGES: &[(&str, &str)] = &[("initrd.img-", ""), ("initramfs-", ".img"), ("initrd-", "")];

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

/// GRUB, by its menu and the program that makes it. Where the menu reads
/// entries of its own (Red Hat), those are what is changed.
fn grub(root: &Root, files: &mut BTreeMap<String, Content>) -> Option<Loader> {
    let (settings, folder) = Root::grub_settings();
    let menu = Root::grub_menus().into_iter().find(|menu| root.at(menu).exists())?;
    let petitboot = root.opal().exists();
    let made_by = ["grub-mkconfig", "grub2-mkconfig"].into_iter().find(|name| has(root, name));
    // Without it, something else than GRUB must be there to read the menu.
    if made_by.is_none() && !petitboot {
        return None;
    }
    let mut paths = vec![settings.to_owned()];
    // Only where the program reads them: Debian's does.
    if made_by.is_some_and(|program| sources_more(root, program, folder)) {
        let mut names = read::names(&root.at(folder)).unwrap_or_default();
        names.sort();
        let named = names.iter().filter(|name| name.ends_with(".cfg"));
        paths.extend(named.map(|name| format!("{folder}/{name}")));
    }
    paths.retain(|path| file(root, path, files));
    file(root, menu, files);
    let mut found = match reads_entries(menu, files) {
        true => entries(root, &format!("{}/loader/entries", Root::boot_text()), files),
        false => Vec::new(),
    };
    let by_entries = !found.is_empty();
    let environment = format!("{}/grubenv", menu.trim_end_matches("/grub.cfg"));
    let environment = file(root, &environment, files).then_some(environment);
    if let Some(block) = &environment
        && found.iter().any(|(path, _)| refers_to_environment(path, files))
    {
        found.push((block.clone(), Format::Environment));
    }
    if by_entries && file(root, Root::kernel_line(), files) {
        found.push((Root::kernel_line().to_owned(), Format::Line));
    }
    let made = Menu { path: menu.to_owned(), program: made_by.map(str::to_owned) };
    let name = if petitboot { "Petitboot (which reads GRUB's menu)" } else { "GRUB" };
    let chooser = match &environment {
        Some(block) if !petitboot && writes_environment(root, block) => chooser(root, block),
        _ => None,
    };
    Some(Loader {
        name: name.to_owned(),
        settings: paths,
        menu: (!by_entries).then_some(made),
        environment,
        chooser,
        files: found,
        makes_all: false,
    })
}

/// Whether an entry has its arguments from GRUB's environment block (Red Hat 8).
fn refers_to_environment(path: &str, files: &BTreeMap<String, Content>) -> bool {
    let word = format!("${}", grubenv::KERNELOPTS);
    files.get(path).is_some_and(|content| {
        bls::parse(Source::new(path, &content.text())).options.contains(&word)
    })
}

/// The program that tells GRUB of an entry to start once.
fn chooser(root: &Root, environment: &str) -> Option<Chooser> {
    let program = ["grub-reboot", "grub2-reboot"].into_iter().find(|name| has(root, name))?;
    let by = Once::Grub { program: program.to_owned(), environment: environment.to_owned() };
    let chosen = chosen_once(root, &by);
    Some(Chooser { by, chosen })
}

/// Whether GRUB can take the choice back when it starts: it writes into the
/// blocks of the file, which it cannot on file systems that check or move
/// them, nor on volumes that are put together ("grub-editenv" in its manual).
fn writes_environment(root: &Root, environment: &str) -> bool {
    const PLAIN: &[&str] = &["ext2", "ext3", "ext4", "vfat", "xfs"];
    let texts = root.mountinfo().map(|path| read::text(&path));
    let Some(text) = texts.into_iter().find_map(Result::ok) else { return false };
    let mounts = mounts(&text).filter_map(Result::ok);
    let around = mounts.filter(|mount| Path::new(environment).starts_with(&mount.at));
    // The last of those that go deepest is on top of the others.
    let mount = around.max_by_key(|mount| mount.at.len());
    let put_together = |mount: &Mount| {
        let device = root.block_number(mount.number);
        ["dm", "md"].iter().any(|kind| device.join(kind).exists())
    };
    mount.is_some_and(|mount| PLAIN.contains(&&mount.fs[..]) && !put_together(&mount))
}

fn reads_entries(menu: &str, files: &BTreeMap<String, Content>) -> bool {
    let Some(content) = files.get(menu) else { return false };
    grub_cfg::parse(Source::new(menu, &content.text())).is_ok_and(|menu| menu.reads_bls)
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

/// `grub-mkconfig` is a script; it says itself what it reads.
fn sources_more(root: &Root, name: &str, folder: &str) -> bool {
    let Some(path) = program(root, name) else { return false };
    let name = Path::new(folder).file_name().unwrap_or_default().to_string_lossy().into_owned();
    read::text(&path).is_ok_and(|script| script.contains(&format!("default/{name}/*.cfg")))
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

/// Images that entries name, where they are beside them on the partition that
/// the firmware reads: those are what boots, and not the ones in `/boot`.
fn images_of_entries(
    root: &Root,
    loader: &Fact<Loader>,
    files: &BTreeMap<String, Content>,
    images: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let entries = loader.known().into_iter().flat_map(|loader| &loader.files);
    let entries = entries.filter(|(_, format)| *format == Format::Entry);
    let named = entries.filter_map(|(path, _)| {
        let (partition, _) = path.split_once("/loader/entries/")?;
        let entry = bls::parse(Source::new(path, &files.get(path)?.text()));
        let image = format!("{partition}{}", entry.initrds.last()?);
        root.at(&image).exists().then_some((entry.version, image))
    });
    let named: Vec<(Option<String>, String)> = named.collect();
    let boots = |image: &String| named.iter().any(|(_, named)| named == image);
    let found = named.iter().filter_map(|(version, image)| {
        // kernelstub's entries name no release, and a copy of an image.
        let copied = || {
            let mut others = images.iter().filter(|(_, other)| !boots(other));
            others.find(|(_, other)| same(root, other, image)).map(|(release, _)| release)
        };
        Some((version.as_ref().or_else(copied)?.clone(), image.clone()))
    });
    found.collect()
}

/// Whether two files are two, and alike.
fn same(root: &Root, one: &str, other: &str) -> bool {
    let (one, other) = (root.at(one), root.at(other));
    let alike = || -> io::Result<bool> {
        if one == other || fs::metadata(&one)?.len() != fs::metadata(&other)?.len() {
            return Ok(false);
        }
        let mut bytes = BufReader::new(fs::File::open(&other)?).bytes();
        for byte in BufReader::new(fs::File::open(&one)?).bytes() {
            if bytes.next().transpose()? != Some(byte?) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    alike().unwrap_or(false)
}

/// Images by the release of their kernel, which must have its modules here.
fn images(root: &Root) -> BTreeMap<String, String> {
    let names = read::names(&root.boot()).unwrap_or_default();
    let images = names.iter().filter_map(|name| {
        let release = IMAGES.iter().find_map(|(before, behind)| {
            let release = name.strip_prefix(before)?.strip_suffix(behind)?;
            root.modules_of(release).is_dir().then_some(release)
        })?;
        Some((release.to_owned(), format!("{}/{name}", Root::boot_text())))
    });
    // Arch's have the name of the kernel's package (`pkgbase`, which its
    // mkinitcpio hooks read).
    let releases = read::names(&root.modules_of("")).unwrap_or_default();
    let named = releases.into_iter().filter_map(|release| {
        let package = read::text(&root.modules_of(&release).join("pkgbase")).ok()?;
        let image = format!("{}/initramfs-{}.img", Root::boot_text(), package.trim());
        root.at(&image).exists().then_some((release, image))
    });
    images.chain(named).collect()
}

//! What the host boots by.
//!
//! In: a root directory. Out: the boot loader, the kernels, who makes their
//! initramfs, and the text of every file that `prepare` may change. Never: a
//! program that is run; a loader that is not known for certain is another one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use model::file::Content;
use model::plan::prepare;
use model::setup::boot::{Boot, Generator, Grub, Loader};
use model::{Fact, Why};

use crate::paths::Root;
use crate::read;

/// How the image of a release is called: Debian, Red Hat, SUSE.
const IMAGES: &[(&str, &str)] = &[("initrd.img-", ""), ("initramfs-", ".img"), ("initrd-", "")];

/// Look at what the host boots by.
pub fn boot(root: &Root) -> Boot {
    let configuration = Root::configuration_text().to_owned();
    let mut files = BTreeMap::new();
    let loader = loader(root, &mut files);
    for name in [prepare::MODPROBE, prepare::LOAD, prepare::DRACUT, prepare::MKINITCPIO] {
        file(root, &format!("{configuration}/{name}"), &mut files);
    }
    Boot { loader, generator: generator(root).into(), images: images(root), configuration, files }
}

/// What is in a file that a plan names; `None` where there is none, or it
/// cannot be read.
pub fn content(root: &Root, path: &str) -> Option<Content> {
    fs::read(root.at(path)).ok().map(Content)
}

/// Reads a file that may have to be changed; whether it was there.
fn file(root: &Root, path: &str, files: &mut BTreeMap<String, Content>) -> bool {
    let found = content(root, path);
    let there = found.is_some();
    files.extend(found.map(|content| (path.to_owned(), content)));
    there
}

fn loader(root: &Root, files: &mut BTreeMap<String, Content>) -> Fact<Loader> {
    if root.loader_info().exists() {
        return Loader::Other("systemd-boot".to_owned()).into();
    }
    let (settings, folder) = Root::grub_settings();
    let menu = Root::grub_menus().into_iter().find(|menu| root.at(menu).exists());
    let program = ["grub-mkconfig", "grub2-mkconfig"].into_iter().find(|name| has(root, name));
    let (Some(menu), Some(program)) = (menu, program) else {
        return Fact::Unknown(Why::NotProvided);
    };
    let mut paths = vec![settings.to_owned()];
    // Only where the program reads them: Debian's does.
    if sources_more(root, program, folder) {
        let mut names = read::names(&root.at(folder)).unwrap_or_default();
        names.sort();
        let named = names.iter().filter(|name| name.ends_with(".cfg"));
        paths.extend(named.map(|name| format!("{folder}/{name}")));
    }
    paths.retain(|path| file(root, path, files));
    file(root, menu, files);
    let (menu, program) = (menu.to_owned(), program.to_owned());
    Loader::Grub(Grub { settings: paths, menu, program }).into()
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
    images.collect()
}

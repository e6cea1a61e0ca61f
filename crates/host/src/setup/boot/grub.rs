//! GRUB: its settings, its menu, what it remembers, and who tells it.
//!
//! In: a root directory. Out: a [`Loader`] with every file that says how the
//! kernel is started. Never: a program that is run.

use std::collections::BTreeMap;
use std::path::Path;

use model::boot::bls;
use model::boot::grub_cfg;
use model::boot::grubenv;
use model::boot::source::Source;
use model::file::Content;
use model::parse::mounts::{Mount, mounts};
use model::setup::boot::{Chooser, Format, Loader, Menu};
use model::step::Once;

use super::{chosen_once, entries, file, has, listed, program};
use crate::paths::Root;
use crate::read;

/// GRUB, by its menu and the program that makes it. Where the menu reads
/// entries of its own (Red Hat), those are what is changed.
pub(super) fn grub(root: &Root, files: &mut BTreeMap<String, Content>) -> Option<Loader> {
    let (settings, folder) = Root::grub_settings();
    let menu = &menu(root)?;
    let petitboot = root.opal().exists();
    let made_by = ["grub-mkconfig", "grub2-mkconfig"].into_iter().find(|name| has(root, name));
    // Without it, something else than GRUB must be there to read the menu.
    if made_by.is_none() && !petitboot {
        return None;
    }
    let mut paths = vec![settings.to_owned()];
    // Only where the program reads them: Debian's does.
    if made_by.is_some_and(|program| sources_more(root, program, folder)) {
        paths.extend(listed(root, folder, ".cfg"));
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
        ..Loader::default()
    })
}

/// The menu. On the partition that the firmware reads, other systems may have
/// theirs, and most have no more there than a pointer to the one in `/boot`:
/// so it counts where it starts kernels, and is the only one.
fn menu(root: &Root) -> Option<String> {
    if let Some(menu) = Root::grub_menus().into_iter().find(|menu| root.at(menu).exists()) {
        return Some(menu.to_owned());
    }
    let folder = Root::esp_systems();
    let systems = read::names(&root.at(folder)).unwrap_or_default();
    let menus = systems.iter().map(|name| format!("{folder}/{name}/grub.cfg"));
    let starts = |path: &String| {
        let text = read::text(&root.at(path)).unwrap_or_default();
        grub_cfg::parse(Source::new(path, &text)).is_ok_and(|menu| menu.starts_kernels())
    };
    let mut menus = menus.filter(starts);
    menus.next().filter(|_| menus.next().is_none())
}

/// Whether an entry has its arguments from GRUB's environment block (Red Hat 8).
fn refers_to_environment(path: &str, files: &BTreeMap<String, Content>) -> bool {
    let refers =
        |content: &Content| bls::refers(Source::new(path, &content.text()), grubenv::KERNELOPTS);
    files.get(path).is_some_and(refers)
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

/// `grub-mkconfig` is a script; it says itself what it reads.
fn sources_more(root: &Root, name: &str, folder: &str) -> bool {
    let Some(path) = program(root, name) else { return false };
    let name = Path::new(folder).file_name().unwrap_or_default().to_string_lossy().into_owned();
    read::text(&path).is_ok_and(|script| script.contains(&format!("default/{name}/*.cfg")))
}

//! What the host starts when nobody chooses.
//!
//! In: what it boots by. Out: the usual entry, and the arguments in it; nothing
//! where that cannot be told.

use crate::boot::bls::{self, Entry};
use crate::boot::cmdline::is_recovery;
use crate::boot::grub_cfg::{self, Menu};
use crate::boot::grubenv::Environment;
use crate::boot::source::Source;
use crate::boot::{extlinux, loader_conf};
use crate::setup::boot::{Boot, Format, Loader};

/// The arguments that the kernel is started with.
pub fn arguments(boot: &Boot) -> Option<String> {
    let loader = boot.loader.known()?;
    if let Some(menu) = &loader.menu {
        let text = boot.files.get(&menu.path)?.text();
        let read = grub_cfg::parse(Source::new(&menu.path, &text)).ok()?;
        let entry = read.entries.get(in_menu(&read, boot)?)?;
        return Some(entry.kernels.first()?.line());
    }
    if let Some(path) = entry(loader, boot) {
        let options = bls::parse(Source::new(&path, &boot.files.get(&path)?.text())).options;
        return Some(expanded(&options, &environment(boot)));
    }
    let (path, _) = loader.files.iter().find(|(_, format)| *format == Format::Extlinux)?;
    let menu = extlinux::parse(&boot.files.get(path)?.text());
    label(&menu).map(|entry| entry.arguments.clone())
}

/// With the variables of GRUB's block in their place (Red Hat's `$kernelopts`).
fn expanded(options: &str, environment: &Environment) -> String {
    let words = options.split_whitespace().map(|word| match word.strip_prefix('$') {
        Some(name) => environment.get(name).unwrap_or_default(),
        None => word,
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The label of extlinux's menu.
pub fn label(menu: &extlinux::Menu) -> Option<&extlinux::Entry> {
    let first = || menu.entries.iter().find(|entry| !is_recovery(&entry.arguments));
    menu.default_entry().or_else(first)
}

/// The entry of GRUB's menu, by its place; what was chosen for once does not
/// count.
pub fn in_menu(menu: &Menu, boot: &Boot) -> Option<usize> {
    let mut environment = environment(boot);
    environment.unset("next_entry");
    let entry = menu.default_entry(&environment).ok().flatten()?;
    menu.entries.iter().position(|other| other == entry)
}

/// What GRUB remembers.
fn environment(boot: &Boot) -> Environment {
    let path = boot.loader.known().and_then(|loader| loader.environment.as_ref());
    let block = path.and_then(|path| boot.files.get(path));
    block.and_then(|block| Environment::parse(&block.0).ok()).unwrap_or_default()
}

/// The path of the entry by the Boot Loader Specification.
pub fn entry(loader: &Loader, boot: &Boot) -> Option<String> {
    let paths = loader.files.iter().filter(|(_, format)| *format == Format::Entry);
    let entries: Vec<(&String, Entry)> = paths
        .filter_map(|(path, _)| {
            Some((path, bls::parse(Source::new(path, &boot.files.get(path)?.text()))))
        })
        .collect();
    let saved = environment(boot).get("saved_entry").map(str::to_owned);
    if let Some((path, _)) = entries.iter().find(|(_, entry)| Some(&entry.id) == saved.as_ref()) {
        return Some((*path).clone());
    }
    let (settings, _) = entries.first()?.0.rsplit_once("/entries/")?;
    let settings = boot.files.get(&format!("{settings}/loader.conf"));
    let settings = settings.map(|file| loader_conf::parse(&file.text())).unwrap_or_default();
    let all: Vec<Entry> = entries.iter().map(|(_, entry)| entry.clone()).collect();
    let usual = loader_conf::default_entry(&settings, &all).ok().flatten()?;
    let found = entries.iter().find(|(_, entry)| entry == usual);
    found.map(|(path, _)| (*path).clone())
}

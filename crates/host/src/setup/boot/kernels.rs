//! The kernels and images that boot menus and entries name.
//!
//! In: such a file as it is or was. Out: whether all that it names is there:
//! one that was kept may be older than the kernels of now.

use std::path::Path;

use model::boot::grub_cfg::{self, Menu};
use model::boot::source::Source;
use model::boot::{bls, extlinux};
use model::file::Content;

use crate::paths::Root;

/// Whether all kernels and images that a file names are there; so they are
/// where it is no file that names any.
pub fn are_there(root: &Root, path: &str, content: &Content) -> bool {
    let text = content.text();
    let source = Source::new(path, &text);
    let names: Vec<String> = match Path::new(path).parent() {
        _ if path == Root::extlinux() => {
            let menu = extlinux::parse(&text);
            let entries = menu.entries.iter();
            let named = entries
                .flat_map(|entry| entry.kernel.as_deref().into_iter().chain(entry.initrds()));
            named.map(str::to_owned).collect()
        }
        _ if path.ends_with(".cfg") => of_menu(source).unwrap_or_default(),
        Some(folder) if folder.ends_with("loader/entries") => {
            let entry = bls::parse(source);
            entry.kernel.into_iter().chain(entry.initrds).collect()
        }
        _ => Vec::new(),
    };
    names.iter().all(|name| is_there(root, path, name))
}

/// As [`are_there`], for a file that must be a menu that starts kernels.
pub(crate) fn boots(root: &Root, path: &str, content: &Content) -> bool {
    let names = of_menu(Source::new(path, &content.text()));
    names.is_some_and(|names| names.iter().all(|name| is_there(root, path, name)))
}

/// What a menu of GRUB's names, if it can be read and starts any kernel.
fn of_menu(source: Source<'_>) -> Option<Vec<String>> {
    let menu = grub_cfg::parse(source).ok().filter(Menu::starts_kernels)?;
    let entries = menu.entries.into_iter();
    let named = entries
        .flat_map(|entry| entry.kernels.into_iter().map(|kernel| kernel.path).chain(entry.initrds));
    Some(named.filter(|name| name.starts_with('/')).collect())
}

/// A name is one on the file system that the loader reads: `/boot`, the
/// partition that the firmware reads, all of the system, or a part above it
/// (`/@/boot/…` where that is a subvolume of btrfs). One that is computed is
/// not looked for.
fn is_there(root: &Root, file: &str, name: &str) -> bool {
    if name.contains('$') {
        return true;
    }
    if !name.starts_with('/') {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
        return root.at(format!("{folder}/{name}")).exists();
    }
    let starts = [""].into_iter().chain(Root::esp_texts());
    let mut places =
        starts.flat_map(|start| name.match_indices('/').map(move |(at, _)| (start, at)));
    places.any(|(start, at)| root.at(format!("{start}{}", &name[at..])).exists())
}

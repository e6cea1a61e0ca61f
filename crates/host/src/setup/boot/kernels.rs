//! The kernels and images that boot menus and entries name.
//!
//! In: such a file as it was kept. Out: whether what it names is there: it
//! may be older than the kernels of now.

use model::boot::format::named;
use model::boot::grub_cfg::{self, Menu};
use model::boot::source::Source;
use model::file::Content;

use crate::paths::Root;

/// Whether a file names kernels or images that are gone. What the one in its
/// place names as well was never here: another system's, or a mistake of
/// somebody's.
pub fn names_lost_kernels(
    root: &Root,
    path: &str,
    kept: &Content,
    found: Option<&Content>,
) -> bool {
    let names = |content: &Content| named(Source::new(path, &content.text()));
    let there = found.map(names).unwrap_or_default();
    let own = names(kept).into_iter().filter(|name| !there.contains(name));
    own.into_iter().any(|name| !is_there(root, path, &name))
}

/// Whether a menu can be read, starts kernels, and all that it names is there.
pub(crate) fn boots(root: &Root, path: &str, menu: &Content) -> bool {
    let text = menu.text();
    let source = Source::new(path, &text);
    grub_cfg::parse(source).is_ok_and(|menu: Menu| menu.starts_kernels())
        && named(source).iter().all(|name| is_there(root, path, name))
}

/// A name is one on the file system that the loader reads: `/boot`, the
/// partition that the firmware reads, all of the system, or a part above it
/// (`/@/boot/…` where that is a subvolume of btrfs). Without `/` it is in the
/// menu's folder, or in one above it. One that is computed is not looked for.
fn is_there(root: &Root, file: &str, name: &str) -> bool {
    let exists = |path: String| match root.is_real() {
        true => root.at(path).exists(),
        // Links there lead to places of another machine.
        false => root.at(path).symlink_metadata().is_ok(),
    };
    if name.contains('$') {
        return true;
    }
    if !name.starts_with('/') {
        let mut folders = file.rmatch_indices('/').map(|(at, _)| &file[..at]);
        return folders.any(|folder| exists(format!("{folder}/{name}")));
    }
    let mut ends = name.match_indices('/').map(|(at, _)| &name[at..]);
    ends.any(|end| {
        let whole = end == name || end.starts_with(Root::boot_text());
        whole && exists(end.to_owned())
            || Root::esp_texts().iter().any(|start| exists(format!("{start}{end}")))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn where_kernels_are() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        for path in ["boot/k-1", "boot/efi/EFI/a/linux", "boot/extlinux/k-2", "old/k-3"] {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        symlink("/boot/nowhere", folder.path().join("boot/k-4")).unwrap();
        let menu = "/boot/extlinux/extlinux.conf";
        for (name, there) in [
            ("/boot/k-1", true),
            ("/k-1", true),
            ("/@/boot/k-1", true),
            ("/@boot/k-1", true),
            ("/EFI/a/linux", true),
            ("k-1", true),
            ("k-2", true),
            ("../k-1", true),
            ("$prefix/k-9", true),
            ("/boot/k-4", true),
            ("/old/k-3", true),
            ("/boot/k-9", false),
            ("/k-3", false),
            ("/sub/k-3", false),
            ("k-9", false),
            ("../k-9", false),
        ] {
            assert_eq!(is_there(&root, menu, name), there, "{name}");
        }
    }

    /// A drive that is not plugged in was not there before, either.
    #[test]
    fn what_was_never_there_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::new(folder.path());
        fs::create_dir_all(folder.path().join("boot")).unwrap();
        fs::write(folder.path().join("boot/k-1"), "").unwrap();
        let menu = |names: &[&str]| {
            let label = |name: &&str| format!("label {name}\n linux /{name}\n");
            Content::from(&*names.iter().map(label).collect::<String>())
        };
        let lost = |kept: &[&str], found: Option<&[&str]>| {
            let found = found.map(menu);
            let path = "/boot/extlinux/extlinux.conf";
            names_lost_kernels(&root, path, &menu(kept), found.as_ref())
        };
        assert!(!lost(&["k-1"], None));
        assert!(lost(&["k-1", "k-0"], Some(&["k-1"])));
        assert!(lost(&["k-0"], None));
        assert!(!lost(&["k-1", "other"], Some(&["k-1", "other"])));
        assert!(!lost(&["k-1", "passthru-old-image"], Some(&["k-1"])));
    }
}

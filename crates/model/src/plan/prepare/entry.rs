//! More entries in the boot menu: one with other arguments that is booted
//! once, and one with the image that was there before.
//!
//! In: the menu, and what it should start otherwise. Out: steps that add a
//! copy of the usual entry, and leave every other as it is. Never: another
//! default; where it cannot be told which entry is the usual one, a person is
//! told what to do.

mod old_image;
mod once;

pub(super) use old_image::{old_image, old_image_label};
pub(super) use once::testing;

use crate::boot::grub_cfg::Menu;

/// How GRUB is told of an entry, with the submenus before it: `>` leads into
/// one, and is doubled in a name.
fn spec(menu: &Menu, entry: usize, id: &str) -> String {
    let mut names = vec![id.replace('>', ">>")];
    let mut at = menu.entries[entry].parent;
    while let Some(parent) = at {
        names.insert(0, menu.entries[parent].id.replace('>', ">>"));
        at = menu.entries[parent].parent;
    }
    names.join(">")
}

/// The path of another entry's file in the same folder.
fn beside(path: &str, id: &str) -> String {
    let (folder, _) = path.rsplit_once('/').unwrap_or_default();
    format!("{folder}/{id}.conf")
}

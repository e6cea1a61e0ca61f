//! Screens: the firmware's framebuffer, and lit displays.
//!
//! In: `/proc/iomem`, as root sees it, and `/sys/class/drm`. Out: a use of the
//! function whose memory the framebuffer lies in, or whose connector is lit.

use model::function::{Bar, BarKind};
use model::parse::{iomem, link};
use model::usage::Use;
use model::{Function, Why};

use super::uses::Uses;
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// The screens of every function.
pub(super) fn uses(root: &Root, uses: &mut Uses<'_>) {
    framebuffers(root, uses);
    connectors(root, uses);
}

fn framebuffers(root: &Root, uses: &mut Uses<'_>) {
    let ranges = match read::text(&root.proc_iomem()).and_then(|text| iomem::framebuffers(&text)) {
        Ok(ranges) => ranges,
        Err(why) => return uses.gap(&root.proc_iomem(), why),
    };
    for range in ranges {
        let inside = |bar: &Bar| {
            matches!(bar.kind, BarKind::Memory { .. })
                && (bar.start..bar.end()).contains(&range.start)
        };
        let owns = |function: &&Function| {
            function.bars.known().is_some_and(|bars| bars.iter().any(inside))
        };
        let owner = uses.functions.values().find(owns).map(|function| function.bdf);
        uses.add(owner, &Use::BootFramebuffer { region: range.name.clone() });
    }
}

/// Connectors are folders beside their card: `card0-HDMI-A-1`.
fn connectors(root: &Root, uses: &mut Uses<'_>) {
    let path = root.class("drm");
    let folder = match Folder::open(&path) {
        Ok(folder) => folder,
        Err(Why::NotProvided) => return,
        Err(why) => return uses.gap(&path, why),
    };
    let mut buffer = Buffer::default();
    for name in folder.names().unwrap_or_default() {
        let Some((_, connector)) = name.split_once('-') else { continue };
        let enabled = folder.text(&format!("{name}/enabled"), &mut buffer);
        if enabled.is_ok_and(|text| text.trim() == "enabled") {
            let owner = folder.link(&name, &mut buffer).ok().and_then(link::owner);
            uses.add(owner, &Use::Display { connector: connector.to_owned() });
        }
    }
}

//! Screens: the firmware's framebuffer, the text console, and lit displays.
//!
//! In: `/proc/iomem`, as root sees it, and `/sys/class/drm`. Out: a use of the
//! function whose memory the framebuffer lies in, that the console is drawn
//! on ([`consoles`]), or whose connector is lit.

use model::function::{Bar, BarKind};
use model::parse::{iomem, link};
use model::usage::{Use, UseKind};
use model::{Function, Why};

use super::consoles;
use super::uses::Uses;
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// The screens of every function.
pub(super) fn uses(root: &Root, uses: &mut Uses<'_>) {
    framebuffers(root, uses);
    consoles::uses(root, uses);
    connectors(root, uses);
}

fn framebuffers(root: &Root, uses: &mut Uses<'_>) {
    let ranges = match read::text(&root.proc_iomem()).and_then(|text| iomem::framebuffers(&text)) {
        Ok(ranges) => ranges,
        Err(why) => return uses.missed(UseKind::Screen, &root.proc_iomem(), why),
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
        Err(why) => return uses.missed(UseKind::Screen, &path, why),
    };
    let mut buffer = Buffer::default();
    let names = match folder.names() {
        Ok(names) => names,
        Err(why) => return uses.missed(UseKind::Screen, &path, why),
    };
    for name in names {
        let Some((_, connector)) = name.split_once('-') else { continue };
        match folder.text(&format!("{name}/enabled"), &mut buffer) {
            Ok(text) if text.trim() == "enabled" => {
                let owner = folder.link(&name, &mut buffer).ok().and_then(link::owner);
                uses.add(owner, &Use::Display { connector: connector.to_owned() });
            }
            Ok(_) | Err(Why::NotProvided | Why::Vanished) => {}
            Err(why) => uses.missed(UseKind::Screen, &path.join(&name).join("enabled"), why),
        }
    }
}

//! The text console: which function it is drawn on.
//!
//! In: the kernel's active consoles, `/sys/class/vtconsole` (which driver
//! draws), `/sys/class/graphics` (the framebuffers) and the kernel's command
//! line. Out: a use of the function; none on a host whose console is a serial
//! line alone, although text is drawn for whoever logs in at a screen.
//! With a driver of its own (i915, amdgpu, ast) a card shows nothing in
//! `/proc/iomem`: the firmware's framebuffer is gone then.
//!
//! Limit: which framebuffer a console is on is told by an ioctl alone
//! (`FBIOGET_CON2FBMAP`), which needs the device node. What the kernel does by
//! itself is repeated here; a console that was moved by hand (`con2fbmap`)
//! is not seen.

use std::collections::BTreeMap;

use model::parse::console::{Drawer, drawer, mapped};
use model::parse::{attribute, console, link};
use model::usage::{Use, UseKind};
use model::{Bdf, Why};

use super::uses::Uses;
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// What a text console in text mode is drawn on.
const TEXT_MODE: &str = "VGA in text mode";

/// A framebuffer of a function.
struct Framebuffer {
    owner: Bdf,
    /// As a person knows it: `fb0 (i915drmfb)`.
    label: String,
}

/// The console of the host.
pub(super) fn uses(root: &Root, uses: &mut Uses<'_>) {
    if !is_on_screen(root) {
        return;
    }
    for drawer in bound(root, uses) {
        match drawer {
            Drawer::Framebuffer => framebuffer(root, uses),
            Drawer::Vga => {
                let first = uses.functions.values().filter(|it| it.boot_vga == Some(true));
                let first: Vec<Bdf> = first.map(|function| function.bdf).collect();
                uses.add(first, &Use::Console { screen: TEXT_MODE.to_owned() });
            }
            Drawer::Other => {}
        }
    }
}

/// Whether the host's console is a screen. What cannot be read does not say
/// that it is not.
fn is_on_screen(root: &Root) -> bool {
    match read::text(&root.active_consoles()) {
        Ok(active) => console::is_on_screen(&active),
        Err(_) => match read::text(&root.cmdline()) {
            Ok(cmdline) => console::boots_on_screen(&cmdline),
            Err(_) => true,
        },
    }
}

/// The drivers that consoles are bound to. A kernel without consoles has none.
fn bound(root: &Root, uses: &mut Uses<'_>) -> Vec<Drawer> {
    let path = root.class("vtconsole");
    let listed = Folder::open(&path).and_then(|folder| Ok((folder.names()?, folder)));
    let (names, folder) = match listed {
        Ok(listed) => listed,
        Err(Why::NotProvided) => return Vec::new(),
        Err(why) => {
            uses.missed(UseKind::Screen, &path, why);
            return Vec::new();
        }
    };
    let mut buffer = Buffer::default();
    let mut drawers = Vec::new();
    for console in names {
        let mut text =
            |file: &str| folder.text(&format!("{console}/{file}"), &mut buffer).map(str::to_owned);
        let is_bound = text("bind").and_then(|bind| attribute::flag(&bind));
        match is_bound.and_then(|bound| Ok((bound, text("name")?))) {
            Ok((true, name)) => drawers.push(drawer(&name)),
            Ok((false, _)) | Err(Why::NotProvided | Why::Vanished) => {}
            Err(why) => uses.missed(UseKind::Screen, &path.join(&console), why),
        }
    }
    drawers
}

/// The framebuffer that the console is drawn on: those that were chosen at
/// boot, else that of the first VGA device (`fbcon_select_primary()` in
/// drivers/video/fbdev/core/fbcon.c; every distribution of note sets
/// CONFIG_FRAMEBUFFER_CONSOLE_DETECT_PRIMARY), else the one with the lowest number.
fn framebuffer(root: &Root, uses: &mut Uses<'_>) {
    let all = framebuffers(root, uses);
    let chosen = read::text(&root.cmdline()).map(|text| mapped(&text)).unwrap_or_default();
    let is_first = |bdf: Bdf| uses.functions.get(&bdf).is_some_and(|it| it.boot_vga == Some(true));
    let first = all.iter().find(|(_, found)| found.as_ref().is_some_and(|it| is_first(it.owner)));
    let numbers: Vec<u32> = match first.or(all.first_key_value()) {
        _ if chosen.iter().any(|number| all.contains_key(number)) => chosen,
        Some((number, _)) => vec![*number],
        None => Vec::new(),
    };
    for found in numbers.iter().filter_map(|number| all.get(number)?.as_ref()) {
        uses.add([found.owner], &Use::Console { screen: found.label.clone() });
    }
}

/// Framebuffers by number; `None` for one that is no function's own (the
/// firmware's, which `/proc/iomem` tells of).
fn framebuffers(root: &Root, uses: &mut Uses<'_>) -> BTreeMap<u32, Option<Framebuffer>> {
    let path = root.class("graphics");
    let listed = Folder::open(&path).and_then(|folder| Ok((folder.names()?, folder)));
    let (names, folder) = match listed {
        Ok(listed) => listed,
        // The console is bound to a framebuffer, so there is one.
        Err(why) => {
            uses.missed(UseKind::Screen, &path, why);
            return BTreeMap::new();
        }
    };
    let mut buffer = Buffer::default();
    let mut found = BTreeMap::new();
    for name in names {
        let number = name.strip_prefix("fb").and_then(|number| number.parse().ok());
        let Some(number) = number else { continue };
        let owner = match folder.link(&name, &mut buffer) {
            Ok(target) => link::owner(target),
            Err(why) => {
                uses.missed(UseKind::Screen, &path.join(&name), why);
                continue;
            }
        };
        let driver = folder.text(&format!("{name}/name"), &mut buffer).unwrap_or_default().trim();
        let label = match driver {
            "" => name,
            driver => format!("{name} ({driver})"),
        };
        found.insert(number, owner.map(|owner| Framebuffer { owner, label }));
    }
    found
}

//! A recording without what points at a person or a machine.
//!
//! In: a recording. Out: the same with serial numbers, MAC and IP addresses,
//! the host's name, chosen names and UUIDs replaced one for one, so that it
//! still tells which network card has which address. Never: a recording that
//! observes differently but for these words.

mod config;
mod network;
mod text;
mod words;

use model::Bdf;
use model::parse::sidecar::Content;
use model::parse::umockdev::{Attribute, Device};

use self::words::{Words, colon_bytes, colon_text};
use super::Recording;

/// Replaces everything in place.
pub(super) fn mask(recording: &mut Recording) {
    let mut words = Words::default();
    recording.devices.iter_mut().for_each(|device| mask_device(device, &mut words));
    let sidecar = std::mem::take(&mut recording.sidecar);
    recording.sidecar = sidecar.into_iter().map(|entry| mask_entry(entry, &mut words)).collect();
    rename(recording, &mut words);
}

fn mask_device(device: &mut Device, words: &mut Words) {
    let subsystem = device.subsystem.clone();
    for (name, attribute) in &mut device.attributes {
        let Attribute::File(bytes) = attribute else { continue };
        if (subsystem.as_str(), name.as_str()) == ("pci", "config") {
            config::mask_serial(bytes, words);
            continue;
        }
        let Ok(text) = std::str::from_utf8(bytes) else { continue };
        if let Some(masked) = mask_attribute(&subsystem, name, text, words) {
            *bytes = masked.into_bytes();
        }
    }
}

/// The replacement for an attribute, `None` for one that identifies nothing.
fn mask_attribute(subsystem: &str, name: &str, text: &str, words: &mut Words) -> Option<String> {
    let word = text.trim_end();
    let masked = match (subsystem, name) {
        (_, "serial") => words.serial(word),
        ("net", "address") => hardware_address(word, words)?,
        ("net", "bridge/bridge_id") => return None,
        // A disk of another host: the address names that host.
        ("nvme", "address") if word.parse::<Bdf>().is_err() => words.name("target", word),
        ("block", "loop/backing_file") => text::backing(word, words),
        ("block", "dm/name") => words.name("volume", word),
        ("block", "dm/uuid") => {
            // The part before the first `-` tells who made the volume.
            let (kind, rest) = word.split_once('-')?;
            format!("{kind}-{}", words.name("uuid", rest))
        }
        ("kfd", name) if name.ends_with("properties") => {
            return Some(text::without_keys(text, &["unique_id"]));
        }
        _ => return None,
    };
    Some(masked + &text[word.len()..])
}

/// 6 bytes of Ethernet, or 20 of InfiniBand whose last 8 are the port's GUID.
fn hardware_address(word: &str, words: &mut Words) -> Option<String> {
    let mut bytes = colon_bytes(word)?;
    if let Ok(mac) = <[u8; 6]>::try_from(&bytes[..]) {
        return Some(colon_text(&words.mac(mac)));
    }
    let start = bytes.len().checked_sub(8)?;
    let guid = <[u8; 8]>::try_from(&bytes[start..]).ok()?;
    bytes[start..].copy_from_slice(&words.eui64(guid));
    Some(colon_text(&bytes))
}

fn mask_entry((path, content): (String, Content), words: &mut Words) -> (String, Content) {
    let Content::File(bytes) = &content else { return (path, content) };
    let Ok(text) = std::str::from_utf8(bytes) else { return (path, content) };
    let name = path.rsplit('/').next().unwrap_or(&path);
    let masked = match name {
        "mountinfo" => text::mountinfo(text, words),
        "swaps" => text::swaps(text, words),
        "cmdline" if path.matches('/').count() == 2 => text::cmdline(text, words),
        "mount_tag" => text::share(text, words),
        "tag" if path.contains("/virtiofs/") => text::share(text, words),
        "route" => network::route(text, words),
        "fib_trie" => network::fib_trie(text, words),
        "if_inet6" | "ipv6_route" => network::v6_table(text, words),
        "hostname" => "host\n".to_owned(),
        "boot_id" => "00000000-0000-4000-8000-000000000001\n".to_owned(),
        "information" => text::without_keys(text, &["GPU UUID"]),
        _ if path.contains("/udev/data/") => text::udev(text, words),
        _ => return (path, content),
    };
    (path, Content::File(masked.into_bytes()))
}

/// Interfaces that are named by their MAC address (`enx3cecef010203`), and
/// folders that are named by a UUID, wherever they are named.
fn rename(recording: &mut Recording, words: &mut Words) {
    let mut names: Vec<(String, String)> = Vec::new();
    for device in recording.devices.iter().filter(|device| device.subsystem == "net") {
        if let Some(mac) = mac_of_name(device.name()) {
            let masked: String = words.mac(mac).iter().map(|byte| format!("{byte:02x}")).collect();
            let (start, _) = device.name().split_at(device.name().len() - 12);
            names.push((device.name().to_owned(), format!("{start}{masked}")));
        }
    }
    let parts = recording.sidecar.keys().flat_map(|path| path.split('/'));
    for uuid in parts.filter(|part| is_uuid(part)) {
        let number = words.name("", uuid);
        names.push((uuid.to_owned(), format!("00000000-0000-4000-8000-{number:0>12}")));
    }
    names.sort_unstable();
    names.dedup();
    if !names.is_empty() {
        replace_everywhere(recording, &names);
    }
}

fn mac_of_name(name: &str) -> Option<[u8; 6]> {
    let hex = name.get(name.len().checked_sub(12)?..)?;
    let bytes = model::parse::recording::from_hex(hex).ok()?;
    (name.len() > 12).then(|| bytes.try_into().ok()).flatten()
}

fn is_uuid(text: &str) -> bool {
    let lengths = text.split('-').map(str::len);
    lengths.eq([8, 4, 4, 4, 12]) && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}

fn replace_everywhere(recording: &mut Recording, names: &[(String, String)]) {
    for device in &mut recording.devices {
        replace(&mut device.path, names);
        device.properties.iter_mut().for_each(|(_, value)| replace(value, names));
        let rename = |(mut name, mut attribute): (String, Attribute)| {
            replace(&mut name, names);
            match &mut attribute {
                Attribute::Link(target) => replace(target, names),
                Attribute::File(bytes) => replace_bytes(bytes, names),
            }
            (name, attribute)
        };
        let attributes = std::mem::take(&mut device.attributes);
        device.attributes = attributes.into_iter().map(rename).collect();
    }
    let rename = |(mut path, mut content): (String, Content)| {
        replace(&mut path, names);
        match &mut content {
            Content::Link(target) => replace(target, names),
            Content::File(bytes) => replace_bytes(bytes, names),
            Content::Folder | Content::Refused(_) => {}
        }
        (path, content)
    };
    let sidecar = std::mem::take(&mut recording.sidecar);
    recording.sidecar = sidecar.into_iter().map(rename).collect();
}

fn replace(text: &mut String, names: &[(String, String)]) {
    for (from, to) in names {
        if text.contains(from.as_str()) {
            *text = text.replace(from.as_str(), to);
        }
    }
}

fn replace_bytes(bytes: &mut Vec<u8>, names: &[(String, String)]) {
    if let Ok(mut text) = String::from_utf8(bytes.clone()) {
        replace(&mut text, names);
        *bytes = text.into_bytes();
    }
}

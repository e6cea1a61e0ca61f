//! Facts in words, for a page and for JSON alike.

use model::parse::config::{Acs, Link, LinkPair, PcieKind, Rebar};

/// The sizes that a resizable register can take, in bytes.
pub fn rebar_sizes(rebar: &Rebar) -> impl Iterator<Item = u64> + '_ {
    // Bit 43 stands for 2^63 bytes, the largest that the specification has.
    (0..44).filter(|bit| rebar.sizes >> bit & 1 == 1).map(|bit| 1 << (20 + bit))
}

/// The device or port type in a word.
pub fn pcie_kind(kind: PcieKind) -> &'static str {
    match kind {
        PcieKind::Endpoint => "endpoint",
        PcieKind::LegacyEndpoint => "legacy_endpoint",
        PcieKind::RootPort => "root_port",
        PcieKind::UpstreamPort => "upstream_port",
        PcieKind::DownstreamPort => "downstream_port",
        PcieKind::PcieToPciBridge => "pcie_to_pci_bridge",
        PcieKind::PciToPcieBridge => "pci_to_pcie_bridge",
        PcieKind::RootComplexEndpoint => "root_complex_endpoint",
        PcieKind::RootComplexEventCollector => "root_complex_event_collector",
        PcieKind::Other(_) => "other",
    }
}

/// A link that is up, and slower or narrower than it could be.
pub fn downgraded(link: &LinkPair) -> bool {
    let LinkPair { now, max } = link;
    now.width > 0 && (now.generation < max.generation || now.width < max.width)
}

/// A link as `lspci` names it: speed and lanes.
pub fn link(link: Link) -> String {
    let speed = match link.generation {
        1 => "2.5 GT/s",
        2 => "5 GT/s",
        3 => "8 GT/s",
        4 => "16 GT/s",
        5 => "32 GT/s",
        6 => "64 GT/s",
        7 => "128 GT/s",
        _ => "unknown speed",
    };
    match link.width {
        0 => "down".to_owned(),
        width => format!("{speed} x{width}"),
    }
}

/// Controls of the ACS capability and control registers, by bit (PCI Express
/// Base 6.0, 7.7.11.2 and 7.7.11.3).
const ACS: [&str; 7] = [
    "source validation",
    "translation blocking",
    "request redirect",
    "completion redirect",
    "upstream forwarding",
    "egress control",
    "direct translated peer-to-peer",
];

/// What of ACS is on, and what could be.
pub fn acs(acs: Acs) -> String {
    let named = |bits: u16| {
        let names = ACS.iter().enumerate().filter(|(bit, _)| bits >> bit & 1 == 1);
        names.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
    };
    match (named(acs.enabled), named(acs.capable & !acs.enabled)) {
        (on, off) if on.is_empty() && off.is_empty() => "there, without any control".to_owned(),
        (on, off) if off.is_empty() => on,
        (on, off) if on.is_empty() => format!("off ({off})"),
        (on, off) => format!("{on} (off: {off})"),
    }
}

/// A size in the largest unit that it is a whole number of.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes;
    let mut unit = 0;
    while unit + 1 < UNITS.len() && value >= 1024 && value.is_multiple_of(1024) {
        value /= 1024;
        unit += 1;
    }
    format!("{value} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (bytes, want) in [
            (0, "0 B"),
            (256, "256 B"),
            (4096, "4 KiB"),
            (4097, "4097 B"),
            (16 << 20, "16 MiB"),
            (128 << 30, "128 GiB"),
            (96 << 10, "96 KiB"),
            (1 << 60, "1024 PiB"),
        ] {
            assert_eq!(size(bytes), want);
        }
    }

    #[test]
    fn a_link_is_downgraded_when_it_is_up_and_less_than_it_could_be() {
        let link = |generation, width| Link { generation, width };
        for (now, max, want) in [
            (link(4, 16), link(4, 16), false),
            (link(1, 16), link(4, 16), true),
            (link(4, 8), link(4, 16), true),
            (link(0, 0), link(4, 16), false),
        ] {
            assert_eq!(downgraded(&LinkPair { now, max }), want);
        }
    }

    #[test]
    fn controls_of_acs() {
        for (capable, enabled, want) in [
            (0, 0, "there, without any control"),
            (0x0c, 0x0c, "request redirect, completion redirect"),
            (0x0c, 0, "off (request redirect, completion redirect)"),
            (0x13, 0x11, "source validation, upstream forwarding (off: translation blocking)"),
            // The upper byte is the size of the egress control vector.
            (0x0820, 0, "off (egress control)"),
            (0x40, 0x40, "direct translated peer-to-peer"),
        ] {
            assert_eq!(acs(Acs { capable, enabled }), want);
        }
    }

    #[test]
    fn resizable_sizes() {
        let rebar = Rebar { bar: 1, sizes: 0b1011 << 8, current: 256 << 20 };
        let sizes: Vec<String> = rebar_sizes(&rebar).map(size).collect();
        assert_eq!(sizes, ["256 MiB", "512 MiB", "2 GiB"]);
    }
}

//! Configuration space of real functions, and of broken ones.
//!
//! `samples/config` holds dumps in lspci's form, rows of zeros left out: taken
//! from QEMU's devices under Linux 6.12 and a Firecracker machine, and
//! compared with what `lspci -vvv` said of them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod fuzz;

use model::function::PowerState;
use model::parse::config::{
    Acs, Capabilities, Config, HeaderKind, Link, LinkPair, Msi, Msix, Pcie, PcieKind, Place, Rebar,
    SriovCap, is_virtual_function,
};
use model::{Fact, Why};
use proptest::prelude::*;

const IGB: &str = include_str!("samples/config/igb-with-3-vfs.txt");
const IGB_VF: &str = include_str!("samples/config/igb-vf.txt");
const NVME: &str = include_str!("samples/config/nvme.txt");
const ROOT_PORT: &str = include_str!("samples/config/root-port.txt");
const EDU: &str = include_str!("samples/config/edu.txt");
const VIRTIO: &str = include_str!("samples/config/virtio-blk.txt");

/// Bytes from lspci's rows, `1f0: 00 01 …`; the last row says how many there are.
fn bytes(dump: &str) -> Vec<u8> {
    let hex = |text| usize::from_str_radix(text, 16).unwrap();
    let rows: Vec<(usize, &str)> = dump
        .lines()
        .map(|row| row.split_once(": ").map(|(at, bytes)| (hex(at), bytes)).unwrap())
        .collect();
    let mut space = vec![0; rows.last().unwrap().0 + 16];
    for (at, row) in rows {
        for (index, byte) in row.split(' ').enumerate() {
            space[at + index] = hex(byte) as u8;
        }
    }
    space
}

fn config(bytes: &[u8]) -> Config {
    Config::parse(bytes).known().unwrap().clone()
}

fn capabilities(dump: &str) -> Capabilities {
    config(&bytes(dump)).capabilities.known().unwrap().clone()
}

fn link(generation: u8, width: u8) -> Link {
    Link { generation, width }
}

fn msix(vectors: u16, table: (u8, u32), pba: (u8, u32)) -> Option<Msix> {
    let place = |(bar, offset)| Place { bar, offset };
    Some(Msix { vectors, table: place(table), pba: place(pba) })
}

#[test]
fn physical_function_with_virtual_ones() {
    let got = capabilities(IGB);
    let extended = got.extended.known().unwrap();
    let sriov = SriovCap { total: 8, active: 3, offset: 128, stride: 2, vf_device: 0x10ca };
    assert_eq!(extended.sriov, Some(sriov));
    assert_eq!(got.power, Some(PowerState::D0));
    assert_eq!(got.msi, Some(Msi { vectors: 1, maskable: true, wide: true }));
    assert_eq!(got.msix, msix(10, (3, 0), (3, 0x2000)));
    let slow = LinkPair { now: link(1, 1), max: link(1, 1) };
    assert_eq!(got.pcie, Some(Pcie { kind: PcieKind::Endpoint, flr: true, link: Some(slow) }));
}

#[test]
fn virtual_function() {
    let space = bytes(IGB_VF);
    assert!(is_virtual_function(&space) && !is_virtual_function(&bytes(IGB)));
    let got = config(&space);
    assert_eq!((got.header, got.interrupt_pin, got.revision), (HeaderKind::Endpoint, 0, 1));
    let caps = got.capabilities.known().unwrap();
    assert_eq!(caps.msix, msix(3, (3, 0), (3, 0x2000)));
    assert_eq!(caps.extended.known().unwrap().sriov, None);
}

#[test]
fn bridge() {
    let got = config(&bytes(ROOT_PORT));
    assert_eq!((got.header, got.secondary_bus), (HeaderKind::Bridge, Some(1)));
    let caps = got.capabilities.known().unwrap();
    let pcie = caps.pcie.unwrap();
    assert_eq!((pcie.kind, pcie.flr), (PcieKind::RootPort, false));
    assert_eq!(pcie.link, Some(LinkPair { now: link(4, 32), max: link(4, 32) }));
    let acs = Acs { capable: 0x5f, enabled: 0x1d };
    assert_eq!(caps.extended.known().unwrap().acs, Some(acs));
}

#[test]
fn functions_without_extended_space() {
    for (dump, msix) in [(EDU, None), (VIRTIO, msix(2, (0, 0x8000), (0, 0x48000)))] {
        let got = capabilities(dump);
        assert_eq!(got.msix, msix);
        assert_eq!(got.pcie, None);
        // Conventional PCI ends at 256 bytes, so nothing above is known to be there.
        assert_eq!(got.extended, Fact::Known(Default::default()));
    }
    assert_eq!(capabilities(EDU).msi, Some(Msi { vectors: 1, maskable: false, wide: true }));
}

#[test]
fn what_could_not_be_read_is_unknown() {
    let space = bytes(NVME);
    let caps = |len: usize| config(&space[..len]).capabilities;
    assert_eq!(Config::parse(&[]), Fact::Unknown(Why::Truncated));
    assert_eq!(Config::parse(&space[..63]), Fact::Unknown(Why::Truncated));
    assert_eq!(caps(64), Fact::Unknown(Why::Truncated));
    assert_eq!(caps(128), Fact::Unknown(Why::Truncated));
    let extended = |len: usize| caps(len).known().unwrap().extended.clone();
    assert_eq!(extended(256), Fact::Unknown(Why::NotProvided));
    assert_eq!(extended(1024), Fact::Unknown(Why::Truncated));
    assert!(extended(4096).known().is_some());
    assert_eq!(config(&space[..64]).revision, 2);
}

#[test]
fn broken_functions() {
    assert_eq!(Config::parse(&[0xff; 4096]), Fact::Unknown(Why::AllOnes));
    assert_eq!(Config::parse(&[0xff; 64]), Fact::Unknown(Why::AllOnes));
    assert!(!is_virtual_function(&[0xff; 64]));
    let mut space = bytes(NVME);
    space[0x0e] = 0x7f;
    assert!(matches!(Config::parse(&space), Fact::Unknown(Why::Malformed(_))));
}

#[test]
fn loops_end() {
    // Both lists lead from their first entry to itself.
    let mut space = bytes(NVME);
    let first = usize::from(space[0x34]);
    space[first + 1] = first as u8;
    space[0x103] = 0x10;
    assert!(config(&space).capabilities.known().unwrap().extended.known().is_some());
    // A circle of two, and a pointer into the header.
    let mut space = vec![0; 256];
    space[6] = 0x10;
    space[0x34] = 0x40;
    space[0x40..0x42].copy_from_slice(&[0x09, 0x50]);
    space[0x50..0x52].copy_from_slice(&[0x09, 0x40]);
    assert!(config(&space).capabilities.known().is_some());
    space[0x41] = 0x04;
    assert!(config(&space).capabilities.known().is_some());
}

/// A PCI Express endpoint with one extended capability.
fn with_extended(id: u16, body: &[u8]) -> Capabilities {
    let mut space = vec![0; 4096];
    space[6] = 0x10;
    space[0x34] = 0x40;
    space[0x40] = 0x10;
    space[0x42] = 0x02;
    space[0x100..0x104].copy_from_slice(&(u32::from(id) | 1 << 16).to_le_bytes());
    space[0x104..0x104 + body.len()].copy_from_slice(body);
    config(&space).capabilities.known().unwrap().clone()
}

#[test]
fn resizable_bar() {
    // Radeon R9 Fury: BAR 0, 256 MiB now, 256 MiB to 4 GiB supported.
    let body = [0x00, 0xf0, 0x01, 0x00, 0x20, 0x08, 0x00, 0x00];
    let caps = with_extended(0x15, &body);
    let sizes = (28..=32).map(|exponent| 1 << (exponent - 20)).sum();
    let want = Rebar { bar: 0, sizes, current: 256 << 20 };
    assert_eq!(caps.extended.known().unwrap().rebar, [want]);
}

#[test]
fn serial_number() {
    // An Intel 82576, which lspci prints as 00-1b-21-ff-ff-12-17-4c.
    let caps = with_extended(0x03, &[0x4c, 0x17, 0x12, 0xff, 0xff, 0x21, 0x1b, 0x00]);
    assert_eq!(caps.extended.known().unwrap().serial, Some(0x001b_21ff_ff12_174c));
}

#[test]
fn address_translation() {
    let caps = with_extended(0x0f, &[0x60, 0, 0, 0x80]);
    let extended = caps.extended.known().unwrap();
    assert!(extended.ats && !extended.pasid);
    let caps = with_extended(0x1b, &[0x04, 0x14, 0x05, 0]);
    assert!(caps.extended.known().unwrap().pasid);
}

#[test]
fn advanced_features_reset() {
    let mut space = vec![0; 256];
    space[6] = 0x10;
    space[0x34] = 0x40;
    space[0x40..0x46].copy_from_slice(&[0x13, 0, 6, 0b11, 0, 0]);
    assert!(config(&space).capabilities.known().unwrap().af_flr);
    space[0x43] = 0b01;
    assert!(!config(&space).capabilities.known().unwrap().af_flr);
}

proptest! {
    #![proptest_config(fuzz::seconds())]

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..4200)) {
        let _ = Config::parse(&bytes);
    }

    /// Real registers with some of them overturned reach deeper than noise.
    #[test]
    fn any_damage_is_survived(
        dump in prop::sample::select(vec![IGB, IGB_VF, NVME, ROOT_PORT, EDU, VIRTIO]),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..64),
        len in 0..=4096usize,
    ) {
        let mut space = bytes(dump);
        for (at, value) in damage {
            let at = at.index(space.len());
            space[at] = value;
        }
        space.truncate(len);
        if let Fact::Known(config) = Config::parse(&space) {
            prop_assert_eq!(config.len, space.len());
            if let Some(caps) = config.capabilities.known() {
                prop_assert!(caps.msix.is_none_or(|msix| (1..=2048).contains(&msix.vectors)));
                prop_assert!(caps.msi.is_none_or(|msi| msi.vectors <= 32));
            }
        }
    }
}

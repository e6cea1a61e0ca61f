//! What a machine has for guests besides memory: its processor, KVM, firmware,
//! network interfaces, random numbers.
//!
//! In: a root directory. Out: facts, each for itself. Never: what a guest is
//! made of.

use std::fs::OpenOptions;
use std::io;

use model::parse::machine;
use model::{Fact, Why};

use crate::paths::Root;
use crate::read;

/// More than the kernel says of a random number.
const UUID: usize = 64;

/// What stands behind the name of a network interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// One that a program can be at the other end of.
    Tap,
    /// Any other.
    Other,
    /// There is none of this name.
    Missing,
}

/// Physical address bits of the processor.
pub fn address_bits(root: &Root) -> Fact<u8> {
    read::text(&root.cpuinfo()).and_then(|text| machine::address_bits(&text)).into()
}

/// Whether this process can use KVM. That the node is there does not tell:
/// its mode, an access list or a container's rules for devices may forbid it.
pub fn can_use_kvm(root: &Root) -> bool {
    OpenOptions::new().read(true).write(true).open(root.kvm()).is_ok()
}

/// The texts that describe the UEFIs installed for QEMU, in the order of
/// their names, which is by precedence (docs/interop/firmware.json in QEMU).
/// A text that cannot be read is left out.
pub fn firmware(root: &Root) -> Fact<Vec<String>> {
    let folder = root.qemu_firmware();
    let texts = |mut names: Vec<String>| {
        names.sort();
        names.iter().filter_map(|name| read::text(&folder.join(name)).ok()).collect()
    };
    read::names(&folder).map(texts).into()
}

/// What stands behind a name without a slash; not known of a tree that has no
/// interfaces in it.
pub fn interface(root: &Root, name: &str) -> Fact<Interface> {
    let interfaces = root.class("net");
    if !interfaces.is_dir() {
        return Fact::Unknown(Why::NotProvided);
    }
    let found = interfaces.join(name);
    // An attribute of tun and tap interfaces only (drivers/net/tun.c).
    let interface = match (found.exists(), found.join("tun_flags").exists()) {
        (true, true) => Interface::Tap,
        (true, false) => Interface::Other,
        (false, _) => Interface::Missing,
    };
    interface.into()
}

/// A random number in the form of a UUID, another one at each call.
pub fn random_uuid(root: &Root) -> io::Result<String> {
    let text = read::bytes(&root.random_uuid(), UUID)?;
    Ok(String::from_utf8_lossy(&text).trim().to_owned())
}

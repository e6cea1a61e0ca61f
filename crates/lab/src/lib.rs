//! Emulated passthrough hosts: real Linux machines with an IOMMU, VFIO, KVM and PCI devices, played by QEMU.
//!
//! What comes in is a topology (a TOML file in `topologies/`); what goes out is a [`LabHost`] that runs
//! commands. It needs no passthrough hardware, no network and no privileges, and leaves nothing running.
//!
//! ```no_run
//! let host = lab::Lab::start("basic")?;
//! let list = host.sh_ok("passthru list")?;
//! assert!(list.contains("0000:03:00.0"), "{list}");
//! # Ok::<(), lab::Error>(())
//! ```

mod boot;
mod build;
mod client;
mod command;
pub mod disk;
mod error;
pub mod guide;
mod host;
mod image;
mod initramfs;
pub mod places;
mod platform;
mod power9;
mod qemu;
mod record;
mod share;
mod socket;
mod stall;
mod topology;
pub mod wire;

use std::path::PathBuf;

pub use boot::ensure_all;
pub use error::{Error, Result};
pub use host::{Lab, LabHost, Output};
pub use image::Image;
pub use initramfs::Archive;
pub use platform::Platform;
pub use record::{Record, find, running};
pub use topology::{Disk, Topology, names};

/// What small guests boot that say what they see: a kernel and an initramfs.
#[derive(Debug)]
pub struct Guest {
    pub kernel: PathBuf,
    pub initrd: PathBuf,
}

/// Builds all that a lab host needs, so that the first one starts as fast as the others. Its guests' part can be
/// used anywhere.
pub fn prepare() -> Result<Guest> {
    let image = Image::ensure()?;
    build::host_binaries()?;
    let initrd = initramfs::ensure(&image)?;
    Ok(Guest { kernel: image.kernel(), initrd })
}

/// The same for the POWER9 host, whose compiler is made, too.
pub fn prepare_power9() -> Result<()> {
    power9::image()?;
    power9::binaries().map(drop)
}

/// `passthru` for this machine, as this checkout builds it.
pub fn passthru() -> Result<PathBuf> {
    let binaries = build::host_binaries()?;
    let is_it = |path: &PathBuf| path.ends_with("passthru");
    let none = || Error::NoBinary { name: "passthru" };
    binaries.into_iter().find(is_it).ok_or_else(none)
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

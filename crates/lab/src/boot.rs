//! What a lab host starts from: a kernel and an initramfs that QEMU loads, or a disk with a boot loader on it. What
//! comes in is a topology; what goes out are QEMU's arguments. Images are made where they are missing and never
//! written: what a lab host writes is kept as long as it runs, over restarts, and then forgotten.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::{AtPath, Result};
use crate::image::{self, Image};
use crate::platform::Platform;
use crate::topology::{Topology, names};

/// The EFI variables of one lab host, in its run directory.
const VARIABLES: &str = "vars.fd";

/// What one lab host starts from.
#[derive(Debug)]
pub(crate) enum Boot {
    /// The root file system alone.
    Kernel { image: Image, cmdline: String },
    /// A partitioned disk, on which everything is: see `image/disk/`.
    Disk { dir: PathBuf },
}

impl Boot {
    /// What this topology starts from, built when it is missing or old.
    pub fn ensure(topology: &Topology, base: &Image) -> Result<Self> {
        match &topology.boot_disk[..] {
            [] => {
                let console = topology.platform.words().console;
                let cmdline = format!(
                    "root=LABEL=lab-root rw console={console} net.ifnames=0 systemd.show_status=0 loglevel=5 {}",
                    topology.cmdline
                );
                Ok(Self::Kernel { image: base.clone(), cmdline })
            }
            parts => Ok(Self::Disk { dir: image::ensure_disk(parts, base)? }),
        }
    }

    /// Puts what one lab host alone writes into its run directory.
    pub fn prepare(&self, run: &Path) -> Result<()> {
        let Self::Disk { dir } = self else { return Ok(()) };
        let variables = dir.join(VARIABLES);
        if variables.exists() {
            fs::copy(&variables, run.join(VARIABLES)).at("copy", variables)?;
        }
        Ok(())
    }

    /// QEMU's arguments; the root disk is `drive=root`.
    pub fn qemu_args(&self) -> Vec<String> {
        let root =
            |path: &Path| format!("file={},if=none,id=root,format=raw,snapshot=on", path.display());
        let mut args = Vec::new();
        let mut add = |option: &str, value: String| args.extend([option.to_owned(), value]);
        match self {
            Self::Kernel { image, cmdline } => {
                add("-kernel", image.kernel().display().to_string());
                add("-initrd", image.initramfs().display().to_string());
                add("-append", cmdline.clone());
                add("-drive", root(&image.root()));
            }
            Self::Disk { dir } => {
                add("-drive", root(&dir.join(image::DISK)));
                // Firmware of its own; without it QEMU's BIOS starts the boot sector.
                let code = dir.join("code.fd");
                if code.exists() {
                    let code = code.display();
                    add("-drive", format!("file={code},if=pflash,unit=0,format=raw,readonly=on"));
                    add("-drive", format!("file={VARIABLES},if=pflash,unit=1,format=raw"));
                }
            }
        }
        args
    }
}

/// Builds whatever lab hosts start from, where it is missing or old: some minutes, once. The POWER9 host is apart
/// ([`crate::prepare_power9`]).
pub fn ensure_all() -> Result<()> {
    let base = Image::ensure()?;
    for name in names()? {
        let topology = Topology::named(&name)?;
        if topology.platform == Platform::X86 {
            Boot::ensure(&topology, &base)?;
        }
    }
    Ok(())
}

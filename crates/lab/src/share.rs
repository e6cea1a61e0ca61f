//! What a lab host sees at `/lab`, read-only:
//!
//! ```text
//! bin/passthru       the program under test, as this checkout builds it; installed at each start
//! bin/lab-agent      what runs the commands
//! guest/vmlinuz      a kernel and an initramfs for nested guests (x86 only); `guest` is its init
//! guest/initrd.img
//! boot.sh            the topology's own start lines, if it has any
//! ```
//!
//! It is a directory of the run, with copies: nothing else of this machine can be reached from inside.

use std::fs;
use std::path::Path;

use crate::error::{AtPath, Result};
use crate::image::Image;
use crate::platform::Platform;
use crate::topology::Topology;
use crate::{build, initramfs, power9};

/// Makes the whole directory.
pub(crate) fn fill(share: &Path, image: &Image, topology: &Topology) -> Result<()> {
    for part in ["bin", "guest"] {
        fs::create_dir_all(share.join(part)).at("create", share.join(part))?;
    }
    refresh(share, topology.platform)?;
    if topology.platform == Platform::X86 {
        let guest = initramfs::ensure(image)?;
        for (from, to) in [(image.kernel(), "guest/vmlinuz"), (guest, "guest/initrd.img")] {
            replace(&from, &share.join(to))?;
        }
    }
    if !topology.boot.is_empty() {
        let path = share.join("boot.sh");
        fs::write(&path, topology.boot.join("\n") + "\n").at("write", path)?;
    }
    Ok(())
}

/// Copies the binaries, built if need be.
pub(crate) fn refresh(share: &Path, platform: Platform) -> Result<()> {
    let binaries = match platform {
        Platform::X86 => build::host_binaries()?,
        Platform::Power9 => power9::binaries()?,
    };
    for binary in binaries {
        if let Some(name) = binary.file_name() {
            replace(&binary, &share.join("bin").join(name))?;
        }
    }
    Ok(())
}

/// Copies beside and renames: a running machine sees the old file or the new one, never a half.
fn replace(from: &Path, to: &Path) -> Result<()> {
    let beside = to.with_extension("new");
    fs::copy(from, &beside).at("copy", from)?;
    fs::rename(&beside, to).at("replace", to)
}

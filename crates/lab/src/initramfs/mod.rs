//! The initramfs of nested guests: our static init and the kernel modules that its devices need, and nothing
//! else. The modules come from the lab host's own kernel, so guest and host run the same one.

mod cpio;
mod modules;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::build;
use crate::command::succeed;
use crate::error::{AtPath, Error, Result};
use crate::image::{self, Image};
use crate::places;

pub use cpio::Archive;

/// What guests meet: NVMe and virtio disks, network cards and their virtual functions, the power button
/// (`button` tells `evdev`, which the init reads).
const MODULES: &[&str] = &[
    "nvme",
    "virtio_pci",
    "virtio_blk",
    "virtio_console",
    "virtio_net",
    "igb",
    "igbvf",
    "e1000e",
    "button",
    "evdev",
];

/// The initramfs for this image and this checkout's `guest`, made when there is none yet.
pub(crate) fn ensure(image: &Image) -> Result<PathBuf> {
    let init = build::guest()?;
    let init = fs::read(&init).at("read", &init)?;
    let mut hash = Sha256::new();
    hash.update(&init);
    hash.update(MODULES.join(" "));
    hash.update(include_bytes!("mod.rs"));
    hash.update(image.root().as_os_str().as_encoded_bytes());
    let path = places::lab().join(format!("guest-{}.img", crate::hex(&hash.finalize()[..8])));
    let _turn = image::lock("guest.lock")?;
    if !path.exists() {
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, archive(&init, image)?).at("write", &unfinished)?;
        fs::rename(&unfinished, &path).at("finish", &path)?;
    }
    Ok(path)
}

fn archive(init: &[u8], image: &Image) -> Result<Vec<u8>> {
    let mut archive = cpio::Archive::default();
    for dir in ["dev", "proc", "sys", "lib", "lib/modules"] {
        archive.dir(dir);
    }
    archive.file("init", 0o755, init);
    let mut order = String::new();
    for (name, module) in modules_of(image)? {
        archive.file(&format!("lib/modules/{name}"), 0o644, &module);
        order += &format!("{name} {}\n", parameters(&name));
    }
    archive.file("lib/modules/order", 0o644, order.as_bytes());
    Ok(archive.finish())
}

/// Without multipath a disk hangs below its own function in sysfs, and no second, hidden one appears.
fn parameters(module: &str) -> &'static str {
    if module == "nvme-core.ko" { "multipath=N" } else { "" }
}

/// Each module with its content, dependencies first.
fn modules_of(image: &Image) -> Result<Vec<(String, Vec<u8>)>> {
    let work = places::lab().join("guest-modules");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).at("create", &work)?;
    let root = format!("/lib/modules/{}", release(image)?);
    let index = |name: &str| (format!("{root}/{name}"), work.join(name));
    image.extract(&[index("modules.dep"), index("modules.builtin")])?;
    let read = |name: &str| fs::read_to_string(work.join(name)).at("read", work.join(name));
    let paths = modules::load_order(MODULES, &read("modules.dep")?, &read("modules.builtin")?)
        .map_err(|name| Error::NoModule { name, index: work.join("modules.dep") })?;

    let local = |path: &str| work.join(path.rsplit('/').next().unwrap_or(path));
    let wanted: Vec<_> = paths.iter().map(|path| (format!("{root}/{path}"), local(path))).collect();
    image.extract(&wanted)?;
    let modules = paths.iter().map(|path| {
        let (name, content) = plain(&local(path))?;
        Ok((name, content))
    });
    let modules = modules.collect();
    let _ = fs::remove_dir_all(&work);
    modules
}

/// A module's file name and bytes, decompressed.
fn plain(path: &Path) -> Result<(String, Vec<u8>)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match name.strip_suffix(".xz") {
        Some(name) => {
            let output = succeed(Command::new("xz").args(["--decompress", "--stdout"]).arg(path))?;
            Ok((name.to_owned(), output.stdout))
        }
        None => Ok((name, fs::read(path).at("read", path)?)),
    }
}

/// The kernel's release, from the header of its image: at 0x20e is the offset (less 0x200) of a text that
/// starts with it. <https://docs.kernel.org/arch/x86/boot.html>
fn release(image: &Image) -> Result<String> {
    let path = image.kernel();
    let kernel = fs::read(&path).at("read", &path)?;
    let text = kernel.get(0x20e..0x210).and_then(|bytes| {
        let offset = usize::from(u16::from_le_bytes([bytes[0], bytes[1]])) + 0x200;
        kernel.get(offset..offset + 128)
    });
    let release =
        text.unwrap_or_default().split(|byte| byte.is_ascii_whitespace() || *byte == 0).next();
    Ok(String::from_utf8_lossy(release.unwrap_or_default()).into_owned())
}

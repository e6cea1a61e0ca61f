//! Disks and their sectors. A sector is read past the cache: what matters is what the device says now.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};

use sha2::{Digest, Sha256};

const SECTOR: usize = 512;

/// NVMe and virtio disks, by the kernel's names.
pub fn names() -> BTreeSet<String> {
    let entries = fs::read_dir("/sys/block").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("nvme") || name.starts_with("vd")).collect()
}

/// How many disks an NVMe function has brought.
pub fn of_function(address: &str) -> usize {
    let belongs = |name: &String| {
        // The link goes through the function: …/0000:01:00.0/nvme/nvme0/nvme0n1
        fs::canonicalize(format!("/sys/block/{name}"))
            .is_ok_and(|path| path.to_string_lossy().contains(&format!("/{address}/")))
    };
    names().iter().filter(|name| belongs(name)).count()
}

/// `DISK sector0 sha256 HASH`, or why not.
pub fn describe(name: &str) -> String {
    match hash(name, 0) {
        Ok(hash) => format!("{name} sector0 sha256 {hash}"),
        Err(error) => format!("{name} unreadable: {error}"),
    }
}

/// The SHA-256 of one sector of 512 bytes.
pub fn hash(name: &str, sector: u64) -> io::Result<String> {
    let disk = fs::File::open(format!("/dev/{name}"))?;
    // Drops what the kernel has cached of this disk, without the alignment that O_DIRECT asks for.
    let _ = rustix::fs::fadvise(&disk, 0, None, rustix::fs::Advice::DontNeed);
    let mut bytes = [0; SECTOR];
    disk.read_exact_at(&mut bytes, sector * SECTOR as u64)?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Fills one sector with a text and zeros, and waits until the device has it.
pub fn write(name: &str, sector: u64, text: &str) -> io::Result<()> {
    let mut bytes = text.as_bytes().to_vec();
    bytes.resize(SECTOR, 0);
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(rustix::fs::OFlags::SYNC.bits().cast_signed());
    let mut disk = options.open(format!("/dev/{name}"))?;
    io::Seek::seek(&mut disk, io::SeekFrom::Start(sector * SECTOR as u64))?;
    disk.write_all(&bytes)
}

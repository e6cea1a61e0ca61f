//! Disks and their sectors. A sector is read past the cache: what matters is what the device says now.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use sha2::{Digest, Sha256};

const SECTOR: usize = 512;
/// How long a disk that is in `/sys` may take until it can be opened.
const SOON: Duration = Duration::from_secs(5);

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
    match soon(|| hash(name, 0)) {
        Ok(hash) => format!("{name} sector0 sha256 {hash}"),
        Err(error) => format!("{name} unreadable: {error}"),
    }
}

/// What a disk answers that has just come. The kernel shows it in `/sys` first, makes its node then, and lets it be
/// opened last: until then the node is missing, or it leads to no device.
fn soon<T>(mut read: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let until = Instant::now() + SOON;
    let early = |error: &io::Error| {
        matches!(Errno::from_io_error(error), Some(Errno::NXIO | Errno::NOENT | Errno::NODEV))
    };
    loop {
        match read() {
            Err(error) if early(&error) && Instant::now() < until => {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a kernel answered while it added a disk.
    #[test]
    fn a_disk_that_has_just_come_is_tried_again() {
        let mut answers = [Errno::NOENT, Errno::NXIO].into_iter();
        let read = soon(|| answers.next().map_or(Ok("read"), |errno| Err(errno.into())));
        assert_eq!(read.unwrap(), "read");
        let mut tries = 0;
        let failed = soon(|| {
            tries += 1;
            Err::<(), _>(Errno::IO.into())
        });
        assert_eq!(
            (failed.unwrap_err().raw_os_error(), tries),
            (Some(Errno::IO.raw_os_error()), 1)
        );
    }
}

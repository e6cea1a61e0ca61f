//! Facts about the whole machine.
//!
//! In: `/proc/meminfo`, and the lists of modules that a kernel comes with.
//! Out: bytes, and whether a module is listed.

use crate::fact::Why;
use crate::parse::attribute::{malformed, number};

/// A row of `/proc/meminfo` (`MemTotal`, `MemAvailable`) in bytes.
pub fn meminfo(text: &str, key: &str) -> Result<u64, Why> {
    let row = |line: &&str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    let Some(line) = text.lines().find(row) else { return Err(Why::NotProvided) };
    // The kernel prints kibibytes and calls them kB.
    let value = line[key.len() + 1..].trim().strip_suffix("kB").ok_or_else(|| malformed(line))?;
    number::<u64>(value)?.checked_mul(1024).ok_or_else(|| malformed(line))
}

/// Physical address bits of the processor, from `/proc/cpuinfo`
/// (`address sizes : 46 bits physical, 48 bits virtual`; x86 only).
pub fn address_bits(text: &str) -> Result<u8, Why> {
    let line = text.lines().find(|line| line.starts_with("address sizes"));
    let line = line.ok_or(Why::NotProvided)?;
    let value = line.split_once(':').and_then(|(_, rest)| rest.split_once("bits physical"));
    number(value.ok_or_else(|| malformed(line))?.0)
}

/// Whether `modules.builtin` or `modules.dep` lists a module. The kernel
/// takes `-` and `_` in names for the same; files may be compressed.
pub fn lists_module(text: &str, module: &str) -> bool {
    text.lines().any(|line| {
        let path = line.split(':').next().unwrap_or(line);
        let file = path.rsplit('/').next().unwrap_or(path);
        file.split_once(".ko").is_some_and(|(name, _)| same_module(name, module))
    })
}

fn same_module(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'-' { b'_' } else { byte };
    one.bytes().map(plain).eq(other.bytes().map(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory() {
        let text =
            "MemTotal:       24682416 kB\nMemFree:        20000000 kB\nMemAvailable:   1 kB\n";
        assert_eq!(meminfo(text, "MemTotal"), Ok(24_682_416 << 10));
        assert_eq!(meminfo(text, "MemAvailable"), Ok(1024));
        assert_eq!(meminfo(text, "Mem"), Err(Why::NotProvided));
        assert!(meminfo("MemTotal: lots\n", "MemTotal").is_err());
        assert!(meminfo("MemTotal: 18446744073709551615 kB\n", "MemTotal").is_err());
    }

    #[test]
    fn modules() {
        let dep = "kernel/drivers/vfio/pci/vfio-pci-core.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n\
                   kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/pci/vfio-pci-core.ko.xz\n";
        assert!(lists_module(dep, "vfio_pci"));
        assert!(lists_module("kernel/drivers/vfio/pci/vfio-pci.ko\n", "vfio_pci"));
        assert!(!lists_module(dep, "vfio"));
        assert!(!lists_module("", "vfio_pci"));
    }

    #[test]
    fn address_sizes() {
        let line = "address sizes\t: 46 bits physical, 48 bits virtual\n";
        assert_eq!(address_bits(&format!("processor\t: 0\n{line}power management:\n")), Ok(46));
        assert_eq!(address_bits("cpu\t\t: POWER9\n"), Err(Why::NotProvided));
        for text in
            ["address sizes", "address sizes: x bits physical", "address sizes: 999 bits physical"]
        {
            assert!(matches!(address_bits(text), Err(Why::Malformed(_))), "{text:?}");
        }
    }
}

//! Facts about the whole machine.
//!
//! In: `/proc/meminfo`, `/proc/cpuinfo`, a NUMA node's `meminfo`, and the
//! lists of modules that a kernel comes with, its release, names of folders.
//! Out: bytes, address bits, an architecture, whether a module is listed, a
//! version.

use crate::fact::Why;
use crate::parse::attribute::{malformed, number};

/// A row of `/proc/meminfo` (`MemTotal`, `MemAvailable`) in bytes.
pub fn meminfo(text: &str, key: &str) -> Result<u64, Why> {
    let row = |line: &&str| line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'));
    let Some(line) = text.lines().find(row) else { return Err(Why::NotProvided) };
    kibibytes(line, &line[key.len() + 1..])
}

/// A row of a NUMA node's `meminfo` (`Node 1 MemFree: 8 kB`) in bytes.
pub fn node_meminfo(text: &str, key: &str) -> Result<u64, Why> {
    let value = |line: &'_ str| {
        let row = line.trim_start().strip_prefix("Node ")?.split_once(' ')?.1;
        Some(row.strip_prefix(key)?.strip_prefix(':')?.to_owned())
    };
    let found = text.lines().find_map(|line| Some((line, value(line)?)));
    let (line, value) = found.ok_or(Why::NotProvided)?;
    kibibytes(line, &value)
}

/// Bytes of a hugepage, by the folder of its pool (`hugepages-2048kB`); `None`
/// for any other name.
pub fn hugepage_size(folder: &str) -> Option<u64> {
    let number = folder.strip_prefix("hugepages-")?.strip_suffix("kB")?;
    number.parse::<u64>().ok()?.checked_mul(1024).filter(|size| size.is_power_of_two())
}

/// The kernel prints kibibytes and calls them kB.
fn kibibytes(line: &str, value: &str) -> Result<u64, Why> {
    let value = value.trim().strip_suffix("kB").ok_or_else(|| malformed(line))?;
    number::<u64>(value)?.checked_mul(1024).ok_or_else(|| malformed(line))
}

/// The architecture, as in `uname -m`, by the form of `/proc/cpuinfo`, which
/// is each architecture's own (`show_cpuinfo()` in `arch/*/kernel`). POWER's
/// does not tell the order of bytes: it is `ppc64` either way.
pub fn processor_arch(text: &str) -> Result<&'static str, Why> {
    let value = |key: &str| {
        let mut rows = text.lines().filter_map(|line| line.split_once(':'));
        rows.find(|(name, _)| name.trim_end() == key).map(|(_, value)| value.trim())
    };
    if let Some(vendor) = value("vendor_id") {
        if vendor.starts_with("IBM/S390") {
            return Ok("s390x");
        }
        let flags = value("flags").ok_or_else(|| malformed("a processor without flags"))?;
        // Long mode.
        return Ok(if flags.split(' ').any(|flag| flag == "lm") { "x86_64" } else { "i686" });
    }
    if value("CPU implementer").is_some() {
        let wide = ["8", "AArch64"].map(Some).contains(&value("CPU architecture"));
        return Ok(if wide { "aarch64" } else { "armv7l" });
    }
    match (value("cpu"), value("isa")) {
        (Some(cpu), _) if cpu.starts_with("POWER") => Ok("ppc64"),
        (_, Some(isa)) if isa.starts_with("rv64") => Ok("riscv64"),
        _ => Err(Why::NotProvided),
    }
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
    fn memory_of_a_node() {
        let text = "\nNode 1 MemTotal:       4096 kB\nNode 1 MemFree:        16 kB\n";
        assert_eq!(node_meminfo(text, "MemFree"), Ok(16 << 10));
        assert_eq!(node_meminfo(text, "Mem"), Err(Why::NotProvided));
        assert_eq!(node_meminfo("MemFree: 1 kB\n", "MemFree"), Err(Why::NotProvided));
        assert!(node_meminfo("Node 0 MemFree: lots\n", "MemFree").is_err());
    }

    #[test]
    fn sizes_of_hugepages() {
        for (folder, want) in [
            ("hugepages-2048kB", Some(2 << 20)),
            ("hugepages-1048576kB", Some(1 << 30)),
            ("hugepages-64kB", Some(64 << 10)),
            ("hugepages-0kB", None),
            ("hugepages-3kB", None),
            ("hugepages-18014398509481984kB", None),
            ("hugepages-2048", None),
            ("2048kB", None),
            ("alas", None),
        ] {
            assert_eq!(hugepage_size(folder), want, "{folder}");
        }
    }

    #[test]
    fn architectures() {
        for (text, want) in [
            ("processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu lm svm\n", "x86_64"),
            ("vendor_id\t: GenuineIntel\nflags\t\t: fpu vmx lm\n", "x86_64"),
            ("vendor_id\t: GenuineIntel\nflags\t\t: fpu vme\n", "i686"),
            ("vendor_id       : IBM/S390\n# processors    : 4\n", "s390x"),
            ("processor\t: 0\nCPU implementer\t: 0x41\nCPU architecture: 8\n", "aarch64"),
            ("CPU implementer\t: 0x41\nCPU architecture: 7\n", "armv7l"),
            ("processor\t: 0\ncpu\t\t: POWER9, altivec supported\nclock\t\t: 3.8\n", "ppc64"),
            ("cpu\t\t: POWER8E (raw), altivec supported\n", "ppc64"),
            ("processor\t: 0\nhart\t\t: 1\nisa\t\t: rv64imafdc\n", "riscv64"),
        ] {
            assert_eq!(processor_arch(text), Ok(want), "{text:?}");
        }
        for text in ["", "alas", "cpu\t: PPC970\n", "cpu MHz\t: 800\n"] {
            assert_eq!(processor_arch(text), Err(Why::NotProvided), "{text:?}");
        }
        assert!(processor_arch("vendor_id\t: AuthenticAMD\n").is_err());
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

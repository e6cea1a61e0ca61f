//! The version of QEMU: what it must be, what is better.
//!
//! In: the first line of `qemu-system-… --version`. Out: a [`Version`], and
//! reasons for or against it.

use std::fmt;

use model::port::Cmd;
use model::reason::{Code, Reason};

/// Major, minor, micro. Distributors' suffixes are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// The oldest that is used. 6.2 is the first that tells of a refused unplug
/// (`DEVICE_UNPLUG_GUEST_ERROR`) and the first after 6.1's broken ACPI
/// hotplug on q35; it is also what the oldest distributions still supported
/// bring (Ubuntu 22.04, RHEL 8).
pub const LEAST: Version = Version(6, 2, 0);

/// From here on, QEMU maps a device's memory at addresses aligned to its
/// size, and the kernel maps a 32 GiB register for DMA in under a
/// millisecond instead of a second (QEMU 9.2, `vfio_region_mmap()`; linux
/// 0fd06844de5d).
pub const ALIGNED: Version = Version(9, 2, 0);

/// The first with `-object iommufd`.
pub const IOMMUFD: Version = Version(9, 0, 0);

/// Asks a QEMU program for its version, and in the same breath whether it can
/// confine itself: options are looked at in their order (`qemu_init()` in
/// `system/vl.c`). [`Version::parse`] reads the answer, or [`lacks_sandbox`].
pub fn ask(program: &str) -> Cmd {
    Cmd::new(program, ["-sandbox", "on", "--version"])
}

/// Asks one that cannot.
pub fn ask_unconfined(program: &str) -> Cmd {
    Cmd::new(program, ["--version"])
}

/// Whether a QEMU program complains that it was built without seccomp:
/// `-sandbox support is not enabled in this QEMU binary`.
pub fn lacks_sandbox(stderr: &str) -> bool {
    stderr.contains("sandbox") || stderr.contains("seccomp")
}

impl Version {
    /// From `QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)`. `None`
    /// when the text is not QEMU's.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.lines().find_map(|line| line.strip_prefix("QEMU emulator version "))?;
        let word = rest.split_whitespace().next()?;
        let mut parts = word.split('.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..digits].parse::<u32>().ok()
        });
        let major = parts.next()??;
        let minor = parts.next()??;
        Some(Self(major, minor, parts.next().flatten().unwrap_or(0)))
    }

    /// Why this version is not used.
    pub fn refusal(self) -> Option<Reason> {
        (self < LEAST).then(|| {
            let text = format!(
                "QEMU {self} is too old: {LEAST} is the first that tells when a guest refuses to give a device back"
            );
            Reason::machine(Code::Unsupported, text, "install a newer QEMU (backports have one)")
        })
    }

    /// What is better in a newer one, for devices with large registers.
    pub fn note(self, largest_bar: u64) -> Option<Reason> {
        (self < ALIGNED && largest_bar >= 1 << 30).then(|| {
            let text = format!(
                "QEMU {self} maps large registers unaligned: a guest with {} GiB of them starts slowly, about a second for each 32 GiB",
                largest_bar >> 30
            );
            Reason::machine(Code::LargeBar, text, format!("QEMU {ALIGNED} or newer aligns them"))
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn versions_as_programs_print_them() {
        for (text, want) in [
            ("QEMU emulator version 10.0.2 (Debian 1:10.0.2+ds-2)\nCopyright", Some((10, 0, 2))),
            ("QEMU emulator version 6.2.0 (Debian 1:6.2+dfsg-2ubuntu6.26)", Some((6, 2, 0))),
            ("QEMU emulator version 9.1.50 (v9.1.0-1234-gabcdef)", Some((9, 1, 50))),
            ("QEMU emulator version 10.1.0-rc2", Some((10, 1, 0))),
            ("QEMU emulator version 7.2", Some((7, 2, 0))),
            ("warning: x\nQEMU emulator version 8.2.1\n", Some((8, 2, 1))),
            ("QEMU emulator version ", None),
            ("QEMU emulator version x.y", None),
            ("cloud-hypervisor v53.0", None),
            ("", None),
        ] {
            let want = want.map(|(major, minor, micro)| Version(major, minor, micro));
            assert_eq!(Version::parse(text), want, "{text:?}");
        }
    }

    #[test]
    fn one_without_seccomp_is_told_from_one_that_fails() {
        let said = "qemu-system-x86_64: -sandbox on: -sandbox support is not enabled in this QEMU binary\n";
        assert!(lacks_sandbox(said));
        assert!(!lacks_sandbox("error while loading shared libraries: libpixman-1.so.0\n"));
    }

    #[test]
    fn old_ones_are_refused_and_middling_ones_noted() {
        assert!(Version(6, 1, 0).refusal().is_some());
        assert!(Version(6, 2, 0).refusal().is_none());
        assert!(Version(9, 1, 0).note(32 << 30).is_some());
        assert!(Version(9, 1, 0).note(256 << 20).is_none());
        assert!(Version(9, 2, 0).note(128 << 30).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_not(text in "\\PC{0,60}") {
            let _ = Version::parse(&text);
            let _ = Version::parse(&format!("QEMU emulator version {text}"));
        }
    }
}

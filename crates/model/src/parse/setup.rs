//! How a host is set up: the operating system, the processor, interrupts,
//! what the kernel restricts, the X server's drivers.
//!
//! In: files of `/etc`, `/proc` and `/sys` as texts. Out: the words of
//! [`crate::setup`].

use crate::fact::Why;
use crate::parse::attribute::malformed;
use crate::setup::{Maker, Os, Processor};

/// `os-release` (os-release(5)): assignments as a shell would read them.
pub fn os_release(text: &str) -> Os {
    let value = |key: &str| {
        let line = text.lines().rfind(|line| {
            line.trim_start().strip_prefix(key).is_some_and(|rest| rest.starts_with('='))
        });
        let value =
            line.and_then(|line| line.split_once('=')).map_or("", |(_, value)| value.trim());
        let quoted = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
        quoted('"').or_else(|| quoted('\'')).unwrap_or(value).replace('\\', "")
    };
    Os {
        id: value("ID"),
        like: value("ID_LIKE").split_whitespace().map(str::to_owned).collect(),
        version: value("VERSION_ID"),
        name: value("PRETTY_NAME"),
    }
}

/// The first processor of `/proc/cpuinfo`.
pub fn processor(text: &str) -> Result<Processor, Why> {
    let first = text.split("\n\n").next().unwrap_or_default();
    let value = |key: &str| {
        first.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            (name.trim() == key).then(|| value.trim())
        })
    };
    if first.trim().is_empty() {
        return Err(malformed(text));
    }
    let maker = match value("vendor_id") {
        Some("GenuineIntel") => Maker::Intel,
        Some("AuthenticAMD" | "HygonGenuine") => Maker::Amd,
        _ => Maker::Other,
    };
    let flags = value("flags");
    let has = |flag: &str| flags.is_some_and(|flags| flags.split(' ').any(|word| word == flag));
    Ok(Processor {
        maker,
        virtualization: flags.map(|_| has("vmx") || has("svm")),
        hypervisor: has("hypervisor"),
    })
}

/// Whether `/proc/interrupts` of an x86 machine has interrupts that are
/// remapped: the kernel puts `IR-` before the name of their controller
/// (`intel_ir_chip`, drivers/iommu/intel/irq_remapping.c; `amd_ir_chip`,
/// drivers/iommu/amd/iommu.c).
pub fn remapped(text: &str) -> Result<bool, Why> {
    let mut words = text.lines().skip(1).flat_map(str::split_whitespace);
    match text.lines().nth(1) {
        Some(_) => Ok(words.any(|word| word.starts_with("IR-"))),
        None => Err(malformed(text)),
    }
}

/// The word in brackets of `[none] integrity confidentiality`.
pub fn chosen(text: &str) -> Result<String, Why> {
    let chosen = text.split_once('[').and_then(|(_, rest)| rest.split_once(']'));
    chosen.map(|(word, _)| word.to_owned()).ok_or_else(|| malformed(text))
}

/// Whether configuration of the X server names this driver, for a device
/// (`Driver`) or for what it finds (`MatchDriver`; xorg.conf(5)).
pub fn xorg_names(text: &str, driver: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start().to_lowercase();
        let Some((key, value)) = line.split_once(char::is_whitespace) else { return false };
        let names = |value: &str| {
            value.trim().trim_matches('"').split(['|', '-']).any(|word| word == driver)
        };
        ["driver", "matchdriver"].contains(&key) && names(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operating_systems() {
        let os = os_release(
            "PRETTY_NAME=\"Linux Mint 22\"\nID=linuxmint\nID_LIKE='ubuntu debian'\nVERSION_ID=\"22\"\n",
        );
        assert!(os.is_like("debian") && os.is_like("linuxmint") && !os.is_like("fedora"));
        assert_eq!((os.version.as_str(), os.name.as_str()), ("22", "Linux Mint 22"));
        assert_eq!(os_release(""), Os::default());
    }

    #[test]
    fn processors() {
        let amd = processor(
            "processor\t: 0\nvendor_id\t: AuthenticAMD\nflags\t\t: fpu svm hypervisor\n\nprocessor\t: 1\nvendor_id: x\n",
        );
        let want = Processor { maker: Maker::Amd, virtualization: Some(true), hypervisor: true };
        assert_eq!(amd, Ok(want));
        let power = processor("processor\t: 0\ncpu\t\t: POWER9, altivec supported\n");
        let want = Processor { maker: Maker::Other, virtualization: None, hypervisor: false };
        assert_eq!(power, Ok(want));
        assert!(processor("").is_err());
    }

    #[test]
    fn interrupts() {
        let head = "           CPU0\n";
        let plain = format!(
            "{head}  0:  2  IO-APIC  2-edge  timer\n 24: 9 PCI-MSI-0000:00:02.0 0-edge virtio0\n"
        );
        assert_eq!(remapped(&plain), Ok(false));
        let dmar = format!(
            "{plain} 23: 0 DMAR-MSI 0-edge dmar0\n 25: 1 IR-PCI-MSI-0000:01:00.0 0-edge x\n"
        );
        assert_eq!(remapped(&dmar), Ok(true));
        assert!(remapped(head).is_err() && remapped("").is_err());
    }

    #[test]
    fn words_in_brackets() {
        assert_eq!(chosen("none [integrity] confidentiality\n"), Ok("integrity".to_owned()));
        assert!(chosen("none").is_err());
    }

    #[test]
    fn x11() {
        let class = "Section \"OutputClass\"\n  MatchDriver \"nvidia-drm\"\n  Driver \"nvidia\"\nEndSection\n";
        assert!(xorg_names(class, "nvidia"));
        assert!(!xorg_names("# Driver \"nvidia\"\nDriver \"modesetting\"\n", "nvidia"));
    }
}

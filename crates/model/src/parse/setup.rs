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
        let (key, value) = xorg_line(line);
        NAMING.contains(&key.as_str()) && is_named(&value, driver)
    })
}

/// Entries that name a driver.
const NAMING: &[&str] = &["driver", "matchdriver"];
/// Sections that are there for a card, and mean nothing without it.
const OF_CARDS: &[&str] = &[
    "device",
    "dri",
    "extensions",
    "files",
    "inputdevice",
    "modes",
    "module",
    "monitor",
    "outputclass",
    "screen",
    "serverflags",
    "serverlayout",
];
/// Drivers of the keyboard and mouse that card makers' programs write down (`nvidia-xconfig`).
const PLAIN_INPUT: &[&str] = &["kbd", "keyboard", "mouse"];

/// Whether configuration of the X server is about cards of this driver and
/// nothing else, so that nobody misses it without them: each card in it is
/// this driver's, and no keyboard or pointer is set up in it.
pub fn xorg_is_only(text: &str, driver: &str) -> bool {
    let mut section: Option<(String, bool)> = None;
    let mut any = false;
    for (key, value) in text.lines().map(xorg_line) {
        let fits = match (key.as_str(), &mut section) {
            ("", _) => true,
            ("section", open @ None) => {
                let known = OF_CARDS.contains(&value.as_str());
                *open = Some((value, false));
                known
            }
            ("endsection", open @ Some(_)) => {
                let (name, named) = open.take().unwrap_or_default();
                any |= named;
                named || !["device", "outputclass"].contains(&name.as_str())
            }
            (key, Some((name, _))) if name == "inputdevice" => match key {
                "driver" => PLAIN_INPUT.contains(&value.as_str()),
                key => key != "option" || !value.starts_with("xkb"),
            },
            (key, Some((_, named))) if NAMING.contains(&key) => {
                *named = is_named(&value, driver);
                *named
            }
            (_, Some(_)) => true,
            (_, None) => false,
        };
        if !fits {
            return false;
        }
    }
    any && section.is_none()
}

/// The keyword of a line, and what follows it without its quotes, both in
/// small letters; nothing of a comment.
fn xorg_line(line: &str) -> (String, String) {
    let line = line.split('#').next().unwrap_or_default().trim().to_lowercase();
    let (key, value) = line.split_once(char::is_whitespace).unwrap_or((&line, ""));
    (key.to_owned(), value.trim().trim_matches('"').to_owned())
}

/// Whether a driver is among those that an entry names (`nvidia-drm`, `nvidia|nouveau`).
fn is_named(value: &str, driver: &str) -> bool {
    value.split(['|', '-']).any(|word| word == driver)
}

/// The number of a group (group(5)).
pub fn group(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next() == Some(name);
        let number = fields.nth(1)?.parse().ok()?;
        found.then_some(number)
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

    #[test]
    fn what_x11_is_told_of_one_driver_alone() {
        let device =
            "Section \"Device\"\n Identifier \"a\"\n Driver \"nvidia\" # mine\nEndSection\n";
        let class =
            "section \"outputclass\"\nMatchDriver \"nvidia-drm\"\nModulePath \"/x\"\nendsection\n";
        let input = "Section \"InputDevice\"\nDriver \"kbd\"\nEndSection\n";
        let layout =
            "Section \"InputDevice\"\nDriver \"kbd\"\nOption \"XkbLayout\" \"de\"\nEndSection\n";
        let other = "Section \"Device\"\n Driver \"modesetting\"\nEndSection\n";
        let unnamed = "Section \"Device\"\n BusID \"PCI:1:0:0\"\nEndSection\n";
        let pointer = "Section \"InputClass\"\n Driver \"libinput\"\nEndSection\n";
        let mixed =
            "Section \"OutputClass\"\nMatchDriver \"i915\"\nDriver \"nvidia\"\nEndSection\n";
        let monitor = "Section \"Monitor\"\n Identifier \"m\"\nEndSection\n";
        for (text, want) in [
            (device.to_owned(), true),
            (class.to_owned(), true),
            (format!("# nvidia-xconfig\n\n{input}{monitor}{device}{class}"), true),
            (format!("{device}{layout}"), false),
            (format!("{device}{other}"), false),
            (format!("{device}{unnamed}"), false),
            (format!("{pointer}{device}"), false),
            (mixed.to_owned(), false),
            (monitor.to_owned(), false),
            ("Driver \"nvidia\"\n".to_owned(), false),
            (device.replace("EndSection", ""), false),
            (String::new(), false),
        ] {
            assert_eq!(xorg_is_only(&text, "nvidia"), want, "{text}");
        }
    }

    #[test]
    fn groups() {
        let text = "root:x:0:\n# kvm:x:1:\nkvm:x:104:me,you\nhalf:x\nbad:x:y:\n";
        assert_eq!(group(text, "kvm"), Some(104));
        for name in ["me", "half", "bad", "", "kv"] {
            assert_eq!(group(text, name), None, "{name}");
        }
    }
}

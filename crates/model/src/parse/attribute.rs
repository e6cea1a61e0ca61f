//! Attributes of sysfs that hold one value on one line.
//!
//! In: the text of the file. Out: the value, or what the text was. The words
//! are those of Documentation/ABI/testing/sysfs-bus-pci and sysfs-devices-power.

use std::str::FromStr;

use crate::bdf::Bdf;
use crate::fact::Why;
use crate::function::{PowerControl, PowerState, ResetMethod, RuntimeStatus};

/// The longest excerpt of unexpected content that is kept, in characters.
const EXCERPT: usize = 60;

/// What to say of content that is not as documented.
pub fn malformed(text: &str) -> Why {
    Why::Malformed(text.trim().chars().take(EXCERPT).collect::<String>().escape_debug().to_string())
}

/// A hexadecimal number, with or without `0x` (`vendor`, `class`, `flags`).
pub fn hex(text: &str) -> Result<u64, Why> {
    let word = text.trim();
    let digits = word.strip_prefix("0x").unwrap_or(word);
    // from_str_radix takes a sign, the kernel prints none.
    match u64::from_str_radix(digits, 16) {
        Ok(value) if !digits.starts_with('+') => Ok(value),
        _ => Err(malformed(text)),
    }
}

/// A hexadecimal number of 16 bits.
pub fn hex16(text: &str) -> Result<u16, Why> {
    u16::try_from(hex(text)?).map_err(|_| malformed(text))
}

/// A decimal number.
pub fn number<T: FromStr>(text: &str) -> Result<T, Why> {
    text.trim().parse().map_err(|_| malformed(text))
}

/// `0` or `1`.
pub fn flag(text: &str) -> Result<bool, Why> {
    match text.trim() {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(malformed(text)),
    }
}

/// `numa_node`: `-1` means that the firmware names none.
pub fn numa_node(text: &str) -> Result<Option<u32>, Why> {
    match number::<i64>(text)? {
        -1 => Ok(None),
        node => u32::try_from(node).map(Some).map_err(|_| malformed(text)),
    }
}

/// `driver_override`: the kernel prints `(null)` when none is set.
pub fn driver_override(text: &str) -> Option<String> {
    match text.trim() {
        "" | "(null)" => None,
        name => Some(name.to_owned()),
    }
}

/// `reset_method`: words in the order in which the kernel would try them.
pub fn reset_methods(text: &str) -> Vec<ResetMethod> {
    text.split_whitespace().map(ResetMethod::from_word).collect()
}

/// `power/control`.
pub fn power_control(text: &str) -> Result<PowerControl, Why> {
    match text.trim() {
        "auto" => Ok(PowerControl::Auto),
        "on" => Ok(PowerControl::On),
        _ => Err(malformed(text)),
    }
}

/// `power/runtime_status`.
pub fn runtime_status(text: &str) -> Result<RuntimeStatus, Why> {
    RuntimeStatus::from_word(text.trim()).ok_or_else(|| malformed(text))
}

/// `power_state`, which reads as `unknown` or `error` where the kernel does not know.
pub fn power_state(text: &str) -> Result<PowerState, Why> {
    PowerState::from_word(text.trim()).ok_or_else(|| malformed(text))
}

/// A device number, `major:minor` (`dev`).
pub fn device_number(text: &str) -> Result<(u32, u32), Why> {
    let (major, minor) = text.trim().split_once(':').ok_or_else(|| malformed(text))?;
    Ok((number(major)?, number(minor)?))
}

/// The domain and the location that amdgpu gives a compute node
/// (`topology/nodes/N/properties`): bus, device and function in 16 bits.
pub fn kfd_node(text: &str) -> Option<Bdf> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '))?;
        line.trim().parse::<u32>().ok()
    };
    let (domain, location) = (value("domain")?, value("location_id")?);
    // A processor's node has no place on the bus.
    if location == 0 {
        return None;
    }
    let [_, _, bus, slot] = location.to_be_bytes();
    Bdf::new(domain, bus, slot >> 3, slot & 7).ok()
}

/// The minor number of an NVIDIA card (`/proc/driver/nvidia/gpus/*/information`).
pub fn nvidia_minor(text: &str) -> Option<u32> {
    let line = text.lines().find_map(|line| line.strip_prefix("Device Minor:"))?;
    line.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(hex("0x10de\n"), Ok(0x10de));
        assert_eq!(hex("d2008c40660462\n"), Ok(0x00d2_008c_4066_0462));
        assert_eq!(hex16("0x10000"), Err(Why::Malformed("0x10000".into())));
        for text in ["", "0x", "+1", "0x+1", "-1", "zz", "0x1 0x2"] {
            assert!(hex(text).is_err(), "{text:?}");
        }
        assert_eq!(numa_node("-1\n"), Ok(None));
        assert_eq!(numa_node("1\n"), Ok(Some(1)));
        assert!(numa_node("-2").is_err());
        assert_eq!(device_number("254:0\n"), Ok((254, 0)));
        assert!(device_number("254").is_err());
    }

    #[test]
    fn words() {
        assert_eq!(driver_override("(null)\n"), None);
        assert_eq!(driver_override("\n"), None);
        assert_eq!(driver_override("vfio-pci\n"), Some("vfio-pci".into()));
        assert_eq!(runtime_status("suspended\n"), Ok(RuntimeStatus::Suspended));
        assert!(runtime_status("asleep\n").is_err());
        assert_eq!(power_control("auto\n"), Ok(PowerControl::Auto));
        assert!(flag("2\n").is_err());
        assert_eq!(
            reset_methods("flr bus sideways\n"),
            [ResetMethod::Flr, ResetMethod::Bus, ResetMethod::Other("sideways".into())]
        );
        assert_eq!(reset_methods("\n"), []);
    }

    #[test]
    fn excerpts_are_short_and_printable() {
        let why = malformed(&"\u{1b}[31mred".repeat(100));
        let Why::Malformed(text) = why else { panic!("{why:?}") };
        assert!(text.len() < 6 * EXCERPT && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn places_of_cards() {
        // Instinct MI210 in a dual-socket EPYC host.
        let node = "cpu_cores_count 0\nsimd_count 416\nlocation_id 49920\ndomain 0\n";
        assert_eq!(kfd_node(node), "0000:c3:00.0".parse().ok());
        assert_eq!(kfd_node("simd_count 0\nlocation_id 0\ndomain 0\n"), None);
        let card = "Model: \t\t NVIDIA A10\nIRQ:   \t\t 16\nDevice Minor: \t 3\nExcluded:\t No\n";
        assert_eq!(nvidia_minor(card), Some(3));
        assert_eq!(nvidia_minor("Model: x"), None);
    }
}

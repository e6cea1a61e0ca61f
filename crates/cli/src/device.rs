//! DEVICE on the command line, before the machine is looked at.
//!
//! In: what was typed. Out: a text that may be a device, or why it cannot be.

use model::Bdf;
use model::bdf::BdfError;

/// Checks what can be seen without looking at the machine: a text with a
/// colon is an address or `vendor:device`, all else may be a name.
pub fn parse(text: &str) -> Result<String, BdfError> {
    let ids = text.split_once(':').is_some_and(|(vendor, device)| hex4(vendor) && hex4(device));
    if ids || (!text.contains(':') && !text.trim().is_empty()) {
        return Ok(text.to_owned());
    }
    Bdf::parse_typed(text).map(|bdf| bdf.to_string())
}

fn hex4(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_may_be_a_device() {
        for (text, want) in [
            ("0000:65:00.0", Some("0000:65:00.0")),
            ("65:00.0", Some("0000:65:00.0")),
            ("10de:2331", Some("10de:2331")),
            ("gpu0", Some("gpu0")),
            ("pci_0000_65_00_0", Some("pci_0000_65_00_0")),
            ("65:00", None),
            ("65:00.8", None),
            ("10de:23311", None),
            ("", None),
            (" ", None),
        ] {
            assert_eq!(parse(text).ok().as_deref(), want, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in ".{0,24}") {
            let _ = parse(&text);
        }
    }
}

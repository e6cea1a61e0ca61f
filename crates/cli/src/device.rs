//! DEVICE on the command line: which function is meant.
//!
//! In: what was typed, the functions of the machine, the registered devices.
//! Out: one address, or an error that names what could have been meant.

use model::bdf::BdfError;
use model::{Bdf, Function, Snapshot};

use crate::error::Error;
use crate::naming::Naming;

/// Checks what can be seen without looking at the machine: a text with a
/// colon is an address or `vendor:device`, all else may be a name.
pub fn parse(text: &str) -> Result<String, BdfError> {
    let ids = text.split_once(':').is_some_and(|(vendor, device)| hex4(vendor) && hex4(device));
    if ids || (!text.contains(':') && !text.trim().is_empty()) {
        return Ok(text.to_owned());
    }
    Bdf::parse_typed(text).map(|bdf| bdf.to_string())
}

/// The function that is meant.
pub fn resolve<'a>(
    text: &str,
    snapshot: &'a Snapshot,
    naming: &Naming,
) -> Result<&'a Function, Error> {
    let unknown = || engine::Error::UnknownDevice(text.to_owned()).into();
    let named = naming.registered().find(|(name, _)| *name == text).map(|(_, bdf)| bdf);
    if let Some(bdf) = named.or_else(|| Bdf::parse_typed(text).ok()) {
        return snapshot.get(bdf).ok_or_else(unknown);
    }
    let ids = text.to_ascii_lowercase();
    let mut same = snapshot.functions.values().filter(|function| function.ids_text() == ids);
    let first = same.next().ok_or_else(unknown)?;
    let others: Vec<Bdf> = same.map(|function| function.bdf).collect();
    if others.is_empty() {
        return Ok(first);
    }
    let matches = std::iter::once(first.bdf).chain(others).collect();
    Err(engine::Error::AmbiguousDevice { text: text.to_owned(), matches }.into())
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

//! Names that users give: to a registered device, to an instance.
//!
//! In: text. Out: a name that is safe as a file name, as part of a systemd
//! unit and as a QEMU id without any quoting, or the rule that it breaks.

use std::fmt;
use std::str::FromStr;

use model::Bdf;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The name of an instance or of a registered device:
/// `[a-z0-9][a-z0-9_.-]{0,62}`.
///
/// 63 characters keep `instances/NAME/console.sock` within the 108 bytes of a
/// Unix socket's path (unix(7)) below the default state directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why a text is no name.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a name: 1 to 63 of a-z, 0-9, `_`, `.` and `-`, the first a letter or a digit, and no address"
)]
pub struct NameError(pub String);

impl Name {
    const LONGEST: usize = 63;

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = text.as_bytes().first().is_some_and(plain);
        let all = text.bytes().all(|byte| plain(&byte) || b"_.-".contains(&byte));
        // An address can be written as `pci_0000_65_00_0`: nothing else may be called that.
        let address = Bdf::parse_typed(text).is_ok();
        if first && all && !address && text.len() <= Self::LONGEST {
            Ok(Self(text.to_owned()))
        } else {
            Err(NameError(text.to_owned()))
        }
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rule() {
        let longest = "a".repeat(63);
        let too_long = "a".repeat(64);
        for (text, want) in [
            ("gpu0", true),
            ("0", true),
            ("a_b.c-d", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("", false),
            ("-gpu", false),
            (".", false),
            ("..", false),
            ("a/b", false),
            ("GPU", false),
            ("a b", false),
            ("a,b", false),
            ("ä", false),
            ("a\n", false),
            ("pci_0000_65_00_0", false),
            ("pci_net", true),
        ] {
            assert_eq!(text.parse::<Name>().is_ok(), want, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_name_is_one_file_name(text in ".{0,70}") {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert!(!name.as_str().contains(['/', '\0', ',', ' ']));
                prop_assert!(!name.as_str().starts_with('.'));
            }
        }
    }
}

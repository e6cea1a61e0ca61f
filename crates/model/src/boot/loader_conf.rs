//! systemd-boot's settings: `loader/loader.conf`.
//!
//! In: the file. Out: its settings, and which entry boots by default. Never:
//! EFI variables, which outrank the file; whoever reads them asks for the
//! entry by name.

use super::bls::{self, Entry};
use super::pattern::matches;
use super::source::Problem;

/// The settings that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// A pattern for entry names, or `@saved`.
    pub default: Option<String>,
    /// As it is written: seconds, or `menu-hidden` and the like.
    pub timeout: Option<String>,
}

/// Reads the settings; a later line counts.
pub fn parse(text: &str) -> Settings {
    let mut settings = Settings::default();
    for line in text.lines().map(str::trim) {
        let Some((key, value)) = line.split_once([' ', '\t']) else { continue };
        let value = Some(value.trim().to_owned());
        match key {
            "default" => settings.default = value,
            "timeout" => settings.timeout = value,
            _ => {}
        }
    }
    settings
}

/// The entry that boots where nobody presses a key and no EFI variable names
/// another: the first that the pattern matches, else the first of all.
///
/// # Errors
///
/// Where the settings ask for the one that booted last.
pub fn default_entry<'e>(
    settings: &Settings,
    entries: &'e [Entry],
) -> Result<Option<&'e Entry>, Problem> {
    let mut sorted: Vec<&Entry> = entries.iter().collect();
    sorted.sort_by(|one, other| bls::compare(one, other));
    let Some(pattern) = &settings.default else { return Ok(sorted.first().copied()) };
    if pattern == "@saved" {
        return Err(Problem::Format("the entry that booted last boots again, which no file says"));
    }
    // The names have an ending since systemd 250, and had none before.
    let pattern = pattern.to_lowercase();
    let named = |entry: &&&Entry| {
        let id = entry.id.to_lowercase();
        matches(&format!("{id}.conf"), &pattern) || matches(&id, &pattern)
    };
    Ok(sorted.iter().find(named).or(sorted.first()).copied())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boot::source::Source;

    #[test]
    fn settings_and_the_entry_they_choose() {
        let text = "#default x\ntimeout\t3\n default  ARCH-*\n";
        let settings = parse(text);
        assert_eq!(settings.timeout.as_deref(), Some("3"));
        let entries = ["b.conf", "arch-lts.conf", "arch-6.conf", "z+0-1.conf"]
            .map(|name| bls::parse(Source::new(name, "")));
        let of = |default: Option<&str>| {
            let default = default.map(str::to_owned);
            let settings = Settings { default, ..Settings::default() };
            default_entry(&settings, &entries).map(|entry| entry.unwrap().id.clone())
        };
        assert_eq!(default_entry(&settings, &entries).unwrap().unwrap().id, "arch-6");
        assert_eq!(of(Some("arch-lts.conf")).unwrap(), "arch-lts");
        assert_eq!(of(Some("arch-lts")).unwrap(), "arch-lts");
        assert_eq!(of(Some("gone")).unwrap(), "b");
        assert_eq!(of(None).unwrap(), "b");
        assert!(of(Some("@saved")).is_err());
        assert_eq!(default_entry(&settings, &[]), Ok(None));
    }

    proptest! {
        #[test]
        fn garbage(text in ".{0,40}") {
            let settings = parse(&text);
            prop_assert_eq!(default_entry(&settings, &[]).unwrap_or_default(), None);
        }
    }
}

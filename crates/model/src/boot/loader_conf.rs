//! systemd-boot's settings: `loader/loader.conf`.
//!
//! In: the file. Out: its settings, and which entry boots by default. Never:
//! EFI variables, which outrank the file; whoever reads them asks for the
//! entry by name.

use super::bls::{self, Entry};
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
    let named = |entry: &&&Entry| {
        is_like(&format!("{}.conf", entry.id), pattern) || is_like(&entry.id, pattern)
    };
    Ok(sorted.iter().find(named).or(sorted.first()).copied())
}

/// Whether a name matches a pattern with `*`, `?` and `[a-c]`, in any case
/// (loader.conf(5)).
pub fn is_like(name: &str, pattern: &str) -> bool {
    let letters = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    let (name, pattern) = (letters(name), letters(pattern));
    let (mut at, mut of) = (0, 0);
    // Where the last star stands, and what it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        let one = match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
                continue;
            }
            Some('?') => Some(of + 1),
            Some('[') => class(&pattern[of..], name[at]).map(|length| of + length),
            Some(&c) if c == name[at] => Some(of + 1),
            _ => None,
        };
        (at, of) = match (one, star) {
            (Some(next), _) => (at + 1, next),
            (None, Some((of, taken))) => {
                star = Some((of, taken + 1));
                (taken + 1, of + 1)
            }
            (None, None) => return false,
        };
    }
    pattern[of..].iter().all(|&c| c == '*')
}

/// How long a class is, where a letter is one of it.
fn class(pattern: &[char], c: char) -> Option<usize> {
    // A bracket that stands first is one of the letters.
    let close = pattern.iter().skip(2).position(|&c| c == ']')? + 2;
    let inner = &pattern[1..close];
    let mut at = 0;
    while let Some(&from) = inner.get(at) {
        let to = inner.get(at + 2).filter(|_| inner.get(at + 1) == Some(&'-'));
        if (from..=*to.unwrap_or(&from)).contains(&c) {
            return Some(close + 1);
        }
        at += if to.is_some() { 3 } else { 1 };
    }
    None
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

    #[test]
    fn patterns() {
        for (name, pattern, is) in [
            ("abc", "a*c", true),
            ("abc", "A?C", true),
            ("abc", "*", true),
            ("", "*", true),
            ("abc", "a[a-c]c", true),
            ("a]c", "a[]]c", true),
            ("a-c", "a[b-]c", true),
            ("abcbc", "*bc", true),
            ("abc", "a", false),
            ("abc", "a[d-f]c", false),
            ("abc", "a[", false),
            ("", "?", false),
        ] {
            assert_eq!(is_like(name, pattern), is, "{name} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn garbage(name in ".{0,8}", pattern in r"[a-c*?\[\]-]{0,8}", text in ".{0,40}") {
            let _ = (is_like(&name, &pattern), parse(&text));
            let around = format!("*{}*", name.replace(['*', '?', '[', ']'], "?"));
            prop_assert!(is_like(&name, &around));
        }
    }
}

//! Debian's `u-boot-menu`: `/etc/default/u-boot` and the `*.conf` beside it.
//!
//! In: the files in the order in which `u-boot-update` sources them. Out: the
//! kernel arguments that they give, and the files with others. Never: the
//! `extlinux.conf` that is generated from them.

use super::cmdline::{Change, agreed};
use super::shell;
use super::source::{EditError, Edited, Problem, Source};

const PARAMETERS: &str = "U_BOOT_PARAMETERS";

/// What `u-boot-update` takes where neither these files nor
/// `/etc/kernel/cmdline` say anything.
pub const FALLBACK: &str = "ro quiet";

/// The arguments, where the files give any.
///
/// # Errors
///
/// Where a file is not understood, or the value is computed.
pub fn arguments(files: &[Source<'_>]) -> Result<Option<String>, EditError> {
    Ok(shell::value(files, PARAMETERS)?.filter(|value| !value.is_empty()))
}

/// The files with changes. `fallback` is what counted so far where they give
/// none: once they give some, nothing else counts.
///
/// # Errors
///
/// As [`shell::edit`].
pub fn edit(
    files: &[Source<'_>],
    fallback: &str,
    changes: &[Change],
) -> Result<Vec<Edited>, EditError> {
    if !shell::known(files, PARAMETERS)?.is_empty() || arguments(files)?.is_some() {
        return shell::edit(files, PARAMETERS, changes);
    }
    let refuse = || Source::new(PARAMETERS, "").error(Problem::Unterminated("a quoted text"));
    let line = agreed(fallback, changes).ok_or_else(refuse)?;
    if line == fallback { Ok(Vec::new()) } else { shell::set(files, PARAMETERS, &line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits() {
        let set = |word: &str| Change::Set(word.to_owned());
        for (text, change, want) in [
            (
                "#U_BOOT_PARAMETERS=\"ro quiet\"\n",
                set("a"),
                "#U_BOOT_PARAMETERS=\"ro quiet\"\nU_BOOT_PARAMETERS=\"ro quiet a\"\n",
            ),
            ("", set("a"), "U_BOOT_PARAMETERS=\"ro quiet a\"\n"),
            ("U_BOOT_PARAMETERS=\"\"\n", set("a"), "U_BOOT_PARAMETERS=\"ro quiet a\"\n"),
            ("U_BOOT_PARAMETERS='ro'\n", set("a"), "U_BOOT_PARAMETERS='ro a'\n"),
            ("", set("ro"), ""),
            (
                "U_BOOT_PARAMETERS=$(x)\n",
                set("a"),
                "U_BOOT_PARAMETERS=$(x)\nU_BOOT_PARAMETERS=\"$U_BOOT_PARAMETERS a\"\n",
            ),
        ] {
            let edited = edit(&[Source::new("u-boot", text)], FALLBACK, &[change]).unwrap();
            let got = edited.first().map_or(text, |edited| &edited.text);
            assert_eq!(got, want, "{text:?}");
        }
    }
}

//! `/etc/kernel/cmdline`: the arguments of each kernel that is installed.
//!
//! In: the file, which kernel-install(8) and `proxmox-boot-tool` take whole.
//! Out: its arguments, and the file with others. Never: a line break that was
//! not there; Proxmox takes one line only.

use std::ops::Range;

use super::cmdline::{Change, Cmdline, agreed};
use super::pieces;
use super::source::{EditError, Problem, Source};

/// The arguments: all lines but comments, which mkinitcpio and ukify know.
pub fn arguments(text: &str) -> String {
    pieces::line(text, &lines(text))
}

/// The file with changes.
///
/// # Errors
///
/// Where the line does not take them: a quote in it has no end.
pub fn edit(source: Source<'_>, changes: &[Change]) -> Result<String, EditError> {
    let text = source.text;
    let refuse = || source.error(Problem::Unterminated("a quoted text of the line or of a change"));
    let lines = lines(text);
    let want = agreed(&arguments(text), changes).ok_or_else(refuse)?;
    let new = match lines.is_empty() {
        false => pieces::changed(text, &lines, changes).ok_or_else(refuse)?,
        true => first(text, &want),
    };
    // A word that begins with `#` may come to stand first, as a comment.
    let says = Cmdline::new(&arguments(&new)).words().eq(Cmdline::new(&want).words());
    if says { Ok(new) } else { Err(source.error(Problem::Unexpected("#".to_owned()))) }
}

/// The first line of arguments in a file without.
fn first(text: &str, line: &str) -> String {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    match (line, text.trim()) {
        ("", _) => text.to_owned(),
        (line, "") => [line, text, end].concat(),
        // Behind comments.
        (line, _) => [text, end, line, "\n"].concat(),
    }
}

/// Where arguments stand.
fn lines(text: &str) -> Vec<Range<usize>> {
    let mut next = 0;
    let lines = text.split_inclusive('\n').map(|line| {
        let start = next;
        next += line.len();
        let begin = start + line.len() - line.trim_start().len();
        begin..(start + line.trim_end().len()).max(begin)
    });
    lines.filter(|line| !line.is_empty() && !text[line.clone()].starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boot::cmdline::changed;

    #[test]
    fn a_comment_is_no_argument() {
        for text in ["", "\r\n ", "# x\n", "a\n"] {
            let change = [Change::Add("#".to_owned()), Change::Remove("a".to_owned())];
            let edited = edit(Source::new("cmdline", text), &change);
            assert!(edited.is_err(), "{text:?} {edited:?}");
        }
    }

    #[test]
    fn edits() {
        let set = |word: &str| Change::Set(word.to_owned());
        let remove = |word: &str| Change::Remove(word.to_owned());
        for (text, change, want) in [
            (
                "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n",
                set("a"),
                "root=ZFS=rpool/ROOT/pve-1 boot=zfs a\n",
            ),
            ("ro quiet", set("a"), "ro quiet a"),
            ("ro  \r\n", set("a"), "ro a  \r\n"),
            ("", set("a"), "a\n"),
            ("\n", set("a"), "a\n"),
            ("# none\n", set("a"), "# none\na\n"),
            ("# a\nro\nquiet\n", set("a"), "# a\nro\nquiet a\n"),
            ("ro\nquiet splash\n", remove("quiet"), "ro\n splash\n"),
            ("ro quiet\n", remove("ro"), "quiet\n"),
            ("ro\n", remove("x"), "ro\n"),
        ] {
            let got = edit(Source::new("cmdline", text), &[change]).unwrap();
            assert_eq!(got, want, "{text:?}");
        }
        assert!(edit(Source::new("cmdline", "\"a"), &[set("b")]).is_err());
    }

    proptest! {
        #[test]
        fn nothing_else_changes(
            text in "(([a-c](=[0-2]{0,2})?|# a)[ \t]{0,2}\r?\n?){0,6}",
            word in "[a-c](=[0-2])?", removes: bool,
        ) {
            let change = if removes { Change::Remove(word) } else { Change::Set(word) };
            let source = Source::new("cmdline", &text);
            let Ok(new) = edit(source, std::slice::from_ref(&change)) else {
                prop_assert!(text.contains('#'));
                return Ok(());
            };
            let want = changed(&arguments(&text), std::slice::from_ref(&change));
            prop_assert!(Cmdline::new(&arguments(&new)).words().eq(Cmdline::new(&want).words()), "{:?}", new);
            prop_assert_eq!(edit(Source::new("cmdline", &new), &[change]).unwrap(), new.clone());
            let comments = |text: &str| text.lines().filter(|l| l.starts_with('#')).count();
            prop_assert_eq!(comments(&new), comments(&text));
        }

        #[test]
        fn garbage(text: String) {
            let _ = edit(Source::new("cmdline", &text), &[Change::Add("a".to_owned())]);
        }
    }
}

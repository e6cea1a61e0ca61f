//! The kernel's command line: its words, and changes to them.
//!
//! In: a line as a boot loader keeps it or `/proc/cmdline` shows it. Out: what
//! it says, and the same line with changes: every other byte of it stays.
//!
//! The rules are those of `next_arg()` and `parameq()` in the kernel's
//! `lib/cmdline.c` and `kernel/params.c`: blanks separate, double quotes keep
//! blanks, `-` and `_` are the same in a name, and words behind `--` are for
//! init.

use std::fmt;
use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A change of boot arguments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// `key=value` or `key`: this one and no other of that name.
    Set(String),
    /// `key=value` or `key`, beside others of that name (`console=`, `video=`).
    Add(String),
    /// Each value in the comma-separated list of a name (`vfio-pci.ids=`).
    Include { name: String, values: Vec<String> },
    /// No `key=value`, or nothing of that name where there is no `=`.
    Remove(String),
}

/// A line with its words told apart.
#[derive(Clone, Copy, Debug)]
pub struct Cmdline<'a> {
    text: &'a str,
}

impl<'a> Cmdline<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text }
    }

    /// The words for the kernel, as they stand, quotes included.
    pub fn words(self) -> impl Iterator<Item = &'a str> {
        self.spans().map(move |span| &self.text[span])
    }

    /// All values of a name, in order; a word without `=` has an empty one.
    pub fn values(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.words().filter_map(move |word| {
            let (of, value) = parts(word);
            same_name(of, name).then_some(value.unwrap_or_default())
        })
    }

    /// The value that counts where the kernel keeps one only: the last.
    pub fn value(self, name: &str) -> Option<&'a str> {
        self.values(name).last()
    }

    /// The members of the comma-separated lists of a name.
    pub fn list(self, name: &str) -> impl Iterator<Item = &'a str> {
        self.values(name).flat_map(|value| value.split(',')).filter(|value| !value.is_empty())
    }

    /// Whether a word is there: `key=value`, or anything of that name.
    pub fn has(self, word: &str) -> bool {
        self.words().any(|other| is(other, word))
    }

    /// The places of the words for the kernel.
    fn spans(self) -> impl Iterator<Item = Range<usize>> {
        let mut from = 0;
        std::iter::from_fn(move || {
            let start = from + self.text[from..].find(|c: char| !c.is_ascii_whitespace())?;
            let mut quoted = false;
            let ends = |c: char| {
                quoted ^= c == '"';
                !quoted && c.is_ascii_whitespace()
            };
            let length = self.text[start..].find(ends).unwrap_or(self.text.len() - start);
            from = start + length;
            Some(start..from)
        })
        .take_while(move |span| &self.text[span.clone()] != "--")
    }
}

impl Change {
    /// The name that it is about.
    pub fn name(&self) -> &str {
        match self {
            Self::Set(word) | Self::Add(word) | Self::Remove(word) => parts(word).0,
            Self::Include { name, .. } => name,
        }
    }

    /// What somebody means who asks for a word: another value in the place of
    /// the one that is there, unless the kernel heeds all of that name.
    pub fn asked_for(word: &str) -> Self {
        let all = ["console", "earlycon", "netconsole", "pci", "video"];
        match all.contains(&parts(word).0) {
            true => Self::Add(word.to_owned()),
            false => Self::Set(word.to_owned()),
        }
    }

    /// Whether it is about this name: `-` and `_` are the same in it.
    pub fn is_about(&self, name: &str) -> bool {
        same_name(self.name(), name)
    }

    /// Whether it is made of whole words, which stay whole in a line.
    pub fn is_sound(&self) -> bool {
        let has_control = |text: &str| text.contains(|c: char| c.is_control());
        let is_word = |word: &str| {
            let closed = word.matches('"').count().is_multiple_of(2);
            closed && !has_control(word) && Cmdline::new(word).words().eq([word])
        };
        let is_member = |value: &String| !has_control(value) && !value.contains(['"', ',']);
        match self {
            Self::Set(word) | Self::Add(word) | Self::Remove(word) => is_word(word),
            Self::Include { name, values } => is_word(name) && values.iter().all(is_member),
        }
    }

    /// Whether a line says so already.
    pub fn is_in(&self, line: &str) -> bool {
        let line_words = Cmdline::new(line);
        match self {
            Self::Set(word) => {
                let mut same = line_words.words().filter(|other| is(other, parts(word).0));
                same.next().is_some_and(|first| is(first, word)) && same.next().is_none()
            }
            Self::Add(word) => line_words.words().any(|other| matches(other, word)),
            Self::Include { name, values } => {
                values.iter().all(|value| line_words.list(name).any(|other| other == value))
            }
            Self::Remove(word) => !line_words.has(word),
        }
    }

    /// The line with this change.
    pub fn apply(&self, line: &str) -> String {
        spliced(line, &self.hunks(line))
    }

    /// Which pieces of a line this change replaces, in order; none where the
    /// line says so already.
    pub fn hunks(&self, line: &str) -> Vec<Hunk> {
        if self.is_in(line) {
            return Vec::new();
        }
        match self {
            Self::Set(word) => put(line, parts(word).0, word),
            Self::Add(word) => vec![append(line, word)],
            Self::Include { name, values } => {
                let mut all: Vec<&str> = Vec::new();
                let present = Cmdline::new(line).list(name);
                for value in present.chain(values.iter().map(String::as_str)) {
                    if !all.contains(&value) {
                        all.push(value);
                    }
                }
                let name = Cmdline::new(line)
                    .words()
                    .map(|word| parts(word).0)
                    .find(|other| same_name(other, name))
                    .unwrap_or(name)
                    .to_owned();
                let all = all.join(",");
                let quote = if all.contains(|c: char| c.is_ascii_whitespace()) { "\"" } else { "" };
                put(line, &name, &format!("{name}={quote}{all}{quote}"))
            }
            Self::Remove(word) => remove(line, 0, |other| is(other, word)),
        }
    }
}

/// A piece of a text, in bytes, and what takes its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hunk {
    pub span: Range<usize>,
    pub text: String,
}

/// A text with pieces replaced that are in order and apart.
pub(super) fn spliced(text: &str, hunks: &[Hunk]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for Hunk { span, text: new } in hunks {
        out.push_str(&text[from..span.start]);
        out.push_str(new);
        from = span.end;
    }
    out.push_str(&text[from..]);
    out
}

/// A line with all changes, in order, where it says so then; a line with a
/// quote that has no end takes nothing, and no line takes half a word.
pub fn agreed(line: &str, changes: &[Change]) -> Option<String> {
    changes.iter().try_fold(line.to_owned(), |line, change| {
        Some(change.apply(&line)).filter(|line| change.is_sound() && change.is_in(line))
    })
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(word) | Self::Add(word) => f.write_str(word),
            Self::Include { name, values } => write!(f, "{name}={}", values.join(",")),
            Self::Remove(word) => write!(f, "no {word}"),
        }
    }
}

/// A line with all changes, in order.
pub fn changed(line: &str, changes: &[Change]) -> String {
    changes.iter().fold(line.to_owned(), |line, change| change.apply(&line))
}

/// One word of a name in place of its first one, and no other; at the end
/// where there was none.
fn put(line: &str, name: &str, word: &str) -> Vec<Hunk> {
    let first = Cmdline::new(line).spans().find(|span| is(&line[span.clone()], name));
    let Some(span) = first else { return vec![append(line, word)] };
    let others = remove(line, span.end, |other| is(other, name));
    let first = Hunk { span, text: word.to_owned() };
    std::iter::once(first).chain(others).collect()
}

/// A word behind the last one for the kernel.
fn append(line: &str, word: &str) -> Hunk {
    let end = Cmdline::new(line).spans().last().map(|span| span.end);
    let at = end.unwrap_or(0);
    let text = match end {
        Some(_) => format!(" {word}"),
        // Nothing for the kernel yet: blanks, or words for init.
        None if line.trim().is_empty() => word.to_owned(),
        None => format!("{word} "),
    };
    Hunk { span: at..at, text }
}

/// What goes with some words behind a place: the blanks before them.
fn remove(line: &str, behind: usize, gone: impl Fn(&str) -> bool) -> Vec<Hunk> {
    let mut hunks = Vec::new();
    let mut from = behind;
    let mut is_first = behind == 0;
    let words = Cmdline::new(line).spans().filter(|span| span.start >= behind);
    for span in words.filter(|span| gone(&line[span.clone()])) {
        let kept = line[from..span.start].trim_end_matches([' ', '\t']).len();
        is_first &= kept == 0;
        // The first word has no blank before it that would separate: then
        // the one behind it goes.
        let span = if is_first {
            is_first = from == span.start;
            let rest = &line[span.end..];
            let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
            span.start..span.end + blanks
        } else {
            from + kept..span.end
        };
        from = span.end;
        hunks.push(Hunk { span, text: String::new() });
    }
    hunks
}

/// A word's name and value, without the quotes that a value or the whole word
/// may have.
fn parts(word: &str) -> (&str, Option<&str>) {
    let unquoted = |text: &'_ str| -> Option<(usize, usize)> {
        (text.len() > 1 && text.starts_with('"') && text.ends_with('"'))
            .then(|| (1, text.len() - 1))
    };
    let word = unquoted(word).map_or(word, |(from, to)| &word[from..to]);
    match word.split_once('=') {
        Some((name, value)) => {
            (name, Some(unquoted(value).map_or(value, |(from, to)| &value[from..to])))
        }
        None => (word, None),
    }
}

/// Whether a word is another, or of the name that the other is.
fn is(word: &str, other: &str) -> bool {
    match parts(other).1 {
        Some(_) => matches(word, other),
        None => same_name(parts(word).0, parts(other).0),
    }
}

/// Whether two words say the same.
fn matches(word: &str, other: &str) -> bool {
    let ((name, value), (other_name, other_value)) = (parts(word), parts(other));
    same_name(name, other_name) && value == other_value
}

fn same_name(one: &str, other: &str) -> bool {
    let letters = |text: &str| text.replace('-', "_");
    one.len() == other.len() && letters(one) == letters(other)
}

/// Whether a line is of an entry for recovery: GRUB's `10_linux` adds `single`
/// (GRUB_CMDLINE_LINUX_RECOVERY), on Ubuntu `recovery`.
pub fn is_recovery(line: &str) -> bool {
    let line = Cmdline::new(line);
    line.has("single") || line.has("recovery")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(word: &str) -> Change {
        Change::Set(word.to_owned())
    }

    fn include(name: &str, values: &[&str]) -> Change {
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Change::Include { name: name.to_owned(), values }
    }

    #[test]
    fn what_it_says() {
        let line =
            Cmdline::new("root=UUID=1 ro  vfio_pci.ids=1:2,3:4 dyndbg=\"file a +p\" x -- single");
        assert_eq!(line.value("root"), Some("UUID=1"));
        assert_eq!(line.value("ro"), Some(""));
        assert_eq!(line.value("dyndbg"), Some("file a +p"));
        assert_eq!(line.list("vfio-pci.ids").collect::<Vec<_>>(), ["1:2", "3:4"]);
        assert!(line.has("x") && line.has("root=UUID=1"));
        assert!(!line.has("single") && !line.has("root=UUID=2") && !line.has("r"));
    }

    #[test]
    fn changes() {
        let remove = |word: &str| Change::Remove(word.to_owned());
        let add = |word: &str| Change::Add(word.to_owned());
        for (line, change, want) in [
            ("", set("iommu=pt"), "iommu=pt"),
            ("\n", set("iommu=pt"), "iommu=pt\n"),
            ("quiet", set("iommu=pt"), "quiet iommu=pt"),
            ("quiet \n", set("iommu=pt"), "quiet iommu=pt \n"),
            ("a iommu=off b iommu=soft", set("iommu=pt"), "a iommu=pt b"),
            ("a  iommu=pt", set("iommu=pt"), "a  iommu=pt"),
            ("intel_iommu=off", set("intel_iommu=on"), "intel_iommu=on"),
            ("ro -- single", set("iommu=pt"), "ro iommu=pt -- single"),
            ("-- single", set("iommu=pt"), "iommu=pt -- single"),
            ("nomodeset", set("nomodeset"), "nomodeset"),
            ("a video=HDMI-A-1:d", add("video=efifb:off"), "a video=HDMI-A-1:d video=efifb:off"),
            ("video=efifb:off", add("video=efifb:off"), "video=efifb:off"),
            ("vfio_pci.ids=1:2 a", include("vfio-pci.ids", &["3:4"]), "vfio_pci.ids=1:2,3:4 a"),
            ("a", include("vfio-pci.ids", &["3:4", "1:2"]), "a vfio-pci.ids=3:4,1:2"),
            ("i=1 a i=2", include("i", &["2", "3"]), "i=1,2,3 a"),
            ("i=1,2,3", include("i", &["3"]), "i=1,2,3"),
            ("a amd_iommu=off b", remove("amd_iommu=off"), "a b"),
            ("amd_iommu=off b", remove("amd_iommu=off"), "b"),
            ("a amd_iommu=fullflush", remove("amd_iommu=off"), "a amd_iommu=fullflush"),
            ("a\tx=\"1 2\" b", remove("x"), "a b"),
            ("x", remove("x"), ""),
            (" x y", remove("x"), " y"),
        ] {
            assert_eq!(change.apply(line), want, "{line:?} {change:?}");
        }
    }

    proptest! {
        /// After a change the line says so, a second time changes nothing,
        /// and all other words stay in their order.
        #[test]
        fn a_change_does_one_thing(
            words in prop::collection::vec(r#"[a-c_-]{1,3}(=([0-2,]{0,4}|"[0-2 ]{0,4}"))?"#, 0..7),
            blanks in prop::collection::vec(r"[ \t]{1,3}", 7),
            kind in 0..4, name in "[a-c_]{1,2}", value in "[0-2]{1,2}",
        ) {
            let line: String =
                words.iter().zip(&blanks).map(|(word, blank)| format!("{word}{blank}")).collect();
            let word = format!("{name}={value}");
            let change = match kind {
                0 => Change::Set(word),
                1 => Change::Add(word),
                2 => Change::Include { name: name.clone(), values: vec![value] },
                _ => Change::Remove(word),
            };
            let changed = change.apply(&line);
            prop_assert!(change.is_in(&changed), "{line:?} -> {changed:?}");
            prop_assert_eq!(change.apply(&changed), changed.clone());
            let others = |text: &str| -> Vec<String> {
                let other = |word: &&str| !is(word, &name);
                Cmdline::new(text).words().filter(other).map(str::to_owned).collect()
            };
            prop_assert_eq!(others(&line), others(&changed));
        }
    }
}

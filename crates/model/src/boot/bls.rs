//! Entries of the Boot Loader Specification, type #1: `loader/entries/*.conf`.
//!
//! In: a file, by its name and text. Out: what it boots, and the file with
//! other arguments or another title. Never: the values of GRUB's variables
//! that Fedora's entries refer to (`$kernelopts`, `$tuned_params`); they stay
//! as they are written.

use std::cmp::Ordering;
use std::ops::Range;

use super::cmdline::{Change, agreed};
use super::source::{EditError, Problem, Source};
use super::{pieces, version};

/// An entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The file's name without boot counter and `.conf`.
    pub id: String,
    pub title: Option<String>,
    pub version: Option<String>,
    pub machine_id: Option<String>,
    pub sort_key: Option<String>,
    /// The kernel, or the EFI program with one inside.
    pub kernel: Option<String>,
    pub initrds: Vec<String>,
    /// The lines with arguments put together.
    pub options: String,
    pub counter: Option<Counter>,
}

/// How often an entry is still tried, from its file's name (`+3-1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    pub left: u32,
    pub done: u32,
}

/// A line with a key.
struct Field<'a> {
    key: &'a str,
    key_span: Range<usize>,
    value: Range<usize>,
    /// With the end of the line.
    line: Range<usize>,
}

/// All lines that have a key, in order.
fn fields(text: &str) -> impl Iterator<Item = Field<'_>> {
    let mut next = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let start = next;
        next += line.len();
        let begin = start + line.len() - line.trim_start().len();
        let end = start + line.trim_end().len();
        let line = text.get(begin..end)?;
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let length = line.find([' ', '\t']).unwrap_or(line.len());
        let value = line[length..].trim_start();
        Some(Field {
            key: &line[..length],
            key_span: begin..begin + length,
            value: end - value.len()..end,
            line: start..next,
        })
    })
}

/// Reads an entry; the source's name ends in its file's name.
pub fn parse(source: Source<'_>) -> Entry {
    let (id, counter) = name(source.name);
    let mut entry = Entry { id, counter, ..Entry::default() };
    for field in fields(source.text) {
        let value = || source.text[field.value.clone()].to_owned();
        match field.key {
            "title" => entry.title = Some(value()),
            "version" => entry.version = Some(value()),
            "machine-id" => entry.machine_id = Some(value()),
            "sort-key" => entry.sort_key = Some(value()),
            "linux" => entry.kernel = Some(value()),
            // GRUB allows several in a line, and variables of its own (Red Hat's `$tuned_initrd`).
            "initrd" => {
                let paths = source.text[field.value.clone()].split_whitespace();
                let paths = paths.filter(|path| !path.contains('$'));
                entry.initrds.extend(paths.map(str::to_owned));
            }
            _ => {}
        }
    }
    entry.options = pieces::line(source.text, &options(source.text));
    entry
}

/// Whether an entry has arguments from a variable of GRUB's environment block.
pub fn refers(source: Source<'_>, variable: &str) -> bool {
    let options = parse(source).options;
    options.split_whitespace().any(|word| word.strip_prefix('$') == Some(variable))
}

/// The file with changes of its arguments.
///
/// # Errors
///
/// Where the line does not take them: a quote in it has no end.
pub fn edit(source: Source<'_>, changes: &[Change]) -> Result<String, EditError> {
    let refuse = || source.error(Problem::Unterminated("a quoted text of the line or of a change"));
    let options = options(source.text);
    if !options.is_empty() {
        return pieces::changed(source.text, &options, changes).ok_or_else(refuse);
    }
    let line = agreed("", changes).ok_or_else(refuse)?;
    let empty = fields(source.text).filter(|field| field.key == "options").last();
    Ok(match (line.as_str(), empty) {
        ("", _) => source.text.to_owned(),
        (line, Some(Field { key_span: Range { end, .. }, .. })) => {
            let (key, rest) = source.text.split_at(end);
            format!("{key} {line}{rest}")
        }
        (line, None) => with_line(source.text, &format!("options {line}")),
    })
}

/// The file of another entry, which has another title and other arguments, and
/// no key to sort by: it comes behind those with one.
///
/// # Errors
///
/// Where it names no kernel, or as [`edit`].
pub fn copy(source: Source<'_>, title: &str, changes: &[Change]) -> Result<String, EditError> {
    if parse(source).kernel.is_none() {
        return Err(source.error(Problem::NoKernel(source.name.to_owned())));
    }
    if title.trim() != title || title.is_empty() || title.contains(char::is_control) {
        let problem = Problem::NotWritable(title.to_owned(), "an entry's title");
        return Err(source.error(problem));
    }
    let mut text = source.text.to_owned();
    let found: Vec<_> = fields(source.text).filter(|field| field.key == "title").collect();
    for field in found.iter().rev() {
        let blank = if field.value.start == field.key_span.end { " " } else { "" };
        text.replace_range(field.value.clone(), &format!("{blank}{title}"));
    }
    if found.is_empty() {
        text.insert_str(0, &format!("title {title}{}", end_of_lines(source.text)));
    }
    let keys: Vec<_> = fields(&text).filter(|field| field.key == "sort-key").collect();
    let mut without = text.clone();
    for key in keys.iter().rev() {
        without.replace_range(key.line.clone(), "");
    }
    edit(Source::new(source.name, &without), changes)
}

/// In the order in which systemd-boot shows them (`boot_entry_compare()` in
/// its src/boot/efi/boot.c; the specification's "Sorting").
pub fn compare(one: &Entry, other: &Entry) -> Ordering {
    let spent = |entry: &Entry| entry.counter.is_some_and(|counter| counter.left == 0);
    let by_key = || {
        let versions = |entry: &Entry| entry.version.clone().unwrap_or_default();
        one.sort_key
            .cmp(&other.sort_key)
            .then_with(|| one.machine_id.cmp(&other.machine_id))
            .then_with(|| version::compare(&versions(other), &versions(one)))
    };
    let by_counter = || match (one.counter, other.counter) {
        (Some(a), Some(b)) => b.left.cmp(&a.left).then(a.done.cmp(&b.done)),
        _ => Ordering::Equal,
    };
    spent(one)
        .cmp(&spent(other))
        .then(one.sort_key.is_none().cmp(&other.sort_key.is_none()))
        .then_with(|| if one.sort_key.is_some() { by_key() } else { Ordering::Equal })
        .then_with(|| version::compare(&other.id, &one.id))
        .then_with(by_counter)
}

/// Where the values of `options` stand, as far as there are any.
fn options(text: &str) -> Vec<Range<usize>> {
    let options = fields(text).filter(|field| field.key == "options").map(|field| field.value);
    options.filter(|value| !value.is_empty()).collect()
}

/// A text with one more line.
fn with_line(text: &str, line: &str) -> String {
    let end = end_of_lines(text);
    let before = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    [text, before, line, end].concat()
}

fn end_of_lines(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

/// An id and a counter by a file's name.
fn name(path: &str) -> (String, Option<Counter>) {
    let name = path.rsplit('/').next().unwrap_or(path);
    let name = name.strip_suffix(".conf").unwrap_or(name);
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_number)
    };
    let counter = |text: &str| {
        let (left, done) = text.split_once('-').unwrap_or((text, "0"));
        Some(Counter { left: number(left)?, done: number(done)? })
    };
    match name.rsplit_once('+').map(|(id, text)| (id, counter(text))) {
        Some((id, Some(counter))) => (id.to_owned(), Some(counter)),
        _ => (name.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boot::cmdline::{Cmdline, changed};

    const FEDORA: &str = "title Fedora Linux (6.9.4-200.fc40.x86_64) 40 (Server Edition)\n\
        version 6.9.4-200.fc40.x86_64\nlinux /vmlinuz-6.9.4-200.fc40.x86_64\n\
        initrd /initramfs-6.9.4-200.fc40.x86_64.img $tuned_initrd\n\
        options root=UUID=1 ro rhgb quiet $tuned_params\n\
        grub_users $grub_users\ngrub_arg --unrestricted\ngrub_class fedora\n";

    fn source(text: &str) -> Source<'_> {
        Source::new("boot/loader/entries/a-6.9+3-1.conf", text)
    }

    #[test]
    fn what_an_entry_says() {
        let entry = parse(source(FEDORA));
        assert_eq!(entry.kernel.as_deref(), Some("/vmlinuz-6.9.4-200.fc40.x86_64"));
        assert_eq!(entry.options, "root=UUID=1 ro rhgb quiet $tuned_params");
        assert_eq!((&*entry.id, entry.counter), ("a-6.9", Some(Counter { left: 3, done: 1 })));
        let ids = ["a+b.conf", "a+.conf", "a+1-.conf", "a+1.conf", "x/a+0-3.conf", "a"];
        let names = ids.map(|id| name(id).1.map(|counter| counter.left));
        assert_eq!(names, [None, None, None, Some(1), Some(0), None]);
        let arch = "# x\r\n\ttitle\tArch\r\nlinux /k\r\ninitrd /u\r\ninitrd /i\r\noptions a\r\noptions  b c \r\n";
        let entry = parse(source(arch));
        assert_eq!((entry.title.as_deref(), &*entry.options), (Some("Arch"), "a b c"));
        assert_eq!(entry.initrds, ["/u", "/i"]);
    }

    #[test]
    fn edits() {
        let set = |word: &str| Change::Set(word.to_owned());
        let remove = |word: &str| Change::Remove(word.to_owned());
        for (text, change, want) in [
            ("options a\n", set("b"), "options a b\n"),
            ("options\ta  \r\nx y", set("b"), "options\ta b  \r\nx y"),
            ("options a $x\noptions b\n", set("c"), "options a $x\noptions b c\n"),
            ("options a\noptions b", remove("a"), "options \noptions b"),
            ("options a\noptions b", remove("b"), "options a\noptions "),
            ("options a=1\noptions a b", set("a=2"), "options a=2\noptions  b"),
            ("title t\r\n", set("a"), "title t\r\noptions a\r\n"),
            ("title t", set("a"), "title t\noptions a\n"),
            ("title t", remove("a"), "title t"),
            ("options\n", set("a"), "options a\n"),
            ("options \nx", set("a"), "options a \nx"),
        ] {
            let got = edit(source(text), std::slice::from_ref(&change)).unwrap();
            assert_eq!(got, want, "{text:?} {change:?}");
        }
        assert!(edit(source("options \"a\n"), &[set("b")]).is_err());
    }

    #[test]
    fn copies() {
        let changes = [Change::Set("iommu=pt".to_owned())];
        let copied = copy(source(FEDORA), "Testing", &changes).unwrap();
        let same = FEDORA.lines().zip(copied.lines()).filter(|(one, other)| one == other).count();
        assert_eq!((same, FEDORA.lines().count(), copied.lines().count()), (6, 8, 8));
        assert!(copied.contains("title Testing\n") && copied.contains("$tuned_params iommu=pt\n"));
        assert_eq!(copy(source("linux /k"), "T", &[]).unwrap(), "title T\nlinux /k");
        assert!(copy(source("title a\n"), "T", &[]).is_err());
        assert!(copy(source(FEDORA), "a\nb", &[]).is_err());
    }

    #[test]
    fn order() {
        let entry = |name: &str, text: &str| parse(Source::new(name, text));
        let mut entries = [
            entry("z.conf", ""),
            entry("a-6.10.conf", ""),
            entry("a-6.9.conf", ""),
            entry("b.conf", "sort-key b\nversion 9\n"),
            entry("c.conf", "sort-key a\nmachine-id 2\nversion 9\n"),
            entry("d.conf", "sort-key a\nmachine-id 1\nversion 6.9\n"),
            entry("e.conf", "sort-key a\nmachine-id 1\nversion 6.10\n"),
            entry("f+0-3.conf", "sort-key a\n"),
            entry("g+2-1.conf", "sort-key c\n"),
            entry("g+2.conf", "sort-key c\n"),
            entry("g+3.conf", "sort-key c\n"),
        ];
        entries.sort_by(compare);
        let order: Vec<_> =
            entries.iter().map(|e| (&*e.id, e.counter.map(|c| (c.left, c.done)))).collect();
        let g = |left, done| ("g", Some((left, done)));
        let rest = [("z", None), ("a-6.10", None), ("a-6.9", None), ("f", Some((0, 3)))];
        let first = [("e", None), ("d", None), ("c", None), ("b", None), g(3, 0), g(2, 0), g(2, 1)];
        assert_eq!(order, [&first[..], &rest].concat());
    }

    proptest! {
        #[test]
        fn only_the_arguments_change(
            lines in prop::collection::vec(
                prop_oneof![
                    "options[ \t]{1,2}([a-c](=[0-2]{0,2})?[ \t]{0,2}){0,4}",
                    "(title|linux|#|) [a-c ]{0,3}",
                ], 0..6),
            end in "\r?\n", last: bool, word in "[a-c](=[0-2])?", kind in 0..3,
        ) {
            let mut text = lines.join(&end);
            text.push_str(if last { &end } else { "" });
            let change = match kind {
                0 => Change::Set(word),
                1 => Change::Add(word),
                _ => Change::Remove(word),
            };
            let before = parse(source(&text));
            let new = edit(source(&text), std::slice::from_ref(&change)).unwrap();
            let after = parse(source(&new));
            let want = changed(&before.options, std::slice::from_ref(&change));
            prop_assert!(Cmdline::new(&after.options).words().eq(Cmdline::new(&want).words()));
            prop_assert_eq!(edit(source(&new), &[change]).unwrap(), new.clone());
            let others = |text: &str| -> Vec<String> {
                let lines = text.split_inclusive('\n').map(str::trim_end);
                lines.filter(|l| !l.starts_with("options") && !l.is_empty()).map(str::to_owned).collect()
            };
            prop_assert_eq!(others(&text), others(&new));
        }
    }
}

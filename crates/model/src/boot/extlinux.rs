//! `extlinux.conf`: the menu of syslinux and of U-Boot.
//!
//! In: the file. Out: its entries, which one boots by default, and the file
//! with other arguments for an entry or a copy of one. Never: files that it
//! includes; where it does, what boots is not known from it.
//!
//! Keywords are in any case, and the rest of their line is their value
//! (`boot/pxe_utils.c` in U-Boot, `core/elflink/…/readconfig.c` in syslinux).

use std::ops::Range;

use super::cmdline::{Change, agreed};
use super::pieces;
use super::source::{EditError, Problem, Source};

/// A menu.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Menu {
    pub entries: Vec<Entry>,
    /// The label that boots where a key was pressed or nobody is asked.
    pub default: Option<String>,
    /// The label that boots where nobody pressed a key in time.
    pub on_timeout: Option<String>,
    /// It says more in other files.
    pub includes: bool,
}

/// An entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    pub label: String,
    /// What the menu shows.
    pub title: Option<String>,
    pub kernel: Option<String>,
    pub initrd: Option<String>,
    pub arguments: String,
    /// From its `label` line to the next one.
    span: Range<usize>,
    label_span: Range<usize>,
    title_span: Option<Range<usize>>,
    initrd_span: Option<Range<usize>>,
    /// The line with the kernel.
    kernel_line: Option<Range<usize>>,
    append: Option<Range<usize>>,
}

/// What such a menu's file is called.
pub const FILE: &str = "extlinux.conf";

/// A line by its keyword.
struct Line<'a> {
    keyword: String,
    value: &'a str,
    value_span: Range<usize>,
    span: Range<usize>,
}

fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut next = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let span = next..next + line.len();
        next = span.end;
        let (keyword, value) = split(line.trim());
        if keyword.is_empty() || keyword.starts_with('#') {
            return None;
        }
        let end = span.start + line.trim_end().len();
        let value_span = end - value.len()..end;
        Some(Line { keyword: keyword.to_ascii_lowercase(), value, value_span, span })
    })
}

/// The first word, and the rest.
fn split(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}

/// Reads a menu.
pub fn parse(text: &str) -> Menu {
    let mut menu = Menu::default();
    for line in lines(text) {
        let value = line.value.to_owned();
        if line.keyword == "label" {
            if let Some(last) = menu.entries.last_mut() {
                last.span.end = line.span.start;
            }
            let (span, label_span) = (line.span.start..text.len(), line.value_span);
            menu.entries.push(Entry { label: value, span, label_span, ..Entry::default() });
            continue;
        }
        match (line.keyword.as_str(), menu.entries.last_mut()) {
            ("default", _) => menu.default = Some(value),
            ("ontimeout", _) => menu.on_timeout = Some(value),
            ("include", _) => menu.includes = true,
            ("menu", Some(entry)) => {
                let (what, title) = split(line.value);
                if what.eq_ignore_ascii_case("label") {
                    entry.title = Some(title.to_owned());
                    entry.title_span = Some(line.value_span.end - title.len()..line.value_span.end);
                } else if what.eq_ignore_ascii_case("default") && menu.default.is_none() {
                    menu.default = Some(entry.label.clone());
                }
            }
            ("linux" | "kernel", Some(entry)) => {
                entry.kernel = Some(value);
                entry.kernel_line = Some(line.span);
            }
            ("initrd", Some(entry)) => {
                entry.initrd = Some(value);
                entry.initrd_span = Some(line.value_span);
            }
            ("append", Some(entry)) => {
                entry.arguments = value;
                entry.append = Some(line.value_span);
            }
            _ => {}
        }
    }
    menu
}

impl Entry {
    /// The images of its initramfs, one behind the other (syslinux takes a
    /// list with commas).
    pub fn initrds(&self) -> impl Iterator<Item = &str> {
        let names = self.initrd.iter().flat_map(|names| names.split(','));
        names.map(str::trim).filter(|name| !name.is_empty())
    }
}

impl Menu {
    /// An entry by its label.
    pub fn entry(&self, label: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.label == label)
    }

    /// The entry that boots where nobody presses a key; nothing where the file
    /// names none.
    pub fn default_entry(&self) -> Option<&Entry> {
        self.entry(self.on_timeout.as_deref().or(self.default.as_deref())?)
    }
}

/// The file with changes of an entry's arguments.
///
/// # Errors
///
/// Where the entry is not there or names no kernel, or its line does not take
/// the changes.
pub fn edit(source: Source<'_>, label: &str, changes: &[Change]) -> Result<String, EditError> {
    let menu = parse(source.text);
    let entry = found(source, &menu, label)?;
    changed(source, entry, changes)
}

/// The file with a copy of an entry behind it, with another label, title and
/// arguments; as it is where it has that copy.
///
/// # Errors
///
/// As [`edit`], and where the label is another entry's.
pub fn insert_copy(
    source: Source<'_>,
    label: &str,
    new: (&str, &str),
    changes: &[Change],
) -> Result<String, EditError> {
    let menu = parse(source.text);
    let entry = found(source, &menu, label)?;
    for name in [new.0, new.1] {
        if name.trim() != name || name.is_empty() || name.contains(char::is_control) {
            let problem = Problem::NotWritable(name.to_owned(), "an entry's name");
            return Err(source.error_at(entry.span.start, problem));
        }
    }
    let copy = copied(source, entry, new, changes)?;
    if let Some(there) = menu.entry(new.0) {
        let is_same = source.text[there.span.clone()].trim_end() == copy.trim_end();
        let problem = Problem::SameEntry(new.0.to_owned());
        let error = || source.error_at(there.span.start, problem);
        return if is_same { Ok(source.text.to_owned()) } else { Err(error()) };
    }
    let (before, behind) = source.text.split_at(entry.span.end);
    let end = if before.ends_with('\n') { "" } else { end_of_lines(source.text) };
    Ok([before, end, &copy, behind].concat())
}

/// The file with another initramfs in an entry; as it is where the entry has
/// none.
pub fn with_initrd(source: Source<'_>, label: &str, initrd: &str) -> String {
    let mut text = source.text.to_owned();
    if let Some(span) = parse(&text).entry(label).and_then(|entry| entry.initrd_span.clone()) {
        text.replace_range(span, initrd);
    }
    text
}

/// The texts of the entries whose labels begin so.
pub fn labels(text: &str, start: &str) -> Vec<String> {
    let menu = parse(text);
    let entries = menu.entries.iter().filter(|entry| entry.label.starts_with(start));
    entries.map(|entry| text[entry.span.clone()].to_owned()).collect()
}

/// The file without the entries whose labels begin so.
pub fn without_labels(text: &str, start: &str) -> String {
    let mut text = text.to_owned();
    for entry in parse(&text).entries.iter().rev() {
        if entry.label.starts_with(start) {
            text.replace_range(entry.span.clone(), "");
        }
    }
    text
}

fn copied(
    source: Source<'_>,
    entry: &Entry,
    new: (&str, &str),
    changes: &[Change],
) -> Result<String, EditError> {
    let mut text = source.text[entry.span.clone()].to_owned();
    let makes_default = |line: &Line<'_>| {
        let what = split(line.value).0;
        line.keyword == "menu"
            && ["default", "separator"].iter().any(|one| what.eq_ignore_ascii_case(one))
    };
    // From the end: what stands before a line that goes stays where it is, and so do label and title.
    let going: Vec<Range<usize>> =
        lines(&text).filter(makes_default).map(|line| line.span).collect();
    let within = |span: &Range<usize>| span.start - entry.span.start..span.end - entry.span.start;
    let mut pieces: Vec<(Range<usize>, &str)> = going.into_iter().map(|span| (span, "")).collect();
    pieces.extend(entry.title_span.as_ref().map(|title| (within(title), new.1)));
    pieces.push((within(&entry.label_span), new.0));
    pieces.sort_by_key(|(span, _)| span.start);
    for (span, piece) in pieces.into_iter().rev() {
        text.replace_range(span, piece);
    }
    if entry.title_span.is_none() {
        let line = text.find('\n').map_or(text.len(), |end| end + 1);
        let end = end_of_lines(source.text);
        let before = if text[..line].ends_with('\n') { "" } else { end };
        text.insert_str(line, &format!("{before}\tmenu label {}{end}", new.1));
    }
    if !text.ends_with('\n') {
        text.push_str(end_of_lines(source.text));
    }
    let menu = parse(&text);
    let copy = Source::new(source.name, &text);
    changed(copy, found(copy, &menu, new.0)?, changes)
}

fn found<'m>(source: Source<'_>, menu: &'m Menu, label: &str) -> Result<&'m Entry, EditError> {
    let missing = || source.error(Problem::NoEntry(label.to_owned()));
    let entry = menu.entry(label).ok_or_else(missing)?;
    if entry.kernel.is_none() {
        return Err(source.error_at(entry.span.start, Problem::NoKernel(label.to_owned())));
    }
    Ok(entry)
}

fn changed(source: Source<'_>, entry: &Entry, changes: &[Change]) -> Result<String, EditError> {
    let text = source.text;
    let refuse = || {
        let problem = Problem::Unterminated("a quoted text of the line or of a change");
        source.error_at(entry.append.as_ref().map_or(entry.span.start, |span| span.start), problem)
    };
    if let Some(append) = entry.append.clone().filter(|append| !append.is_empty()) {
        return pieces::changed(text, &[append], changes).ok_or_else(refuse);
    }
    let line = agreed("", changes).ok_or_else(refuse)?;
    if line.is_empty() {
        return Ok(text.to_owned());
    }
    if let Some(append) = &entry.append {
        let (before, behind) = text.split_at(append.start);
        return Ok(format!("{before} {line}{behind}"));
    }
    let kernel = entry.kernel_line.clone().unwrap_or(entry.span.end..entry.span.end);
    let own = &text[kernel.clone()];
    let indent = &own[..own.len() - own.trim_start().len()];
    let end = end_of_lines(text);
    let before = if own.ends_with('\n') { "" } else { end };
    let (head, tail) = text.split_at(kernel.end);
    Ok(format!("{head}{before}{indent}append {line}{end}{tail}"))
}

fn end_of_lines(text: &str) -> &'static str {
    if text.contains("\r\n") { "\r\n" } else { "\n" }
}

#[cfg(test)]
mod tests;

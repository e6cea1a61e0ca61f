//! booster's settings: `/etc/booster.yaml`.
//!
//! In: the file. Out: its lists of modules, and the file with more or fewer of
//! them. Never: YAML at large; a list that does not stand on one line behind
//! its key is refused.

use std::ops::Range;

use super::source::{EditError, Problem, Source};

/// A list of booster's manual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `modules`: they are in the image; with a minus they are not.
    Modules,
    /// `modules_force_load`: they are loaded at boot.
    Force,
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Modules => "modules",
            Self::Force => "modules_force_load",
        }
    }
}

/// A key's value: its text without quotes, and where that stands.
struct Value {
    span: Range<usize>,
    /// The key has no value: one needs a blank before it.
    is_missing: bool,
}

/// The members of a list, in order.
///
/// # Errors
///
/// Where the list is not on one line, or its key is there twice.
fn list(source: Source<'_>, list: List) -> Result<Vec<String>, EditError> {
    let value = value(source, list.name())?;
    Ok(value.map(|value| members(&source.text[value.span])).unwrap_or_default())
}

/// The file with more members on a list.
///
/// # Errors
///
/// As [`list`], and where a name is no module's.
pub fn add(source: Source<'_>, of: List, names: &[String]) -> Result<String, EditError> {
    let mut all = list(source, of)?;
    let before = all.len();
    for name in names {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./*".contains(c);
        if name.is_empty() || name.starts_with('*') || !name.chars().all(is_plain) {
            let problem = Problem::NotWritable(name.clone(), "booster's list of modules");
            return Err(source.error(problem));
        }
        if !all.iter().any(|other| same(other, name)) {
            all.push(name.clone());
        }
    }
    if all.len() == before { Ok(source.text.to_owned()) } else { written(source, of, &all) }
}

fn written(source: Source<'_>, list: List, members: &[String]) -> Result<String, EditError> {
    let text = source.text;
    let line = members.join(",");
    Ok(match value(source, list.name())? {
        Some(Value { span, is_missing }) => {
            let blank = if is_missing { " " } else { "" };
            [&text[..span.start], blank, &line, &text[span.end..]].concat()
        }
        None => {
            let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
            let before = if text.is_empty() || text.ends_with('\n') { "" } else { end };
            [text, before, list.name(), ": ", &line, end].concat()
        }
    })
}

fn members(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Whether two members are one; a minus is part of one.
fn same(one: &str, other: &str) -> bool {
    let name = |text: &str| (text.starts_with('-'), text.trim_start_matches('-').replace('-', "_"));
    name(one) == name(other)
}

/// The value of a key of the outermost map.
fn value(source: Source<'_>, key: &str) -> Result<Option<Value>, EditError> {
    let refuse = |at: usize, what: &str| {
        source.error_at(at, Problem::Unexpected(what.chars().take(40).collect()))
    };
    let mut found: Option<(Value, usize)> = None;
    let (mut next, mut is_first) = (0, true);
    for line in source.text.split_inclusive('\n') {
        let start = next;
        next += line.len();
        let line = line.trim_end();
        if line.is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        if let Some((value, at)) = &found
            && line.starts_with([' ', '\t', '-'])
            && source.text[*at..start].trim_end().len() + at <= value.span.end.max(*at)
        {
            return Err(refuse(start, line));
        }
        if line.starts_with([' ', '\t']) || (is_first && line == "---") {
            is_first = false;
            continue;
        }
        is_first = false;
        let Some((name, rest)) = line.split_once(':') else { return Err(refuse(start, line)) };
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !name.chars().all(is_plain) || !rest.is_empty() && !rest.starts_with([' ', '\t']) {
            return Err(refuse(start, line));
        }
        if name == key {
            let at = start + name.len() + 1;
            let value = scalar(rest, at).ok_or_else(|| refuse(start, line))?;
            if found.replace((value, start)).is_some() {
                return Err(refuse(start, line));
            }
        }
    }
    Ok(found.map(|(value, _)| value))
}

/// A text on one line, with or without quotes; a comment may follow.
fn scalar(rest: &str, at: usize) -> Option<Value> {
    let text = rest.trim_start();
    let start = at + rest.len() - text.len();
    let (span, behind) = match text.chars().next() {
        None | Some('#') => return Some(Value { span: at..at, is_missing: true }),
        Some(quote @ ('"' | '\'')) => {
            let length = text[1..].find(quote)?;
            if text[1..1 + length].contains('\\') {
                return None;
            }
            (start + 1..start + 1 + length, &text[length + 2..])
        }
        Some(first) => {
            let end = text.find(" #").or_else(|| text.find("\t#")).unwrap_or(text.len());
            let plain = text[..end].trim_end();
            let is_sign = "[]{}&*!|>%@`?:,".contains(first);
            if is_sign || plain.contains(": ") || plain.ends_with(':') {
                return None;
            }
            (start..start + plain.len(), "")
        }
    };
    let behind = behind.trim_start();
    (behind.is_empty() || behind.starts_with('#')).then_some(Value { span, is_missing: false })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(text: &str) -> Source<'_> {
        Source::new("booster.yaml", text)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn edits() {
        for (text, want) in [
            ("", "modules_force_load: vfio_pci\n"),
            ("universal: true", "universal: true\nmodules_force_load: vfio_pci\n"),
            ("modules_force_load: a,b # c\n", "modules_force_load: a,b,vfio_pci # c\n"),
            ("modules_force_load: 'a'\r\n", "modules_force_load: 'a,vfio_pci'\r\n"),
            ("modules_force_load: \"\"\n", "modules_force_load: \"vfio_pci\"\n"),
            ("modules_force_load:\nx: 1\n", "modules_force_load: vfio_pci\nx: 1\n"),
            ("modules_force_load: vfio-pci\n", "modules_force_load: vfio-pci\n"),
            (
                "---\nnetwork:\n  dhcp: on\n",
                "---\nnetwork:\n  dhcp: on\nmodules_force_load: vfio_pci\n",
            ),
        ] {
            assert_eq!(add(source(text), List::Force, &names(&["vfio_pci"])).unwrap(), want);
        }
        let text = "modules: -*,ext4,-nouveau\n";
        assert_eq!(list(source(text), List::Modules).unwrap(), ["-*", "ext4", "-nouveau"]);
    }

    #[test]
    fn refusals() {
        for (text, line) in [
            ("modules: [a, b]\n", 1),
            ("x: 1\nmodules: |\n  a\n", 2),
            ("modules:\n  - a\n", 2),
            ("modules: a,\n  b\n", 2),
            ("modules:\n- a\n", 2),
            ("modules: a\nmodules: b\n", 2),
            ("modules: \"a\\n\"\n", 1),
            ("modules: 'a' b\n", 1),
            ("{modules: a}\n", 1),
            ("\"modules\": a\n", 1),
            ("x: 1\n---\nmodules: a\n", 2),
        ] {
            let error = list(source(text), List::Modules).unwrap_err();
            assert_eq!(error.line, Some(line), "{text:?}: {error}");
        }
        for name in ["", "*", "a b", "a,b", "a: b"] {
            assert!(add(source(""), List::Modules, &names(&[name])).is_err(), "{name}");
        }
    }

    proptest! {
        #[test]
        fn one_list_changes(
            lines in prop::collection::vec("(modules: [a-c,]{0,5}|y: [a-c]|z:\n  k: [a-c]|# [a-c]|)[ ]?", 0..4),
            name in "[a-c]",
        ) {
            let text = lines.join("\n");
            let change =
                |text: &str| add(source(text), List::Modules, std::slice::from_ref(&name));
            let Ok(new) = change(&text) else {
                let twice = text.matches("modules").count() > 1 || text.contains("modules: ,");
                prop_assert!(twice, "{:?}", text);
                return Ok(());
            };
            let there = list(source(&new), List::Modules).unwrap();
            prop_assert!(there.contains(&name), "{:?}", new);
            prop_assert_eq!(change(&new).unwrap(), new.clone());
            let others = |text: &str| -> Vec<String> {
                let other = |line: &&str| !line.starts_with("modules") && !line.is_empty();
                text.lines().filter(other).map(str::to_owned).collect()
            };
            prop_assert_eq!(others(&text), others(&new));
        }

        #[test]
        fn garbage(text: String, yaml in "([a-z_]{1,7}: ?['\"]?[a-c,# ]{0,4}['\"]?\n?){0,4}") {
            for text in [text, yaml] {
                let _ = add(source(&text), List::Modules, &names(&["a"]));
            }
        }
    }
}

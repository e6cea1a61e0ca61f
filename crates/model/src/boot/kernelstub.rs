//! kernelstub's settings on Pop!_OS: `/etc/kernelstub/configuration`.
//!
//! In: the file, JSON. Out: the kernel arguments in it, and the file with
//! others. Never: a change of another key, or of the order or the indentation
//! of what stands there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

use super::cmdline::{Change, Cmdline, agreed};
use super::source::{EditError, Problem, Source};

/// The arguments as they stand in the file.
struct Options {
    words: Vec<String>,
    span: Range<usize>,
    kind: Kind,
}

/// How they stand there: older versions wrote one text.
enum Kind {
    Text,
    List { members: Vec<Range<usize>> },
}

/// The arguments that kernelstub uses.
///
/// # Errors
///
/// Where the file is no JSON, or has none.
pub fn arguments(source: Source<'_>) -> Result<String, EditError> {
    Ok(options(source)?.words.join(" "))
}

/// The file with changes.
///
/// # Errors
///
/// As [`arguments`], and where a quote in them has no end.
pub fn edit(source: Source<'_>, changes: &[Change]) -> Result<String, EditError> {
    let options = options(source)?;
    let line = options.words.join(" ");
    let new = agreed(&line, changes).ok_or_else(|| {
        source.error_at(
            options.span.start,
            Problem::Unterminated("a quoted text of the line or of a change"),
        )
    })?;
    if new == line {
        return Ok(source.text.to_owned());
    }
    let value = match &options.kind {
        Kind::Text => json(&new),
        Kind::List { members } => list(source.text, &options.span, members, &new),
    };
    let (before, behind) = (&source.text[..options.span.start], &source.text[options.span.end..]);
    Ok([before, &value, behind].concat())
}

type Object<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// The arguments for this machine, or the ones that it began with.
fn options(source: Source<'_>) -> Result<Options, EditError> {
    let refuse = |error: &serde_json::Error| {
        let line = Some(error.line()).filter(|&line| line > 0);
        let problem = Problem::Format("the settings of kernelstub are not as they should be");
        EditError { file: source.name.to_owned(), line, problem }
    };
    let whole: Object<'_> = serde_json::from_str(source.text).map_err(|error| refuse(&error))?;
    for section in ["user", "default"] {
        let Some(section) = whole.get(section) else { continue };
        let section: Object<'_> =
            serde_json::from_str(section.get()).map_err(|error| refuse(&error))?;
        if let Some(raw) = section.get("kernel_options") {
            return read(source.text, raw).map_err(|error| refuse(&error));
        }
    }
    Err(source.error(Problem::NoEntry("kernel_options".to_owned())))
}

fn read(text: &str, raw: &RawValue) -> Result<Options, serde_json::Error> {
    let place = |raw: &RawValue| {
        let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
        start..start + raw.get().len()
    };
    let span = place(raw);
    if raw.get().starts_with('"') {
        let words = vec![serde_json::from_str(raw.get())?];
        return Ok(Options { words, span, kind: Kind::Text });
    }
    let words: Vec<String> = serde_json::from_str(raw.get())?;
    let members: Vec<&RawValue> = serde_json::from_str(raw.get())?;
    let members = members.into_iter().map(place).collect();
    Ok(Options { words, span, kind: Kind::List { members } })
}

/// A list with a member for each word, set like the one that it replaces.
fn list(text: &str, span: &Range<usize>, members: &[Range<usize>], line: &str) -> String {
    // Words for init are arguments, too.
    let spoken: Vec<&str> = Cmdline::new(line).words().collect();
    let init = line.split_ascii_whitespace().skip_while(|word| *word != "--");
    let words: Vec<String> = spoken.into_iter().chain(init).map(json).collect();
    if words.is_empty() {
        return "[]".to_owned();
    }
    let start = text[..span.start].rfind('\n').map_or(0, |end| end + 1);
    let own = &text[start..span.start];
    let indent = &own[..own.len() - own.trim_start_matches(' ').len()];
    let (first, last) = match (members.first(), members.last()) {
        (Some(first), Some(last)) => {
            (text[span.start + 1..first.start].to_owned(), text[last.end..span.end - 1].to_owned())
        }
        _ => (format!("\n{indent}  "), format!("\n{indent}")),
    };
    let between = match members {
        [one, other, ..] => text[one.end..other.start].to_owned(),
        _ => format!(",{first}"),
    };
    format!("[{first}{}{last}]", words.join(&between))
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const POP: &str = "{\n  \"default\": {\n    \"kernel_options\": [\n      \"quiet\",\n      \
        \"splash\"\n    ],\n    \"esp_path\": \"/boot/efi\"\n  },\n  \"user\": {\n    \
        \"kernel_options\": [\n      \"quiet\",\n      \"loglevel=0\"\n    ],\n    \
        \"live_mode\": false,\n    \"config_rev\": 3\n  }\n}\n";

    fn source(text: &str) -> Source<'_> {
        Source::new("configuration", text)
    }

    #[test]
    fn edits() {
        let set = |word: &str| Change::Set(word.to_owned());
        let remove = |word: &str| Change::Remove(word.to_owned());
        assert_eq!(arguments(source(POP)).unwrap(), "quiet loglevel=0");
        let added = POP.replace("\"loglevel=0\"\n", "\"loglevel=0\",\n      \"iommu=pt\"\n");
        assert_eq!(edit(source(POP), &[set("iommu=pt")]).unwrap(), added);
        assert_eq!(edit(source(&added), &[remove("iommu=pt")]).unwrap(), POP);
        let of = |value: &str| {
            format!("{{ \"x\": [1.50], \"default\": {{\"kernel_options\":{value}}} }}")
        };
        for (value, change, want) in [
            ("\"quiet\"", set("a"), "\"quiet a\""),
            ("\"\"", set("a"), "\"a\""),
            ("[]", set("a"), "[\n  \"a\"\n]"),
            ("[\"a\"]", set("b"), "[\"a\",\"b\"]"),
            ("[\"a\", \"b\"]", set("b=1"), "[\"a\", \"b=1\"]"),
            ("[\"a\", \"b\"]", remove("a"), "[\"b\"]"),
            ("[\"a\"]", remove("a"), "[]"),
            ("[\"a b\",\n\"c\"]", set("d"), "[\"a\",\n\"b\",\n\"c\",\n\"d\"]"),
            ("[\"a\", \"--\", \"s\"]", set("b"), "[\"a\", \"b\", \"--\", \"s\"]"),
        ] {
            assert_eq!(edit(source(&of(value)), &[change]).unwrap(), of(want), "{value}");
        }
    }

    #[test]
    fn refusals() {
        let refused = |text: &str| edit(source(text), &[Change::Add("a".to_owned())]).unwrap_err();
        assert_eq!(refused("{}").problem, Problem::NoEntry("kernel_options".to_owned()));
        assert_eq!(refused("{\n,}").line, Some(2));
        for text in ["", "[]", "{\"user\": 1}", "{\"user\":{\"kernel_options\":[1]}}"] {
            assert!(matches!(refused(text).problem, Problem::Format(_)), "{text}");
        }
        let open = refused("{\"user\":{\"kernel_options\":[\"\\\"\"]}}");
        assert_eq!(open.problem, Problem::Unterminated("a quoted text of the line or of a change"));
    }

    proptest! {
        #[test]
        fn nothing_else_changes(
            words in prop::collection::vec("[a-c](=[0-2é]{0,2})?", 0..5), word in "[a-c](=[0-2])?", removes: bool,
        ) {
            let value = serde_json::json!({
                "default": { "kernel_options": ["x"] }, "user": { "kernel_options": words, "z": 1 },
            });
            let text = serde_json::to_string_pretty(&value).unwrap();
            let change = if removes { Change::Remove(word) } else { Change::Set(word) };
            let new = edit(source(&text), std::slice::from_ref(&change)).unwrap();
            let mut want = value;
            let line = change.apply(&words.join(" "));
            want["user"]["kernel_options"] = line.split(' ').filter(|w| !w.is_empty()).collect();
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&new).unwrap(), want.clone());
            prop_assert_eq!(&new, &serde_json::to_string_pretty(&want).unwrap());
            prop_assert_eq!(edit(source(&new), &[change]).unwrap(), new.clone());
        }

        #[test]
        fn garbage(text: String) {
            let _ = edit(source(&text), &[Change::Add("a".to_owned())]);
        }
    }
}

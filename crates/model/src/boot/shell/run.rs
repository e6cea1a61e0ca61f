//! What a command of a script does to variables.
//!
//! In: a command, and whether it surely runs. Out: assignments, of which some
//! are not known. Never: running it; a command that may change anything makes
//! everything unknown.

use super::super::source::Dynamic;
use super::script::Command;
use super::value::{Assignment, Piece, Values};
use super::word::{Kind, Part, Quote, Word, name_length};

/// A script that is read.
pub struct Run<'a> {
    pub file: usize,
    pub text: &'a str,
    pub is_sure: bool,
}

/// Commands that change the names that are their arguments.
const NAMING: &[&str] = &[
    "read",
    "readonly",
    "declare",
    "typeset",
    "local",
    "getopts",
    "mapfile",
    "readarray",
    "let",
    "printf",
    "unset",
];

/// Commands that may change any name.
const ANYTHING: &[&str] = &[".", "source", "eval", "trap", "alias", "builtin", "command"];

/// Commands before which an assignment may stay (POSIX.1-2024, 2.15).
const SPECIAL: &[&str] = &[":", "set", "shift", "times", "break", "continue", "export"];

impl Run<'_> {
    /// Whether the rest of the script perhaps does not run.
    pub fn command(&self, values: &mut Values<'_>, command: &Command) -> bool {
        let assigning = |word: &&Word| self.assigned(word).is_some();
        let prefix: Vec<&Word> = command.words.iter().take_while(assigning).collect();
        let rest = &command.words[prefix.len()..];
        for word in &command.words {
            for name in &word.assigns {
                self.forget(values, name, word);
            }
            if word.assigns_any {
                values.taint(self.file);
            }
        }
        let Some((first, arguments)) = rest.split_first() else {
            prefix.iter().for_each(|word| self.assign(values, word, Expands::Nothing));
            return false;
        };
        let name = first.literal(self.text).unwrap_or_default();
        if self.subscript(first).is_some() || SPECIAL.contains(&name.as_str()) {
            let names = prefix.iter().filter_map(|word| self.assigned(word)).map(|(name, _)| name);
            names.chain(self.subscript(first)).for_each(|name| self.forget(values, name, first));
        }
        match name.as_str() {
            "" => values.taint(self.file),
            "export" => self.export(values, arguments),
            "for" | "select" => self.name_all(values, &arguments[..arguments.len().min(1)]),
            "printf" if arguments.first().and_then(|word| word.bare(self.text)) != Some("-v") => {}
            "unset" if self.is_sure => self.unset(values, arguments),
            "return" => return true,
            "exit" | "exec" => values.ended = true,
            name if ANYTHING.contains(&name) || values.functions.contains(name) => {
                values.taint(self.file);
            }
            name if NAMING.contains(&name) => self.name_all(values, arguments),
            _ => {}
        }
        false
    }

    fn name_all(&self, values: &mut Values<'_>, arguments: &[Word]) {
        for word in arguments {
            if word.literal(self.text).is_none() && self.assigned(word).is_none() {
                return values.taint(self.file);
            }
            let text = &self.text[word.span.clone()];
            let name = &text[..name_length(text)];
            if !name.is_empty() {
                self.forget(values, name, word);
            }
        }
    }

    fn unset(&self, values: &mut Values<'_>, arguments: &[Word]) {
        for word in arguments {
            match word.bare(self.text) {
                Some("-v") => {}
                Some(name) if name_length(name) == name.len() && values.tainted.is_none() => {
                    values.last.remove(name);
                }
                _ => values.taint(self.file),
            }
        }
    }

    fn export(&self, values: &mut Values<'_>, arguments: &[Word]) {
        // All arguments are expanded before the first is assigned.
        let expands = match arguments.iter().filter(|word| self.assigned(word).is_some()).count() {
            0 | 1 => Expands::Bare,
            _ => Expands::Any,
        };
        for word in arguments {
            if self.assigned(word).is_some() {
                self.assign(values, word, expands);
            } else if word.literal(self.text).is_none() {
                return values.taint(self.file);
            }
        }
    }

    /// The name that a word assigns, and whether it appends.
    fn assigned<'w>(&'w self, word: &Word) -> Option<(&'w str, bool)> {
        let first = word.parts.first()?;
        if (first.quote, &first.kind) != (Quote::Bare, &Kind::Verbatim) {
            return None;
        }
        let text = &self.text[first.span.clone()];
        let length = name_length(text);
        let (name, behind) = text.split_at(length);
        let appends = behind.starts_with("+=");
        (length > 0 && (appends || behind.starts_with('='))).then_some((name, appends))
    }

    /// The list of which a word assigns a member.
    fn subscript<'w>(&'w self, word: &Word) -> Option<&'w str> {
        let text = &self.text[word.span.clone()];
        let length = name_length(text);
        (length > 0 && text[length..].starts_with('[') && text.contains('='))
            .then(|| &text[..length])
    }

    /// A name that is assigned in a way that is not known.
    fn forget(&self, values: &mut Values<'_>, name: &str, word: &Word) {
        let why = if self.is_sure { Dynamic::Elsewhere } else { Dynamic::Conditional };
        let (file, span) = (self.file, word.span.clone());
        let (start, pieces) = (span.start, vec![Piece::Unknown(why)]);
        values.assign(Assignment { name: name.to_owned(), file, span, start, pieces });
    }

    fn assign(&self, values: &mut Values<'_>, word: &Word, expands: Expands) {
        let Some((name, appends)) = self.assigned(word) else { return };
        if !self.is_sure {
            return self.forget(values, name, word);
        }
        let earlier = |values: &Values<'_>, of: &str| match values.last.get(of) {
            Some(&earlier) => Some(Piece::Earlier(earlier)),
            None if values.tainted.is_some() => Some(Piece::Unknown(Dynamic::Elsewhere)),
            None if of == name => None,
            None => Some(Piece::Unknown(Dynamic::Environment)),
        };
        let value = word.span.start + name.len() + 1 + usize::from(appends);
        let mut pieces = Vec::new();
        if appends {
            pieces.extend(earlier(values, name));
        }
        // An empty piece says where an empty value would grow.
        let quote = Quote::Bare;
        pieces.push(Piece::Text { span: value..value, quote, escaped: None });
        for Part { span, quote, kind } in &word.parts {
            let span = span.start.max(value)..span.end.max(value);
            let bare = *quote == Quote::Bare;
            match kind {
                Kind::Verbatim if bare && is_expanded(&self.text[span.clone()], expands) => {
                    pieces.push(Piece::Unknown(Dynamic::Computed));
                }
                Kind::Verbatim => {
                    pieces.push(Piece::Text { span, quote: *quote, escaped: None });
                }
                Kind::Escaped(c) => {
                    pieces.push(Piece::Text { span, quote: *quote, escaped: Some(*c) });
                }
                Kind::Name(_) if expands == Expands::Any || bare && expands == Expands::Bare => {
                    pieces.push(Piece::Unknown(Dynamic::Computed));
                }
                Kind::Name(of) => pieces.extend(earlier(values, of)),
                Kind::Opaque => pieces.push(Piece::Unknown(Dynamic::Computed)),
            }
        }
        if word.is_list {
            pieces.push(Piece::Unknown(Dynamic::List));
        }
        let (name, file, start) = (name.to_owned(), self.file, word.span.start);
        let span = value..word.span.end;
        values.assign(Assignment { name, file, span, start, pieces });
    }
}

/// What of an assignment a shell may take apart or look up otherwise.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expands {
    /// It stands alone.
    Nothing,
    /// It is an argument: what is not quoted.
    Bare,
    /// It is one argument of several: each name, too.
    Any,
}

/// Whether a shell makes something else of a bare piece of a value: a home
/// folder, or where it is an argument, files and alternatives.
fn is_expanded(text: &str, expands: Expands) -> bool {
    text.starts_with('~')
        || text.contains(":~")
        || expands != Expands::Nothing && text.contains(['*', '?', '[', '{'])
}

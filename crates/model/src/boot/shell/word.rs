//! The words of a shell script, with the quoting that they stand in.
//!
//! In: a script's text and a place in it. Out: the word there, part by part,
//! each with its place. Never: expansion; `$NAME` stays a name, and what a
//! shell would compute stays opaque.
//!
//! The rules are those of POSIX.1-2024, Shell Command Language, 2.2 "Quoting"
//! and 2.3 "Token Recognition", with lists (`NAME=(a b)`) from bash(1).

use std::ops::Range;

use super::super::source::Problem;

/// How deep substitutions and quotes may stand in one another.
const DEPTH: usize = 32;

/// A word of a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Word {
    pub span: Range<usize>,
    pub parts: Vec<Part>,
    /// Names that the word assigns as a side effect, as `${NAME:=value}` does.
    pub assigns: Vec<String>,
    /// It may assign any name: `$((…))` with an assignment in it.
    pub assigns_any: bool,
    /// It is `NAME=(…)`.
    pub is_list: bool,
}

/// A piece of a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub span: Range<usize>,
    pub quote: Quote,
    pub kind: Kind,
}

/// What a piece of a word means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Exactly its text.
    Verbatim,
    /// One character, written with a backslash.
    Escaped(char),
    /// `$NAME` or `${NAME}`.
    Name(String),
    /// Something that the shell computes.
    Opaque,
}

/// The quoting that a piece of a word stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quote {
    Bare,
    Single,
    Double,
}

/// A place in a script.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    pub text: &'a str,
    pub at: usize,
}

/// What stands where, in a script.
pub type Fault = (usize, Problem);

impl Word {
    /// Its text where a shell would take it as it stands.
    pub fn literal(&self, text: &str) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match &part.kind {
                Kind::Verbatim => out.push_str(&text[part.span.clone()]),
                Kind::Escaped(c) => out.push(*c),
                Kind::Name(_) | Kind::Opaque => return None,
            }
        }
        (!self.is_list).then_some(out)
    }

    /// Its text where nothing of it is quoted.
    pub fn bare<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self.parts.as_slice() {
            [Part { span, quote: Quote::Bare, kind: Kind::Verbatim }] if !self.is_list => {
                Some(&text[span.clone()])
            }
            _ => None,
        }
    }

    pub(super) fn push(&mut self, span: Range<usize>, quote: Quote, kind: Kind) {
        if let Some(last) = self.parts.last_mut()
            && (last.quote, last.span.end) == (quote, span.start)
            && (&last.kind, &kind) == (&Kind::Verbatim, &Kind::Verbatim)
        {
            last.span.end = span.end;
            return;
        }
        self.parts.push(Part { span, quote, kind });
    }
}

/// A name's length at the beginning of a text.
pub fn name_length(text: &str) -> usize {
    let is_digit = |c: char| c.is_ascii_digit();
    if text.starts_with(is_digit) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

impl<'a> Cursor<'a> {
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Goes past a character and says where it stands.
    pub(super) fn take(&mut self) -> Option<(char, Range<usize>)> {
        let c = self.rest().chars().next()?;
        let start = self.at;
        self.at += c.len_utf8();
        Some((c, start..self.at))
    }

    /// Goes past blanks and continuations of a line.
    pub fn skip_blanks(&mut self) {
        loop {
            let rest = self.rest();
            match rest.as_bytes() {
                [b' ' | b'\t', ..] => self.at += 1,
                [b'\\', b'\n', ..] => self.at += 2,
                _ => return,
            }
        }
    }

    /// The word here; empty where an operator stands.
    pub fn word(&mut self) -> Result<Word, Fault> {
        self.word_of(true)
    }

    fn word_of(&mut self, may_be_list: bool) -> Result<Word, Fault> {
        let start = self.at;
        let mut word = Word::default();
        while let Some(byte) = self.peek() {
            match byte {
                b'(' if may_be_list && self.is_list(start) => {
                    self.list(&mut word)?;
                    break;
                }
                b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>' => break,
                b'\'' => self.single(&mut word)?,
                b'"' => self.double(&mut word, DEPTH)?,
                b'\\' => self.escape(&mut word)?,
                b'$' => self.dollar(&mut word, Quote::Bare, DEPTH)?,
                b'`' => self.backquote(&mut word, Quote::Bare)?,
                _ => {
                    let Some((_, span)) = self.take() else { break };
                    word.push(span, Quote::Bare, Kind::Verbatim);
                }
            }
        }
        word.span = start..self.at;
        Ok(word)
    }

    /// Whether a word so far is `NAME=` or `NAME+=`.
    fn is_list(&self, start: usize) -> bool {
        let word = &self.text[start..self.at];
        let Some(name) = word.strip_suffix('=') else { return false };
        let name = name.strip_suffix('+').unwrap_or(name);
        !name.is_empty() && name_length(name) == name.len()
    }

    /// What is in it is not looked at, other than what it does beside.
    fn list(&mut self, word: &mut Word) -> Result<(), Fault> {
        let open = self.at;
        self.at += 1;
        word.is_list = true;
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return Err((open, Problem::Unterminated("a list"))),
                Some(b'\n') => self.at += 1,
                Some(b'#') => self.skip_line(),
                Some(b')') => break,
                Some(_) => {
                    let start = self.at;
                    let member = self.word_of(false)?;
                    if self.at == start {
                        return Err((start, Problem::Unexpected("(".to_owned())));
                    }
                    word.assigns.extend(member.assigns);
                    word.assigns_any |= member.assigns_any;
                }
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Goes to the end of a line.
    pub fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    pub(super) fn single(&mut self, word: &mut Word) -> Result<(), Fault> {
        let start = self.at + 1;
        let Some(length) = self.text[start..].find('\'') else {
            return Err((self.at, Problem::Unterminated("a quoted text")));
        };
        self.at = start + length + 1;
        word.push(start..start + length, Quote::Single, Kind::Verbatim);
        Ok(())
    }

    pub(super) fn double(&mut self, word: &mut Word, depth: usize) -> Result<(), Fault> {
        let open = self.at;
        let depth = depth.checked_sub(1).ok_or((open, Problem::TooDeep("quoted texts")))?;
        self.at += 1;
        // An empty piece says where an empty text would grow.
        word.push(self.at..self.at, Quote::Double, Kind::Verbatim);
        loop {
            match self.peek() {
                None => return Err((open, Problem::Unterminated("a quoted text"))),
                Some(b'"') => break,
                Some(b'`') => self.backquote(word, Quote::Double)?,
                Some(b'$') => self.dollar(word, Quote::Double, depth)?,
                Some(b'\\') => self.double_escape(word),
                Some(_) => {
                    let Some((_, span)) = self.take() else { break };
                    word.push(span, Quote::Double, Kind::Verbatim);
                    continue;
                }
            }
            word.push(self.at..self.at, Quote::Double, Kind::Verbatim);
        }
        self.at += 1;
        Ok(())
    }

    /// Between double quotes a backslash counts before five characters only.
    fn double_escape(&mut self, word: &mut Word) {
        let start = self.at;
        match self.text.as_bytes().get(start + 1) {
            Some(b'\n') => self.at += 2,
            Some(&c @ (b'$' | b'`' | b'"' | b'\\')) => {
                self.at += 2;
                word.push(start..self.at, Quote::Double, Kind::Escaped(c.into()));
            }
            _ => {
                self.at += 1;
                word.push(start..self.at, Quote::Double, Kind::Verbatim);
            }
        }
    }

    pub(super) fn escape(&mut self, word: &mut Word) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        match self.take() {
            Some(('\n', _)) => Ok(()),
            Some((c, end)) => {
                word.push(start..end.end, Quote::Bare, Kind::Escaped(c));
                Ok(())
            }
            None => Err((start, Problem::Unterminated("a continued line"))),
        }
    }
}

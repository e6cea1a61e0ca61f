//! What a shell puts in the place of a dollar or of backquotes.
//!
//! In: a place in a script where one stands. Out: a name, or that the shell
//! computes something there, and which names it assigns on the way. Never:
//! what comes of it.
//!
//! The rules are those of POSIX.1-2024, Shell Command Language, 2.6 "Word
//! Expansions", with `$'…'` and `$"…"` from bash(1).

use super::super::source::Problem;
use super::word::{Cursor, Fault, Kind, Quote, Word, name_length};

impl Cursor<'_> {
    /// What stands behind `$`.
    pub fn dollar(&mut self, word: &mut Word, quote: Quote, depth: usize) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        let kind = match self.peek() {
            Some(b'{') => self.braces(word, depth)?,
            Some(b'(') => {
                let from = self.at;
                self.parentheses(depth)?;
                let inner = &self.text[from..self.at];
                let assigns = inner.contains('=') || inner.contains("++") || inner.contains("--");
                word.assigns_any |= inner.starts_with("((") && assigns;
                Kind::Opaque
            }
            // $'…' and $"…" are bash's; other shells take the dollar as it is.
            Some(b'\'' | b'"') if quote == Quote::Bare => {
                let mut inner = Word::default();
                if self.peek() == Some(b'\'') {
                    self.dollar_single()?;
                } else {
                    self.double(&mut inner, depth)?;
                }
                Kind::Opaque
            }
            Some(b'@' | b'*' | b'#' | b'?' | b'-' | b'$' | b'!' | b'0'..=b'9') => {
                self.at += 1;
                Kind::Opaque
            }
            Some(byte) if byte.is_ascii_alphabetic() || byte == b'_' => {
                let length = name_length(self.rest());
                let name = self.rest()[..length].to_owned();
                self.at += length;
                Kind::Name(name)
            }
            _ => Kind::Verbatim,
        };
        word.push(start..self.at, quote, kind);
        Ok(())
    }

    /// `'…'` with escapes, behind a dollar.
    fn dollar_single(&mut self) -> Result<(), Fault> {
        let open = self.at;
        self.at += 1;
        loop {
            match self.take() {
                Some(('\'', _)) => return Ok(()),
                Some(('\\', _)) => drop(self.take()),
                Some(_) => {}
                None => return Err((open, Problem::Unterminated("a quoted text"))),
            }
        }
    }

    /// `{…}` behind a dollar.
    fn braces(&mut self, word: &mut Word, depth: usize) -> Result<Kind, Fault> {
        let open = self.at;
        let depth = depth.checked_sub(1).ok_or((open, Problem::TooDeep("expansions")))?;
        self.at += 1;
        let inner = self.rest();
        let length = name_length(inner);
        let (name, behind) = inner.split_at(length);
        if length > 0 && behind.starts_with('}') {
            self.at += length + 1;
            return Ok(Kind::Name(name.to_owned()));
        }
        if behind.starts_with('=') || behind.starts_with(":=") {
            word.assigns.push(name.to_owned());
        }
        let mut nested = Word::default();
        loop {
            match self.peek() {
                None => return Err((open, Problem::Unterminated("an expansion"))),
                Some(b'}') => break,
                Some(b'"') => self.double(&mut nested, depth)?,
                Some(b'$') => self.dollar(&mut nested, Quote::Bare, depth)?,
                Some(b'`') => self.backquote(&mut nested, Quote::Bare)?,
                // Whether an apostrophe quotes here depends on what is around
                // it and on the shell.
                Some(b'\'') => return Err((self.at, Problem::Unexpected("'".to_owned()))),
                Some(b'\\') => self.escape(&mut nested)?,
                Some(_) => drop(self.take()),
            }
        }
        self.at += 1;
        word.assigns.append(&mut nested.assigns);
        word.assigns_any |= nested.assigns_any;
        Ok(Kind::Opaque)
    }

    /// `(…)` behind a dollar: a command or a sum.
    fn parentheses(&mut self, depth: usize) -> Result<(), Fault> {
        let start = self.at;
        let depth = depth.checked_sub(1).ok_or((start, Problem::TooDeep("substitutions")))?;
        let mut open = 0_usize;
        let mut inner = Word::default();
        loop {
            match self.peek() {
                None => return Err((start, Problem::Unterminated("a substitution"))),
                Some(b'\'') => self.single(&mut inner)?,
                Some(b'"') => self.double(&mut inner, depth)?,
                Some(b'\\') => self.escape(&mut inner)?,
                Some(b'`') => self.backquote(&mut inner, Quote::Bare)?,
                Some(b'$') => self.dollar(&mut inner, Quote::Bare, depth)?,
                Some(b'(') => {
                    open += 1;
                    self.at += 1;
                }
                Some(b')') => {
                    open -= 1;
                    self.at += 1;
                    if open == 0 {
                        return Ok(());
                    }
                }
                Some(_) => drop(self.take()),
            }
        }
    }

    pub fn backquote(&mut self, word: &mut Word, quote: Quote) -> Result<(), Fault> {
        let start = self.at;
        self.at += 1;
        loop {
            match self.take() {
                Some(('`', _)) => break,
                Some(('\\', _)) => drop(self.take()),
                Some(_) => {}
                None => return Err((start, Problem::Unterminated("a substitution"))),
            }
        }
        word.push(start..self.at, quote, Kind::Opaque);
        Ok(())
    }
}

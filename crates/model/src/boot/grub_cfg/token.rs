//! The words and signs of a GRUB script.
//!
//! In: `grub.cfg`. Out: its tokens with their places. Never: expansion; a
//! variable stays as it is written.
//!
//! The rules are those of GRUB's `grub-core/script/yylex.l`: like a shell's,
//! but for braces, which stand for themselves wherever they are not quoted.

use std::ops::Range;

use super::super::source::Problem;

/// A token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Word(Word),
    /// A semicolon or the end of a line.
    Break,
    Open(usize),
    Close(usize),
    /// `|`, `&`, `<`, `>`.
    Sign,
}

/// A word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    pub span: Range<usize>,
    /// Without its quotes; variables as they are written.
    pub value: String,
}

/// All tokens of a script.
pub fn tokens(text: &str) -> Result<Vec<Token>, (usize, Problem)> {
    let bytes = text.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let token = match byte {
            b' ' | b'\t' => None,
            b'\\' if bytes.get(at + 1) == Some(&b'\n') => {
                at += 1;
                None
            }
            b'#' => {
                let length = text[at..].find('\n').unwrap_or(text.len() - at);
                at += length;
                continue;
            }
            b'\n' | b';' => Some(Token::Break),
            b'{' => Some(Token::Open(at)),
            b'}' => Some(Token::Close(at)),
            b'|' | b'&' | b'<' | b'>' => Some(Token::Sign),
            _ => {
                let word = word(text, at)?;
                at = word.span.end;
                tokens.push(Token::Word(word));
                continue;
            }
        };
        tokens.extend(token);
        at += 1;
    }
    Ok(tokens)
}

/// The word at a place.
fn word(text: &str, start: usize) -> Result<Word, (usize, Problem)> {
    const QUOTE: Problem = Problem::Unterminated("a quoted text");
    let mut value = String::new();
    let mut at = start;
    while let Some(c) = text[at..].chars().next() {
        match c {
            ' ' | '\t' | '\n' | ';' | '{' | '}' | '|' | '&' | '<' | '>' => break,
            '\'' => {
                let length = text[at + 1..].find('\'').ok_or((at, QUOTE))?;
                value.push_str(&text[at + 1..at + 1 + length]);
                at += length + 2;
            }
            '"' => at = double(text, at, &mut value)?,
            '\\' => at = escape(text, at, &mut value)?,
            '$' if text[at + 1..].starts_with('{') => {
                let length = text[at..].find('}').ok_or((at, Problem::Unterminated("a name")))?;
                value.push_str(&text[at..=at + length]);
                at += length + 1;
            }
            c => {
                value.push(c);
                at += c.len_utf8();
            }
        }
    }
    Ok(Word { span: start..at, value })
}

/// Where a text between double quotes ends.
fn double(text: &str, open: usize, value: &mut String) -> Result<usize, (usize, Problem)> {
    let mut rest = text[open + 1..].char_indices().peekable();
    while let Some((at, c)) = rest.next() {
        match c {
            '"' => return Ok(open + 1 + at + 1),
            '\\' => match rest.peek() {
                Some(&(_, '\n')) => drop(rest.next()),
                Some(&(_, c @ ('$' | '"' | '\\'))) => {
                    value.push(c);
                    rest.next();
                }
                _ => value.push('\\'),
            },
            c => value.push(c),
        }
    }
    Err((open, Problem::Unterminated("a quoted text")))
}

fn escape(text: &str, at: usize, value: &mut String) -> Result<usize, (usize, Problem)> {
    match text[at + 1..].chars().next() {
        Some('\n') => Ok(at + 2),
        Some(c) => {
            value.push(c);
            Ok(at + 1 + c.len_utf8())
        }
        None => Err((at, Problem::Unterminated("a continued line"))),
    }
}

/// A text between quotes that change nothing in it.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

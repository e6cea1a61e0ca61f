//! A file's text, a changed text, and why a text is left alone.
//!
//! In: nothing but names and lines. Out: errors that say file, line and
//! reason. Never: reading; whoever read the file gives it a name.

use std::fmt;

use thiserror::Error;

use crate::file::Content;

/// A file as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// What messages call it: its path.
    pub name: &'a str,
    pub text: &'a str,
}

impl<'a> Source<'a> {
    pub fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text }
    }

    /// An error at a place of this file, in bytes.
    pub(super) fn error_at(self, offset: usize, problem: Problem) -> EditError {
        let before = self.text.as_bytes().get(..offset).unwrap_or(self.text.as_bytes());
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        EditError { file: self.name.to_owned(), line: Some(line), problem }
    }

    /// An error of this file as a whole.
    pub(super) fn error(self, problem: Problem) -> EditError {
        EditError { file: self.name.to_owned(), line: None, problem }
    }
}

/// A file's text, of which every byte is kept. After a power cut a file may
/// have the length that it was to have, and zeros in it.
pub fn whole(path: &str, content: &Content) -> Result<String, EditError> {
    let wrong = |line, problem| EditError {
        file: path.to_owned(),
        line,
        problem: Problem::Format(problem),
    };
    if let Some(at) = content.0.iter().position(|byte| *byte == 0) {
        let line = content.0[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        return Err(wrong(Some(line), "there are zeros in it: it was not written to its end"));
    }
    let text = String::from_utf8(content.0.clone());
    text.map_err(|_| wrong(None, "it is no UTF-8, so it is not changed here"))
}

/// A file of a list with its new text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edited {
    /// Its place in the list.
    pub index: usize,
    pub text: String,
}

/// The same files with new texts.
pub(super) fn with_texts<'a>(files: &[Source<'a>], texts: &'a [String]) -> Vec<Source<'a>> {
    files.iter().zip(texts).map(|(file, text)| Source::new(file.name, text)).collect()
}

/// The files whose new text is another one.
pub(super) fn differences(files: &[Source<'_>], texts: Vec<String>) -> Vec<Edited> {
    let edited = texts.into_iter().enumerate().map(|(index, text)| Edited { index, text });
    edited.filter(|edited| edited.text != files[edited.index].text).collect()
}

/// Why a file could not be understood or changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {problem}", Place(file, *line))]
pub struct EditError {
    pub file: String,
    /// Counted from one; none where the file as a whole is meant.
    pub line: Option<usize>,
    pub problem: Problem,
}

struct Place<'a>(&'a str, Option<usize>);

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(line) => write!(f, "`{}`, line {line}", self.0),
            None => write!(f, "`{}`", self.0),
        }
    }
}

/// What is wrong with a place of a file.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Problem {
    #[error("{0} has no end")]
    Unterminated(&'static str),
    #[error("`{0}` has no beginning or no end")]
    Unbalanced(String),
    #[error("`{0}` is not understood here")]
    Unexpected(String),
    #[error("{0} stand one in another too deeply")]
    TooDeep(&'static str),
    #[error("the value of `{0}` is too long")]
    TooLong(String),
    #[error("the value of `{name}` is {how}, so what is in it is not known")]
    Dynamic { name: String, how: Dynamic },
    #[error("`{word}` stands in `{other}`, which `{name}` refers to")]
    OfAnother { name: String, other: String, word: String },
    #[error("`{0}` cannot be changed here without a change of something else")]
    Entangled(String),
    #[error("there is no entry `{0}`")]
    NoEntry(String),
    #[error("there is an entry `{0}` already")]
    SameEntry(String),
    #[error("entry `{0}` names no kernel")]
    NoKernel(String),
    #[error("`{0}` cannot stand in {1}")]
    NotWritable(String, &'static str),
    #[error("{0}")]
    Format(&'static str),
}

/// Why a shell variable's value is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Dynamic {
    #[error("computed when the file is read")]
    Computed,
    #[error("assigned on a condition")]
    Conditional,
    #[error("perhaps changed by another file or command")]
    Elsewhere,
    #[error("taken from the environment")]
    Environment,
    #[error("a list")]
    List,
}

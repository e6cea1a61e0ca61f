//! The commands of a shell script, and which of them surely run.
//!
//! In: a script that another one sources. Out: its commands, word by word, in
//! order, without the bodies of functions. Never: running; a command in a
//! condition or a loop is marked as perhaps running, and a script with an
//! unbalanced end is refused.

use std::collections::BTreeSet;

use super::super::source::Problem;
use super::word::{Cursor, Fault, Word};

/// A command: words up to an operator or the end of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    pub words: Vec<Word>,
    /// It stands where every run of the script comes by, in this shell.
    pub is_sure: bool,
}

/// What a script does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    pub commands: Vec<Command>,
    /// The functions that it defines.
    pub functions: BTreeSet<String>,
}

/// What has begun and not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    If,
    Loop,
    Brace,
    Parenthesis,
    /// `case WORD`, before `in`.
    CaseHead,
    /// Where a pattern is expected.
    CasePattern,
    CaseBody,
}

struct Parser<'a> {
    cursor: Cursor<'a>,
    script: Script,
    words: Vec<Word>,
    open: Vec<(Open, usize)>,
    /// The next compound command is a function's body.
    defines: bool,
    /// How many are open, at least, while the body of a function is read.
    body: Option<usize>,
    /// Behind `&&`, `||` or `|`.
    is_joined: bool,
    /// Here-documents whose text begins on the next line: end, and whether
    /// tabs before it are left out.
    documents: Vec<(String, bool, usize)>,
}

/// Reads a script.
pub fn parse(text: &str) -> Result<Script, Fault> {
    let mut parser = Parser {
        cursor: Cursor { text, at: 0 },
        script: Script::default(),
        words: Vec::new(),
        open: Vec::new(),
        defines: false,
        body: None,
        is_joined: false,
        documents: Vec::new(),
    };
    while parser.step()? {}
    parser.finish(true);
    if let Some((_, _, at)) = parser.documents.first() {
        return Err((*at, Problem::Unterminated("a here-document")));
    }
    match parser.open.last() {
        Some((_, at)) => {
            Err((*at, Problem::Unbalanced(parser.cursor.text[*at..].chars().take(5).collect())))
        }
        None => Ok(parser.script),
    }
}

impl Parser<'_> {
    /// Goes past the next word or operator; not at the end.
    fn step(&mut self) -> Result<bool, Fault> {
        self.cursor.skip_blanks();
        let at = self.cursor.at;
        let Some(byte) = self.cursor.peek() else { return Ok(false) };
        let next = self.cursor.text.as_bytes().get(at + 1).copied();
        match (byte, next) {
            (b'#', _) => self.cursor.skip_line(),
            (b'\n', _) => self.new_line()?,
            (b';', Some(b';' | b'&')) => self.end_case_branch()?,
            (b';', _) => self.operator(1, true, false),
            (b'&', Some(b'&')) => self.operator(2, true, true),
            (b'&', Some(b'>')) => self.cursor.at += 1,
            (b'&', _) => self.operator(1, false, false),
            (b'|', Some(b'|')) => self.operator(2, true, true),
            (b'|', Some(b'&')) => self.operator(2, false, true),
            (b'|', _) => self.operator(1, false, true),
            (b'(', _) => self.parenthesis()?,
            (b')', _) => self.close_parenthesis()?,
            (b'<' | b'>', _) => self.redirection()?,
            _ => self.word()?,
        }
        Ok(true)
    }

    fn operator(&mut self, length: usize, is_sure: bool, joins: bool) {
        self.finish(is_sure);
        self.cursor.at += length;
        self.is_joined = joins;
    }

    /// The command so far is one.
    fn finish(&mut self, is_sure: bool) {
        let words = std::mem::take(&mut self.words);
        if !words.is_empty() && self.body.is_none() {
            let is_sure = is_sure && self.open.is_empty() && !self.is_joined;
            self.script.commands.push(Command { words, is_sure });
            self.is_joined = false;
        }
    }

    fn new_line(&mut self) -> Result<(), Fault> {
        self.finish(true);
        self.cursor.at += 1;
        for (end, strips, at) in std::mem::take(&mut self.documents) {
            loop {
                let rest = self.cursor.rest();
                if rest.is_empty() {
                    return Err((at, Problem::Unterminated("a here-document")));
                }
                let line = &rest[..rest.find('\n').unwrap_or(rest.len())];
                self.cursor.at += (line.len() + 1).min(rest.len());
                let line = if strips { line.trim_start_matches('\t') } else { line };
                if line == end {
                    break;
                }
            }
        }
        Ok(())
    }

    fn redirection(&mut self) -> Result<(), Fault> {
        let at = self.cursor.at;
        let rest = self.cursor.rest();
        let length = rest.find(|c| !matches!(c, '<' | '>' | '&' | '|')).unwrap_or(rest.len());
        let operator = &rest[..length];
        self.cursor.at += length;
        let strips = operator == "<<" && self.cursor.peek() == Some(b'-');
        self.cursor.at += usize::from(strips);
        self.cursor.skip_blanks();
        if self.cursor.peek() == Some(b'(') && operator.len() == 1 {
            // A process substitution: what is in it runs in a shell of its own.
            return Err((at, Problem::Unexpected(format!("{operator}("))));
        }
        let target = self.cursor.word()?;
        if target.span.is_empty() {
            return Err((at, Problem::Unexpected(operator.to_owned())));
        }
        if operator == "<<" {
            let text = self.cursor.text;
            let end = target.literal(text).unwrap_or_else(|| text[target.span.clone()].to_owned());
            self.documents.push((end, strips, at));
        }
        Ok(())
    }

    fn parenthesis(&mut self) -> Result<(), Fault> {
        let at = self.cursor.at;
        self.cursor.at += 1;
        if matches!(self.open.last(), Some((Open::CasePattern, _))) && self.words.is_empty() {
            return Ok(());
        }
        match self.words.as_slice() {
            // A sum may assign anything (bash(1), "Compound Commands").
            [] if self.cursor.peek() == Some(b'(') => {
                return Err((at, Problem::Unexpected("((".to_owned())));
            }
            [] => self.begin(Open::Parenthesis, at),
            [name] => {
                let name = name.bare(self.cursor.text).map(str::to_owned);
                self.cursor.skip_blanks();
                let (Some(name), Some(b')')) = (name, self.cursor.peek()) else {
                    return Err((at, Problem::Unexpected("(".to_owned())));
                };
                self.cursor.at += 1;
                self.script.functions.insert(name);
                self.words.clear();
                self.defines = true;
            }
            _ => return Err((at, Problem::Unexpected("(".to_owned()))),
        }
        Ok(())
    }

    fn close_parenthesis(&mut self) -> Result<(), Fault> {
        let at = self.cursor.at;
        if let Some((open @ Open::CasePattern, _)) = self.open.last_mut() {
            *open = Open::CaseBody;
            self.words.clear();
            self.cursor.at += 1;
            return Ok(());
        }
        self.finish(true);
        self.cursor.at += 1;
        self.close(Open::Parenthesis, at)
    }

    fn end_case_branch(&mut self) -> Result<(), Fault> {
        let at = self.cursor.at;
        self.finish(true);
        let rest = self.cursor.rest();
        self.cursor.at += if rest.starts_with(";;&") { 3 } else { 2 };
        self.is_joined = false;
        match self.open.last_mut() {
            Some((open @ Open::CaseBody, _)) => {
                *open = Open::CasePattern;
                Ok(())
            }
            _ => Err((at, Problem::Unbalanced(";;".to_owned()))),
        }
    }

    fn begin(&mut self, what: Open, at: usize) {
        self.open.push((what, at));
        // A body does not run where it stands, but where its name does.
        if std::mem::take(&mut self.defines) && self.body.is_none() {
            self.body = Some(self.open.len());
        }
    }

    fn close(&mut self, what: Open, at: usize) -> Result<(), Fault> {
        self.is_joined = false;
        match self.open.pop() {
            Some((open, _)) if open == what => {
                self.body = self.body.filter(|&body| self.open.len() >= body);
                Ok(())
            }
            _ => {
                let word = self.cursor.text[at..self.cursor.at].to_owned();
                Err((at, Problem::Unbalanced(word)))
            }
        }
    }

    fn word(&mut self) -> Result<(), Fault> {
        let at = self.cursor.at;
        let word = self.cursor.word()?;
        if word.span.is_empty() && self.cursor.at == at {
            let found = self.cursor.rest().chars().take(1).collect();
            return Err((at, Problem::Unexpected(found)));
        }
        let bare = word.bare(self.cursor.text);
        let is_number = bare.is_some_and(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        if is_number && matches!(self.cursor.peek(), Some(b'<' | b'>')) {
            // The descriptor that is redirected.
            return Ok(());
        }
        match self.open.last_mut() {
            Some((open @ Open::CaseHead, _)) => {
                if bare == Some("in") {
                    *open = Open::CasePattern;
                }
                return Ok(());
            }
            Some((Open::CasePattern, _)) if bare != Some("esac") => return Ok(()),
            _ => {}
        }
        if self.words.is_empty()
            && let Some(bare) = bare
            && self.reserved(bare, at)?
        {
            return Ok(());
        }
        // A body that is no compound command: it is taken for one that may run.
        self.is_joined |= std::mem::take(&mut self.defines);
        self.words.push(word);
        Ok(())
    }

    /// Whether a first word is one of the shell's own, which it then follows.
    fn reserved(&mut self, word: &str, at: usize) -> Result<bool, Fault> {
        match word {
            "if" => self.begin(Open::If, at),
            "while" | "until" => self.begin(Open::Loop, at),
            // What follows, `NAME in …`, is kept as a command: it assigns.
            "for" | "select" => {
                self.begin(Open::Loop, at);
                return Ok(false);
            }
            "case" => {
                self.begin(Open::CaseHead, at);
                self.cursor.skip_blanks();
                self.cursor.word()?;
            }
            "{" => self.begin(Open::Brace, at),
            "then" | "elif" | "else" | "do" => {}
            "!" | "time" | "coproc" => self.is_joined = true,
            "function" => {
                self.cursor.skip_blanks();
                let name = self.cursor.word()?;
                let name = self.cursor.text[name.span].to_owned();
                self.cursor.skip_blanks();
                if self.cursor.rest().starts_with("()") {
                    self.cursor.at += 2;
                }
                self.script.functions.insert(name);
                self.defines = true;
            }
            "fi" => self.close(Open::If, at)?,
            "done" => self.close(Open::Loop, at)?,
            "}" => self.close(Open::Brace, at)?,
            "esac" => {
                if let Some((open @ Open::CaseBody, _)) = self.open.last_mut() {
                    *open = Open::CasePattern;
                }
                self.close(Open::CasePattern, at)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

//! What variables are worth behind a list of files that a shell sources.
//!
//! In: the files in the order in which they are sourced. Out: each assignment
//! with the pieces of its value, and where each piece stands. Never: a value
//! that depends on a condition, a command or another file; that is
//! [`Dynamic`].
//!
//! A value keeps a reference to an earlier one as a reference, so that
//! `X="$X more"` a thousand times over stays small.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::super::source::{Dynamic, EditError, Problem, Source};
use super::run::Run;
use super::script;
use super::word::Quote;

/// How long a value may be, in pieces: more than any boot loader takes.
const LONGEST: usize = 1 << 16;

/// Stands in a line for a piece that is not known. Not a blank, so that the
/// word around it is another word than any that is looked for.
const UNKNOWN: char = '\u{fffc}';

/// An assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub name: String,
    pub file: usize,
    /// Where its value stands, and where the word with the name begins.
    pub span: Range<usize>,
    pub start: usize,
    pub pieces: Vec<Piece>,
}

/// A piece of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Text { span: Range<usize>, quote: Quote, escaped: Option<char> },
    Earlier(usize),
    Unknown(Dynamic),
}

/// All assignments of the files, and which one each name has in the end.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    files: &'a [Source<'a>],
    pub assignments: Vec<Assignment>,
    pub last: BTreeMap<String, usize>,
    /// The file that may change any name, where one does.
    pub tainted: Option<usize>,
    /// The functions that are defined so far: each may assign anything.
    pub functions: BTreeSet<String>,
    /// Nothing from here on surely runs.
    pub ended: bool,
}

/// A value put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub text: String,
    pub parts: Vec<LinePart>,
    pub unknown: Option<Dynamic>,
}

/// Where a piece of a line comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinePart {
    pub span: Range<usize>,
    pub assignment: usize,
    pub piece: usize,
}

/// Reads the files.
pub fn read<'a>(files: &'a [Source<'a>]) -> Result<Values<'a>, EditError> {
    let (assignments, last) = (Vec::new(), BTreeMap::new());
    let functions = BTreeSet::new();
    let mut values = Values { files, assignments, last, tainted: None, functions, ended: false };
    for (index, file) in files.iter().enumerate() {
        let script =
            script::parse(file.text).map_err(|(at, problem)| file.error_at(at, problem))?;
        values.functions.extend(script.functions);
        let mut returned = values.ended;
        for command in &script.commands {
            let is_sure = command.is_sure && !returned && !values.ended;
            let run = Run { file: index, text: file.text, is_sure };
            returned |= run.command(&mut values, command);
        }
    }
    Ok(values)
}

impl Values<'_> {
    /// The value of a name, put together; nothing where it has none.
    pub fn line(&self, name: &str) -> Result<Option<Line>, EditError> {
        let Some(&last) = self.last.get(name) else {
            let unknown = Line { unknown: Some(Dynamic::Elsewhere), ..Line::default() };
            return Ok(self.tainted.map(|_| unknown));
        };
        let mut line = Line::default();
        let mut stack = vec![(last, 0)];
        let mut steps = 0;
        while let Some((index, piece)) = stack.pop() {
            let assignment = &self.assignments[index];
            let Some(found) = assignment.pieces.get(piece) else { continue };
            stack.push((index, piece + 1));
            steps += 1;
            if steps > LONGEST || line.text.len() > LONGEST {
                let problem = Problem::TooLong(name.to_owned());
                return Err(self.files[assignment.file].error_at(assignment.start, problem));
            }
            let start = line.text.len();
            match found {
                Piece::Earlier(earlier) => {
                    stack.push((*earlier, 0));
                    continue;
                }
                Piece::Text { escaped: Some(c), .. } => line.text.push(*c),
                Piece::Text { span, .. } => {
                    line.text.push_str(&self.files[assignment.file].text[span.clone()]);
                }
                Piece::Unknown(why) => {
                    line.unknown = line.unknown.or(Some(*why));
                    line.text.push(UNKNOWN);
                }
            }
            let span = start..line.text.len();
            line.parts.push(LinePart { span, assignment: index, piece });
        }
        Ok(Some(line))
    }

    /// An error at the assignment that a name has in the end.
    pub fn error(&self, name: &str, problem: Problem) -> EditError {
        let place = self.last.get(name).map(|&last| &self.assignments[last]);
        match (place, self.tainted) {
            (Some(place), _) => self.files[place.file].error_at(place.start, problem),
            (None, Some(file)) => self.files[file].error(problem),
            (None, None) => match self.files.last() {
                Some(file) => file.error(problem),
                None => Source::new(name, "").error(problem),
            },
        }
    }

    /// The text of a file.
    pub fn text(&self, file: usize) -> &str {
        self.files[file].text
    }

    pub fn taint(&mut self, file: usize) {
        self.last.clear();
        self.tainted = Some(file);
    }

    pub fn assign(&mut self, assignment: Assignment) {
        self.last.insert(assignment.name.clone(), self.assignments.len());
        self.assignments.push(assignment);
    }
}

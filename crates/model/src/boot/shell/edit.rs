//! Another value for a variable, in the files that assign it.
//!
//! In: the files, a variable and what is to change in its value, which is a
//! line of words. Out: the files that changed. Never: a change of another
//! variable; each edit is read back before it is returned.
//!
//! A word is changed where it stands, in the quoting in which it stands. A
//! word that comes in goes behind the last one of the assignment that counts
//! in the end; where that one cannot be extended (its value is computed, say),
//! a line `NAME="$NAME word"` goes to the end of its file.

use std::collections::BTreeMap;

use super::super::cmdline::{Change, Cmdline, Hunk, spliced};
use super::super::source::{EditError, Edited, Problem, Source, differences, with_texts};
use super::compare::same_others;
use super::place::InPlace;
use super::quote::{escaped, quoted};
use super::value::{self, Line, Piece, Values};
use super::word::Quote;

/// A piece of a file and what takes its place.
pub(super) type Replacement = (usize, Hunk);

/// The files with changes to a variable whose value is a line of words.
///
/// # Errors
///
/// Where a file is not understood, where a word would have to go that is not
/// known to be there, or where nothing but the change of another variable
/// would do.
pub fn edit(
    files: &[Source<'_>],
    name: &str,
    changes: &[Change],
) -> Result<Vec<Edited>, EditError> {
    let mut texts: Vec<String> = files.iter().map(|file| file.text.to_owned()).collect();
    for change in changes {
        let now = with_texts(files, &texts);
        if let Some(new) = (Edit { files: &now, name, change }).texts()? {
            texts = new;
        }
    }
    Ok(differences(files, texts))
}

/// The files with a value for a variable, as it stands.
///
/// # Errors
///
/// Where a file is not understood, or the value would not count.
pub fn set(files: &[Source<'_>], name: &str, new: &str) -> Result<Vec<Edited>, EditError> {
    let before = value::read(files)?;
    let entangled = || before.error(name, Problem::Entangled(name.to_owned()));
    // A carriage return ends a line of the file; in the value it means nothing.
    let says = |line: Line| line.unknown.is_none() && line.text.trim_end_matches('\r') == new;
    if before.line(name)?.is_some_and(says) {
        return Ok(Vec::new());
    }
    let replaced = before.last.get(name).map(|&last| &before.assignments[last]).and_then(|last| {
        let style = last.pieces.iter().rev().find_map(|piece| match piece {
            Piece::Text { quote, .. } => Some(*quote),
            _ => None,
        });
        let plain = last.pieces.iter().all(|piece| matches!(piece, Piece::Text { .. }));
        let quoted = quoted(new, style.unwrap_or(Quote::Double));
        let value = &files[last.file].text[last.span.clone()];
        let span = last.span.start..last.span.start + value.trim_end_matches('\r').len();
        plain.then_some((last.file, Hunk { span, text: quoted }))
    });
    let assigned = format!("{name}={}", quoted(new, Quote::Double));
    let appended = files.len().checked_sub(1).map(|file| {
        let file = before.last.get(name).map_or(file, |&last| before.assignments[last].file);
        (file, end_of(files[file].text, &assigned))
    });
    for replacement in [replaced, appended].into_iter().flatten() {
        let texts = replace(files, vec![replacement]).ok_or_else(entangled)?;
        let sources = with_texts(files, &texts);
        let Ok(after) = value::read(&sources) else { continue };
        let is_new = after.line(name)?.is_some_and(says);
        if is_new && same_others(&before, &after, name) {
            return Ok(differences(files, texts));
        }
    }
    Err(entangled())
}

/// One change.
struct Edit<'a> {
    files: &'a [Source<'a>],
    name: &'a str,
    change: &'a Change,
}

impl Edit<'_> {
    /// The new texts; nothing where the value says so already.
    fn texts(&self) -> Result<Option<Vec<String>>, EditError> {
        let before = value::read(self.files)?;
        let open = Problem::Unterminated("a quoted text of the line or of a change");
        if !self.change.is_sound() {
            return Err(before.error(self.name, open));
        }
        let line = before.line(self.name)?.unwrap_or_default();
        let hunks = self.change.hunks(&line.text);
        if hunks.is_empty() {
            return match (self.change, line.unknown) {
                (Change::Remove(_), Some(how)) => {
                    let problem = Problem::Dynamic { name: self.name.to_owned(), how };
                    Err(before.error(self.name, problem))
                }
                _ => Ok(None),
            };
        }
        let want = spliced(&line.text, &hunks);
        if !self.change.is_in(&want) {
            return Err(before.error(self.name, open));
        }
        let is_new = |after: &Values<'_>| {
            let line = after.line(self.name).ok().flatten().unwrap_or_default();
            Cmdline::new(&line.text).words().eq(Cmdline::new(&want).words())
                && same_others(&before, after, self.name)
        };
        let in_place = InPlace { files: self.files, values: &before, name: self.name, line: &line };
        let places = in_place.replacements(&hunks);
        let added = self.appended(&before, &line, &hunks);
        let tried = places.as_ref().map(Vec::as_slice).unwrap_or_default().iter().cloned();
        for replacements in tried.chain(added) {
            let Some(texts) = replace(self.files, replacements) else { continue };
            if value::read(&with_texts(self.files, &texts)).is_ok_and(|after| is_new(&after)) {
                return Ok(Some(texts));
            }
        }
        places?;
        Err(before.error(self.name, Problem::Entangled(self.name.to_owned())))
    }

    /// A line of its own, for a word that comes in.
    fn appended(
        &self,
        values: &Values<'_>,
        line: &Line,
        hunks: &[Hunk],
    ) -> Option<Vec<Replacement>> {
        let [Hunk { span, text }] = hunks else { return None };
        let is_last = Cmdline::new(&line.text[span.start..]).words().next().is_none();
        if !span.is_empty() || !is_last {
            return None;
        }
        let (name, word) = (self.name, escaped(text.trim(), Quote::Double));
        let file = match values.last.get(name) {
            Some(&last) => values.assignments[last].file,
            None => values.tainted.unwrap_or(0),
        };
        let is_there = !line.text.is_empty() || line.unknown.is_some();
        let assignment = match is_there {
            true => format!("{name}=\"${name} {word}\""),
            false => format!("{name}=\"{word}\""),
        };
        let text = self.files.get(file)?.text;
        Some(vec![(file, end_of(text, &assignment))])
    }
}

/// A line at the end of a text, with the ends that its lines have.
pub(super) fn end_of(text: &str, line: &str) -> Hunk {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let before = if text.is_empty() || text.ends_with('\n') { "" } else { end };
    Hunk { span: text.len()..text.len(), text: format!("{before}{line}{end}") }
}

/// All files with pieces replaced; nothing where two of them overlap.
pub(super) fn replace(files: &[Source<'_>], replacements: Vec<Replacement>) -> Option<Vec<String>> {
    let mut of_file: BTreeMap<usize, Vec<Hunk>> = BTreeMap::new();
    for (file, hunk) in replacements {
        of_file.entry(file).or_default().push(hunk);
    }
    let mut texts: Vec<String> = files.iter().map(|file| file.text.to_owned()).collect();
    for (file, mut hunks) in of_file {
        hunks.sort_by_key(|hunk| (hunk.span.start, hunk.span.end));
        if hunks.windows(2).any(|pair| pair[0].span.end > pair[1].span.start) {
            return None;
        }
        let text = texts.get_mut(file)?;
        *text = spliced(text, &hunks);
    }
    Some(texts)
}

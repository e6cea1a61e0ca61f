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
use std::ops::Range;

use super::super::cmdline::{Change, Cmdline, Hunk, spliced};
use super::super::source::{EditError, Edited, Problem, Source, differences, with_texts};
use super::value::{self, Assignment, Line, LinePart, Piece, Values};
use super::word::Quote;

/// Where an assignment goes that no file has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// `NAME="…"`, at the end of the first file.
    Assign,
    /// `NAME+=" … "`, at the end of the first file: bash, with blanks around
    /// each word (dracut.conf(5)).
    Append,
}

/// A piece of a file and what takes its place.
type Replacement = (usize, Hunk);

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
    missing: Missing,
) -> Result<Vec<Edited>, EditError> {
    let mut texts: Vec<String> = files.iter().map(|file| file.text.to_owned()).collect();
    for change in changes {
        let now = with_texts(files, &texts);
        if let Some(new) = (Edit { files: &now, name, change, missing }).texts()? {
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
        plain.then(|| (last.file, Hunk { span, text: quoted }))
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
    missing: Missing,
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
        let in_place = InPlace { values: &before, edit: self, line: &line };
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
        let assignment = match self.missing {
            Missing::Append => format!("{name}+=\" {word} \""),
            Missing::Assign if is_there => format!("{name}=\"${name} {word}\""),
            Missing::Assign => format!("{name}=\"{word}\""),
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

/// Changes where the words stand.
struct InPlace<'a> {
    values: &'a Values<'a>,
    edit: &'a Edit<'a>,
    line: &'a Line,
}

impl InPlace<'_> {
    /// Ways to do it, the best one first.
    fn replacements(&self, hunks: &[Hunk]) -> Result<Vec<Vec<Replacement>>, EditError> {
        let mut removed = Vec::new();
        let mut inserted: Option<(&Hunk, Vec<&LinePart>)> = None;
        for hunk in hunks {
            let text = |part: &&LinePart| {
                let span = part.span.start.max(hunk.span.start)..part.span.end.min(hunk.span.end);
                !self.line.text[span].trim().is_empty()
            };
            let home = self.parts(&hunk.span).find(text).map(|part| part.assignment);
            for part in self.parts(&hunk.span) {
                // Blanks around a word that goes may stay in other assignments.
                if text(&part) || home == Some(part.assignment) {
                    removed.push(self.removed(part, hunk)?);
                }
            }
            if !hunk.text.is_empty() {
                inserted = Some((hunk, self.places(&hunk.span)));
            }
        }
        let Some((hunk, places)) = inserted else { return Ok(vec![removed]) };
        let ways = places.into_iter().take(6).flat_map(|part| self.inserted(part, hunk));
        Ok(ways.map(|(inserted, wraps)| merged(&removed, inserted, wraps)).collect())
    }

    /// The pieces of the line that a part of it covers.
    fn parts(&self, span: &Range<usize>) -> impl Iterator<Item = &LinePart> {
        let from = self.line.parts.partition_point(|part| part.span.end <= span.start);
        let end = span.end;
        self.line.parts[from..]
            .iter()
            .take_while(move |part| part.span.start < end)
            .filter(|part| !part.span.is_empty())
    }

    fn piece(&self, part: &LinePart) -> (&Assignment, &Piece) {
        let assignment = &self.values.assignments[part.assignment];
        (assignment, &assignment.pieces[part.piece])
    }

    fn removed(&self, part: &LinePart, hunk: &Hunk) -> Result<Replacement, EditError> {
        let (assignment, piece) = self.piece(part);
        let name = self.edit.name.to_owned();
        let fail =
            |problem| Err(self.edit.files[assignment.file].error_at(assignment.start, problem));
        if assignment.name != name {
            let word = self.line.text[hunk.span.clone()].trim().to_owned();
            return fail(Problem::OfAnother { name, other: assignment.name.clone(), word });
        }
        let span = match piece {
            Piece::Text { span, escaped: None, .. } => {
                let from = hunk.span.start.saturating_sub(part.span.start);
                let to = (hunk.span.end - part.span.start).min(part.span.len());
                span.start + from..span.start + to
            }
            Piece::Text { span, .. } => span.clone(),
            Piece::Unknown(how) => return fail(Problem::Dynamic { name, how: *how }),
            Piece::Earlier(_) => return fail(Problem::Entangled(name)),
        };
        Ok((assignment.file, Hunk { span, text: String::new() }))
    }

    /// Pieces in which a text may go into the line: where the first word that
    /// it replaces stands; else those around the place, the ones first that
    /// belong to the assignment that counts.
    fn places(&self, span: &Range<usize>) -> Vec<&LinePart> {
        if !span.is_empty() {
            return self.parts(span).take(1).collect();
        }
        let from = self.line.parts.partition_point(|part| part.span.end < span.start);
        let around = self.line.parts[from..].iter();
        let mut around: Vec<_> = around.take_while(|part| part.span.start <= span.start).collect();
        let last = self.values.last.get(self.edit.name);
        // Bare pieces last: there a blank needs quotes of its own.
        around.sort_by_key(|part| {
            let bare = matches!(self.piece(part).1, Piece::Text { quote: Quote::Bare, .. });
            let is_before = part.span.start < span.start;
            (last != Some(&part.assignment), bare, !is_before)
        });
        around
    }

    /// A text at a place of a piece; `true` where it replaces the whole value.
    fn inserted(&self, part: &LinePart, hunk: &Hunk) -> Vec<(Replacement, bool)> {
        let (assignment, piece) = self.piece(part);
        let Piece::Text { span, quote, escaped: of } = piece else { return Vec::new() };
        let within = hunk.span.start.saturating_sub(part.span.start);
        let at = match of {
            Some(_) if within > 0 && hunk.span.is_empty() => span.end,
            Some(_) => span.start,
            None => span.start + within.min(span.len()),
        };
        let (file, text) = (assignment.file, escaped(&hunk.text, *quote));
        let plain = (file, Hunk { span: at..at, text: text.clone() });
        let is_wrapped = *quote == Quote::Bare && text != hunk.text;
        let wrapped = is_wrapped.then(|| self.wrapped(assignment, part, hunk)).flatten();
        wrapped.map(|wrapped| ((file, wrapped), true)).into_iter().chain([(plain, false)]).collect()
    }

    /// The whole value between quotes, where nothing of it was quoted.
    fn wrapped(&self, assignment: &Assignment, part: &LinePart, hunk: &Hunk) -> Option<Hunk> {
        let source = self.edit.files[assignment.file].text;
        let value = &source[assignment.span.clone()];
        let from = self.line.parts.iter().position(|other| other.assignment == part.assignment)?;
        let own = self.line.parts[from..].iter();
        let own: Vec<_> = own.take_while(|other| other.assignment == part.assignment).collect();
        let (first, last) = (own.first()?.span.start, own.last()?.span.end);
        // As it stands: no quotes, no escapes, nothing from elsewhere.
        if self.line.text.get(first..last)? != value
            || first > hunk.span.start
            || last < hunk.span.end
        {
            return None;
        }
        let (before, behind) = (first..hunk.span.start, hunk.span.end..last);
        let new = [&self.line.text[before], &hunk.text, &self.line.text[behind]].concat();
        // A carriage return ends the line, not the value.
        let kept = new.trim_end_matches('\r');
        let text = format!("\"{}\"{}", escaped(kept, Quote::Double), &new[kept.len()..]);
        Some(Hunk { span: assignment.span.clone(), text })
    }
}

/// What is removed and what comes in, together.
fn merged(removed: &[Replacement], inserted: Replacement, wraps: bool) -> Vec<Replacement> {
    let (file, new) = (inserted.0, inserted.1.span.clone());
    let covered = |other: &Replacement| {
        wraps && other.0 == file && new.start <= other.1.span.start && other.1.span.end <= new.end
    };
    let kept = removed.iter().filter(|other| !covered(other)).cloned();
    kept.chain([inserted]).collect()
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

/// A text as it stands in some quoting.
fn escaped(text: &str, quote: Quote) -> String {
    match quote {
        Quote::Single => text.replace('\'', "'\\''"),
        Quote::Double => text
            .chars()
            .flat_map(|c| {
                let escape = matches!(c, '"' | '\\' | '$' | '`').then_some('\\');
                escape.into_iter().chain([c])
            })
            .collect(),
        Quote::Bare => quoted(text, Quote::Bare),
    }
}

/// A text with its quotes; where it needs none, it gets none if it had none.
pub(super) fn quoted(text: &str, quote: Quote) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=+@%^".contains(c);
    match quote {
        Quote::Bare if text.chars().all(is_plain) => text.to_owned(),
        Quote::Single => format!("'{}'", escaped(text, Quote::Single)),
        Quote::Bare | Quote::Double => format!("\"{}\"", escaped(text, Quote::Double)),
    }
}

/// Whether all other variables are what they were: their assignments say the
/// same, and none refers to one that says something else now.
pub(super) fn same_others(before: &Values<'_>, after: &Values<'_>, name: &str) -> bool {
    let (old, new) = (&before.assignments, &after.assignments);
    if new.len() < old.len() || new[old.len()..].iter().any(|a| a.name != name) {
        return false;
    }
    let mut differs = Vec::with_capacity(new.len());
    for (one, other) in old.iter().zip(new) {
        let same = said(before, one).eq(said(after, other));
        if one.name != other.name || !same && one.name != name {
            return false;
        }
        let refers = other.pieces.iter().any(|piece| match piece {
            Piece::Earlier(earlier) => differs.get(*earlier).copied().unwrap_or(true),
            _ => false,
        });
        differs.push(!same || refers);
    }
    let others = |values: &Values<'_>| {
        let others = values.last.iter().filter(|(of, _)| *of != name);
        others.map(|(of, &last)| (of.clone(), last)).collect::<Vec<_>>()
    };
    let last = others(after);
    before.tainted == after.tainted
        && last.iter().all(|(_, last)| !differs.get(*last).copied().unwrap_or(true))
        && others(before) == last
}

/// What an assignment says, however it is written.
fn said<'v>(values: &'v Values<'_>, assignment: &'v Assignment) -> impl Iterator<Item = Said<'v>> {
    let text = values.text(assignment.file);
    assignment.pieces.iter().flat_map(move |piece| {
        let (characters, other) = match piece {
            Piece::Text { escaped: Some(c), .. } => ("", Some(Said::Character(*c))),
            Piece::Text { span, .. } => (&text[span.clone()], None),
            other => ("", Some(Said::Other(other))),
        };
        characters.chars().map(Said::Character).chain(other)
    })
}

#[derive(PartialEq, Eq)]
enum Said<'v> {
    Character(char),
    Other(&'v Piece),
}

//! Where a change of a value goes in the files that assign it.
//!
//! In: a value put together, with the places of its pieces, and what is to
//! change in it. Out: replacements in the files, the best way first. Never: a
//! promise that a way does it; whoever asks reads the result back.

use std::ops::Range;

use super::super::cmdline::Hunk;
use super::super::source::{EditError, Problem, Source};
use super::edit::Replacement;
use super::quote::escaped;
use super::value::{Assignment, Line, LinePart, Piece, Values};
use super::word::Quote;

/// Changes where the words stand.
pub struct InPlace<'a> {
    pub files: &'a [Source<'a>],
    pub values: &'a Values<'a>,
    pub name: &'a str,
    pub line: &'a Line,
}

impl InPlace<'_> {
    /// Ways to do it, the best one first.
    pub fn replacements(&self, hunks: &[Hunk]) -> Result<Vec<Vec<Replacement>>, EditError> {
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
        let name = self.name.to_owned();
        let fail = |problem| Err(self.files[assignment.file].error_at(assignment.start, problem));
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
        let last = self.values.last.get(self.name);
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
        let source = self.files[assignment.file].text;
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

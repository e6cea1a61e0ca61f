//! Lists in files that bash sources: `NAME=(a b)`, `NAME+=(c)`.
//!
//! In: the files in the order in which they are sourced. Out: a list's
//! members, or the files with other ones. Never: an index; a list of which a
//! member is computed is not known.

use super::super::cmdline::Hunk;
use super::super::source::{Dynamic, EditError, Edited, Problem, Source, differences, with_texts};
use super::compare::same_others;
use super::edit::{end_of, replace};
use super::quote::quoted;
use super::value::{self, Assignment, Piece, Values};
use super::word::Quote;

/// A change of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Member {
    /// It comes in before all others, unless it is there.
    First(String),
    /// It comes in behind all others, unless it is there.
    Last(String),
    Remove(String),
}

/// A member, and where it stands.
struct Placed {
    value: String,
    assignment: usize,
    /// Its place in the file; none where it is a word of a quoted text.
    span: Option<std::ops::Range<usize>>,
}

/// A list's members; a plain value counts as one with blanks between them.
/// Nothing where no file assigns it.
///
/// # Errors
///
/// Where a file is not understood, or a member is not known.
pub fn list(files: &[Source<'_>], name: &str) -> Result<Option<Vec<String>>, EditError> {
    let values = value::read(files)?;
    let members = members(&values, name)?;
    Ok(members.map(|members| members.into_iter().map(|member| member.value).collect()))
}

/// The files with changes of a list; `same` says whether two members are one.
///
/// # Errors
///
/// Where a file is not understood, or a member would have to go from a list
/// that is not known.
pub fn edit_list(
    files: &[Source<'_>],
    name: &str,
    changes: &[Member],
    same: fn(&str, &str) -> bool,
) -> Result<Vec<Edited>, EditError> {
    let mut texts: Vec<String> = files.iter().map(|file| file.text.to_owned()).collect();
    for change in changes {
        let now = with_texts(files, &texts);
        texts = changed(&now, name, change, same)?;
    }
    Ok(differences(files, texts))
}

fn changed(
    files: &[Source<'_>],
    name: &str,
    change: &Member,
    same: fn(&str, &str) -> bool,
) -> Result<Vec<String>, EditError> {
    let unchanged = || files.iter().map(|file| file.text.to_owned()).collect();
    let before = value::read(files)?;
    let entangled = || before.error(name, Problem::Entangled(name.to_owned()));
    let old = members(&before, name)?.unwrap_or_default();
    let is_there = |value: &str| old.iter().any(|member| same(&member.value, value));
    let mut want: Vec<String> = old.iter().map(|member| member.value.clone()).collect();
    let replacements = match change {
        Member::Remove(value) => {
            want.retain(|member| !same(member, value));
            removed(&before, &old, |member| same(member, value)).ok_or_else(entangled)?
        }
        Member::First(value) | Member::Last(value) if is_there(value) => return Ok(unchanged()),
        Member::First(value) => {
            want.insert(0, value.clone());
            vec![first(&before, name, &old, value).ok_or_else(entangled)?]
        }
        Member::Last(value) => {
            want.push(value.clone());
            vec![last(&before, name, &old, value).ok_or_else(entangled)?]
        }
    };
    let texts = replace(files, replacements).ok_or_else(entangled)?;
    let sources = with_texts(files, &texts);
    let after = value::read(&sources).map_err(|_| entangled())?;
    let new = members(&after, name)?.unwrap_or_default();
    let is_new = new.iter().map(|member| &member.value).eq(&want);
    if is_new && same_others(&before, &after, name) { Ok(texts) } else { Err(entangled()) }
}

/// All members with their places.
fn members(values: &Values<'_>, name: &str) -> Result<Option<Vec<Placed>>, EditError> {
    let dynamic = |how| values.error(name, Problem::Dynamic { name: name.to_owned(), how });
    let Some(&last) = values.last.get(name) else {
        return values.tainted.map_or(Ok(None), |_| Err(dynamic(Dynamic::Elsewhere)));
    };
    let mut chain = Vec::new();
    let mut next = Some(last);
    while let Some(index) = next {
        let assignment = &values.assignments[index];
        next = None;
        for piece in &assignment.pieces {
            match piece {
                Piece::Earlier(earlier) if values.assignments[*earlier].name == name => {
                    next = Some(*earlier);
                }
                Piece::Earlier(_) => return Err(dynamic(Dynamic::Computed)),
                Piece::Unknown(Dynamic::List) | Piece::Text { .. } => {}
                Piece::Unknown(how) => return Err(dynamic(*how)),
            }
        }
        // A text that refers to itself is put together otherwise than a list.
        if next.is_some() && assignment.list.is_none() {
            return Err(dynamic(Dynamic::Computed));
        }
        chain.push(index);
    }
    let mut members = Vec::new();
    for &index in chain.iter().rev() {
        let own = own(values, &values.assignments[index], index);
        members.extend(own.ok_or_else(|| dynamic(Dynamic::Computed))?);
    }
    Ok(Some(members))
}

/// The members that one assignment has.
fn own(values: &Values<'_>, assignment: &Assignment, index: usize) -> Option<Vec<Placed>> {
    let text = values.text(assignment.file);
    let Some(list) = &assignment.list else {
        let mut value = String::new();
        for piece in &assignment.pieces {
            match piece {
                Piece::Text { escaped: Some(c), .. } => value.push(*c),
                Piece::Text { span, .. } => value.push_str(&text[span.clone()]),
                _ => return None,
            }
        }
        let words = value.split([' ', '\t', '\n']).filter(|word| !word.is_empty());
        let placed = |word: &str| Placed { value: word.to_owned(), assignment: index, span: None };
        return Some(words.map(placed).collect());
    };
    let member = |word: &super::word::Word| {
        let is_bare = word.bare(text).is_some();
        let value = word.literal(text)?;
        // What a shell makes of these depends on the files that there are.
        let expands = value.contains(['*', '?', '[', '{', '~']) && is_bare;
        let is_optional =
            value.ends_with('?') && value.matches(['*', '?', '[', '{', '~']).count() == 1;
        let span = Some(word.span.clone());
        (!expands || is_optional).then_some(Placed { value, assignment: index, span })
    };
    list.members.iter().map(member).collect()
}

fn removed(
    values: &Values<'_>,
    members: &[Placed],
    gone: impl Fn(&str) -> bool,
) -> Option<Vec<(usize, Hunk)>> {
    let mut hunks = Vec::new();
    for member in members.iter().filter(|member| gone(&member.value)) {
        let assignment = &values.assignments[member.assignment];
        let span = member.span.clone()?;
        let text = values.text(assignment.file);
        let list = assignment.list.as_ref()?;
        let before = &text[list.span.start..span.start];
        let blanks = before.len() - before.trim_end_matches([' ', '\t']).len();
        // The blanks before it go with it; before the first, those behind it.
        let hunk = if blanks < before.len() {
            span.start - blanks..span.end
        } else {
            let behind = &text[span.end..list.span.end];
            let blanks = behind.len() - behind.trim_start_matches([' ', '\t']).len();
            span.start..span.end + blanks
        };
        hunks.push((assignment.file, Hunk { span: hunk, text: String::new() }));
    }
    // Two that stand side by side may both take the blanks between them.
    hunks.dedup_by(|next, last| {
        let overlaps = next.0 == last.0 && next.1.span.start < last.1.span.end;
        if overlaps {
            last.1.span.end = next.1.span.end;
        }
        overlaps
    });
    Some(hunks)
}

/// A member before all others.
fn first(
    values: &Values<'_>,
    name: &str,
    members: &[Placed],
    value: &str,
) -> Option<(usize, Hunk)> {
    let Some(member) = members.first() else { return last(values, name, members, value) };
    let assignment = &values.assignments[member.assignment];
    let at = member.span.as_ref()?.start;
    let text = format!("{} ", quoted(value, Quote::Bare));
    Some((assignment.file, Hunk { span: at..at, text }))
}

/// A member behind all others: in the list that is assigned last.
fn last(values: &Values<'_>, name: &str, members: &[Placed], value: &str) -> Option<(usize, Hunk)> {
    let value = quoted(value, Quote::Bare);
    let Some(&index) = values.last.get(name) else {
        let text = (!values.is_empty()).then(|| values.text(0))?;
        return Some((0, end_of(text, &format!("{name}=({value})"))));
    };
    let assignment = &values.assignments[index];
    let list = assignment.list.as_ref()?;
    let own = members.iter().rev().find(|member| member.assignment == index);
    let (at, text) = match own.and_then(|member| member.span.as_ref()) {
        Some(span) => (span.end, format!(" {value}")),
        None => (list.span.start, value),
    };
    Some((assignment.file, Hunk { span: at..at, text }))
}

//! Whether an edit changed one variable and no other.
//!
//! In: what the files say before and after. Out: yes or no. Never: how a value
//! is written; quotes and escapes may differ.

use super::value::{Assignment, Piece, Values};

/// Whether all other variables are what they were: their assignments say the
/// same, and none refers to one that says something else now.
pub fn same_others(before: &Values<'_>, after: &Values<'_>, name: &str) -> bool {
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

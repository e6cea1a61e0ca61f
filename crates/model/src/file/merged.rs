//! A change taken out of a file in which somebody else has changed something
//! since.

use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::Content;

/// `found` with what leads from `left` to `wanted`, line by line: every other
/// line stays as somebody made it of `left`. `None` stands for no file; nothing
/// where they changed a line that would have to be changed.
pub fn merged(
    left: Option<&Content>,
    found: Option<&Content>,
    wanted: Option<&Content>,
) -> Option<Option<Content>> {
    let (left_lines, found_lines, wanted_lines) = (lines(left), lines(found), lines(wanted));
    let places = places(&left_lines, &found_lines);
    let mut merged = found_lines.clone();
    // From the end, so that places before it stay what they are.
    for op in capture_diff_slices(Algorithm::Myers, &left_lines, &wanted_lines).iter().rev() {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (old, new) = (op.old_range(), op.new_range());
        let at: Vec<usize> = places[old.clone()].iter().copied().collect::<Option<_>>()?;
        let start = match (at.first(), old.start.checked_sub(1)) {
            (Some(first), _) => *first,
            // Nothing goes: behind the line before it, or before the one behind it.
            (None, None) => places.first().copied().flatten().unwrap_or(0),
            (None, Some(before)) => match (places[before], places.get(old.start)) {
                (Some(before), _) => before + 1,
                (None, Some(Some(behind))) => *behind,
                (None, _) => return None,
            },
        };
        if at.iter().zip(start..).any(|(at, expected)| *at != expected) {
            return None;
        }
        merged.splice(start..start + at.len(), wanted_lines[new].iter().copied());
    }
    let is_gone = merged.is_empty() && (found.is_none() || wanted.is_none());
    Some((!is_gone).then(|| Content(merged.concat())))
}

/// Where each line is in the other text, if it is there still.
fn places(left: &[&[u8]], found: &[&[u8]]) -> Vec<Option<usize>> {
    let mut places = vec![None; left.len()];
    for op in capture_diff_slices(Algorithm::Myers, left, found) {
        if let DiffOp::Equal { old_index, new_index, len } = op {
            for (place, at) in places[old_index..old_index + len].iter_mut().zip(new_index..) {
                *place = Some(at);
            }
        }
    }
    places
}

fn lines(content: Option<&Content>) -> Vec<&[u8]> {
    content.map_or_else(Vec::new, |found| found.0.split_inclusive(|byte| *byte == b'\n').collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(text: &str) -> Option<Content> {
        (text != "-").then(|| Content::from(text))
    }

    #[test]
    fn what_is_merged() {
        for (left, found, wanted, want) in [
            ("a\nb x\nc\n", "a\nb x\nc\nd\n", "a\nb\nc\n", Some("a\nb\nc\nd\n")),
            ("a\nb x\nc\n", "1\nb x\nc", "a\nb\nc\n", Some("1\nb\nc")),
            ("a\nb x\n", "a\nb x y\n", "a\nb\n", None),
            ("a\nb\nc\n", "a\nc\n", "a\nc\n", None),
            ("a\nb\nc\nd\n", "a\nb\n1\nc\nd\n", "a\nd\n", None),
            ("b\n", "b\nc\n", "a\nb\n", Some("a\nb\nc\n")),
            ("a\nc\n", "1\nc\n", "a\nb\nc\n", Some("1\nb\nc\n")),
            // A file of ours that somebody wrote into, or removed.
            ("ours\n", "ours\ntheirs\n", "-", Some("theirs\n")),
            ("ours\n", "-", "-", None),
            // One that was there before, and is not now.
            ("a\nb\n", "-", "a\n", None),
        ] {
            let merged = merged(file(left).as_ref(), file(found).as_ref(), file(wanted).as_ref());
            assert_eq!(merged, want.map(file), "{left:?} {found:?} {wanted:?}");
        }
    }

    proptest! {
        /// Without anybody's change it is the way back; with lines of theirs
        /// around, those are all that is left over.
        #[test]
        fn a_way_back(left in "([abc]\n){0,6}", wanted in "([abc]\n){0,6}") {
            let content = |text: &str| Some(Content::from(text));
            let all = |found: &str| {
                merged(content(&left).as_ref(), content(found).as_ref(), content(&wanted).as_ref())
            };
            prop_assert_eq!(all(&left), Some(content(&wanted)));
            if !left.is_empty() {
                let around = |text: &str| format!("before\n{text}behind\n");
                prop_assert_eq!(all(&around(&left)), Some(content(&around(&wanted))));
            }
        }
    }
}

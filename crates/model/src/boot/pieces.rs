//! A kernel command line that stands in pieces of a file.
//!
//! In: a text, where the pieces stand, and changes. Out: the text with the
//! changed pieces; every other byte stays. Never: a format; whoever knows it
//! says where the pieces are.

use std::ops::Range;

use super::cmdline::{Change, Cmdline, Hunk, agreed, spliced};

/// The line: all pieces with blanks between.
pub fn line(text: &str, pieces: &[Range<usize>]) -> String {
    let pieces: Vec<&str> = pieces.iter().map(|piece| &text[piece.clone()]).collect();
    pieces.join(" ")
}

/// The text with changes of its line; nothing where the line does not take
/// them. There must be a piece.
pub fn changed(text: &str, pieces: &[Range<usize>], changes: &[Change]) -> Option<String> {
    let (mut text, mut pieces) = (text.to_owned(), pieces.to_vec());
    for change in changes {
        let before = line(&text, &pieces);
        let want = agreed(&before, std::slice::from_ref(change))?;
        let hunks = placed(&text, &pieces, &change.hunks(&before))?;
        for piece in &mut pieces {
            *piece = moved(piece, &hunks);
        }
        text = spliced(&text, &hunks);
        if !Cmdline::new(&line(&text, &pieces)).words().eq(Cmdline::new(&want).words()) {
            return None;
        }
    }
    Some(text)
}

/// Pieces of a line as pieces of the text.
fn placed(text: &str, pieces: &[Range<usize>], hunks: &[Hunk]) -> Option<Vec<Hunk>> {
    let mut out = Vec::new();
    for hunk in hunks {
        let mut start = 0;
        let mut new = Some(hunk.text.as_str()).filter(|text| !text.is_empty());
        for piece in pieces {
            let end = start + piece.len();
            let within = |at: usize| piece.start + at.clamp(start, end) - start;
            let span = within(hunk.span.start)..within(hunk.span.end);
            let takes = hunk.span.start <= end && new.is_some();
            if takes || !span.is_empty() {
                out.push(Hunk { span, text: new.take().unwrap_or_default().to_owned() });
            }
            start = end + 1;
        }
        new.is_none().then_some(())?;
    }
    debug_assert!(out.iter().all(|hunk| hunk.span.end <= text.len()));
    Some(out)
}

/// Where a piece stands behind the changes, some of which are in it.
fn moved(piece: &Range<usize>, hunks: &[Hunk]) -> Range<usize> {
    let (mut start, mut end) = (piece.start, piece.end);
    for Hunk { span, text } in hunks {
        if span.end <= piece.end && span.start >= piece.start {
            end = end + text.len() - span.len();
        } else if span.end <= piece.start {
            start = start + text.len() - span.len();
            end = end + text.len() - span.len();
        }
    }
    start..end
}

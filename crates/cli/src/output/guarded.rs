//! Text of somebody who is not trusted, for a terminal.
//!
//! In: bytes as a guest wrote them, piece by piece. Out: text in which
//! nothing is left that a terminal would obey: no escape sequence and no
//! control character but the line feed and the tab. A guest could otherwise
//! write over what stood there before, or have the terminal type for it.

use anstream::adapter::StripBytes;

/// Takes out what a terminal would obey.
#[derive(Debug, Default)]
pub struct Guarded {
    sequences: StripBytes,
    /// The first bytes of a character that has not come whole yet.
    rest: Vec<u8>,
}

impl Guarded {
    /// The next piece, as text.
    pub fn next(&mut self, bytes: &[u8]) -> String {
        let mut stripped = std::mem::take(&mut self.rest);
        self.sequences.strip_next(bytes).for_each(|part| stripped.extend_from_slice(part));
        let whole = whole(&stripped);
        self.rest = stripped.split_off(whole);
        let text = String::from_utf8_lossy(&stripped);
        text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
    }
}

/// How many bytes there are before a character that is cut off at the end.
fn whole(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    // What can still become a character is at most three bytes, and valid so far.
    let cut = last.map(|chunk| chunk.invalid()).filter(|invalid| is_begun(invalid));
    bytes.len() - cut.map_or(0, <[u8]>::len)
}

fn is_begun(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_would_obey_is_gone() {
        for (bytes, want) in [
            (&b"plain\ttext\n"[..], "plain\ttext\n"),
            (b"\x1b[0;32m  OK  \x1b[0m Started\r\n", "  OK   Started\n"),
            (b"\x1b]0;title\x07after", "after"),
            (b"\x1b]52;c;cm0gLXJm\x1b\\after", "after"),
            (b"\x1bP+q544e\x1b\\after", "after"),
            (b"\x1b[2J\x1b[H\x1b[8mhidden", "hidden"),
            (b"back\x08\x08space\x7f bell\x07", "backspace bell"),
            // The same introducer in one byte, and as a character of UTF-8.
            (b"\x9b31mred", "31mred"),
            ("\u{9b}31mred".as_bytes(), "31mred"),
            ("äß→🦀".as_bytes(), "äß→🦀"),
        ] {
            let text = Guarded::default().next(bytes);
            assert_eq!(text, want, "{bytes:?}");
        }
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        let mut guarded = Guarded::default();
        let text: String = "ä🦀\u{1b}[31mß".bytes().map(|byte| guarded.next(&[byte])).collect();
        assert_eq!(text, "ä🦀ß");
    }

    proptest! {
        #[test]
        fn nothing_obeyed_comes_through(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 0..6)) {
            let mut guarded = Guarded::default();
            let text: String = pieces.iter().map(|piece| guarded.next(piece)).collect();
            prop_assert!(!text.chars().any(|c| c.is_control() && !['\n', '\t'].contains(&c)), "{text:?}");
        }
    }
}

//! Names that match a pattern: `*`, `?` and `[a-c]`.
//!
//! In: a name and a pattern. Out: whether they match. Never: folders; a slash
//! is a letter like any other, as it is for loader.conf(5) and modprobe.d(5).

/// Whether a name matches a pattern. It goes back to the last star only, so
/// the time is no more than one times the other.
pub fn matches(name: &str, pattern: &str) -> bool {
    let (name, pattern): (Vec<char>, Vec<char>) =
        (name.chars().collect(), pattern.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where the last star stands, and what it has taken so far.
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        let one = match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
                continue;
            }
            Some('?') => Some(of + 1),
            Some('[') => class(&pattern[of..], name[at]).map(|length| of + length),
            Some(&c) if c == name[at] => Some(of + 1),
            _ => None,
        };
        (at, of) = match (one, star) {
            (Some(next), _) => (at + 1, next),
            (None, Some((of, taken))) => {
                star = Some((of, taken + 1));
                (taken + 1, of + 1)
            }
            (None, None) => return false,
        };
    }
    pattern[of..].iter().all(|&c| c == '*')
}

/// How long a class is, where a letter is one of it.
fn class(pattern: &[char], c: char) -> Option<usize> {
    // A bracket that stands first is one of the letters.
    let close = pattern.iter().skip(2).position(|&c| c == ']')? + 2;
    let inner = &pattern[1..close];
    let mut at = 0;
    while let Some(&from) = inner.get(at) {
        let to = inner.get(at + 2).filter(|_| inner.get(at + 1) == Some(&'-'));
        if (from..=*to.unwrap_or(&from)).contains(&c) {
            return Some(close + 1);
        }
        at += if to.is_some() { 3 } else { 1 };
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn patterns() {
        for (name, pattern, is) in [
            ("abc", "a*c", true),
            ("abc", "a?c", true),
            ("abc", "*", true),
            ("", "*", true),
            ("abc", "a[a-c]c", true),
            ("a]c", "a[]]c", true),
            ("a-c", "a[b-]c", true),
            ("abcbc", "*bc", true),
            ("abc", "a", false),
            ("abc", "a[d-f]c", false),
            ("abc", "a[", false),
            ("", "?", false),
        ] {
            assert_eq!(matches(name, pattern), is, "{name} {pattern}");
        }
    }

    proptest! {
        #[test]
        fn around_a_name(name in ".{0,8}", pattern in r"[a-c*?\[\]-]{0,8}") {
            let _ = matches(&name, &pattern);
            let around = format!("*{}*", name.replace(['*', '?', '[', ']'], "?"));
            prop_assert!(matches(&name, &around));
        }
    }
}

//! Which of two versions is the newer one.
//!
//! In: versions as kernels and packages have them. Out: their order, by the
//! Version Format Specification of the UAPI group, which boot loaders sort
//! entries by.

use std::cmp::Ordering;

/// The order of two versions.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (mut a, mut b) = (one.as_bytes(), other.as_bytes());
    loop {
        (a, b) = (known(a), known(b));
        if let Some(order) = sign(&mut a, &mut b, b'~') {
            return order;
        }
        match (a.first(), b.first()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(_), Some(_)) => {}
        }
        for separator in *b"-^." {
            if let Some(order) = sign(&mut a, &mut b, separator) {
                return order;
            }
        }
        let is_number = [a, b].iter().any(|text| text.first().is_some_and(u8::is_ascii_digit));
        let order = if is_number {
            let (one, other) = (take(&mut a, u8::is_ascii_digit), take(&mut b, u8::is_ascii_digit));
            number(one, other)
        } else {
            let is_letter = u8::is_ascii_alphabetic;
            take(&mut a, is_letter).cmp(take(&mut b, is_letter))
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

/// A text from its first letter, digit or separator on.
fn known(text: &[u8]) -> &[u8] {
    let is_known = |byte: &u8| byte.is_ascii_alphanumeric() || b"~-^.".contains(byte);
    let at = text.iter().position(is_known).unwrap_or(text.len());
    &text[at..]
}

/// A separator that only one has makes it the older one; one that both have
/// is gone past.
fn sign(a: &mut &[u8], b: &mut &[u8], separator: u8) -> Option<Ordering> {
    match (a.strip_prefix(&[separator]), b.strip_prefix(&[separator])) {
        (None, None) => None,
        (Some(_), None) => Some(Ordering::Less),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some(one), Some(other)) => {
            (*a, *b) = (one, other);
            None
        }
    }
}

fn take<'a>(text: &mut &'a [u8], is_of: impl Fn(&u8) -> bool) -> &'a [u8] {
    let end = text.iter().position(|byte| !is_of(byte)).unwrap_or(text.len());
    let (taken, rest) = text.split_at(end);
    *text = rest;
    taken
}

/// Digits by their value; none is less than any.
fn number(one: &[u8], other: &[u8]) -> Ordering {
    let significant = |digits: &[u8]| {
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        digits[zeros..].to_vec()
    };
    let (a, b) = (significant(one), significant(other));
    let lengths = (!one.is_empty(), a.len()).cmp(&(!other.is_empty(), b.len()));
    lengths.then_with(|| a.cmp(&b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples of the specification, older to newer.
    #[test]
    fn examples() {
        for chain in [
            &["122.1", "123~rc1-1", "123", "123-a", "123-a.1", "123-1", "123-1.1", "123^post1"][..],
            &["123^post1", "123.a-1", "123.1-1", "123a-1", "124-1"],
            &["6.1.0-9-amd64", "6.1.0-10-amd64", "6.9.0"],
        ] {
            for pair in chain.windows(2) {
                assert_eq!(compare(pair[0], pair[1]), Ordering::Less, "{pair:?}");
                assert_eq!(compare(pair[1], pair[0]), Ordering::Greater, "{pair:?}");
            }
        }
        for (one, other) in [("", ""), ("_", ""), ("123", "0123"), ("11_2", "1_12")] {
            let same = if one == "11_2" { Ordering::Greater } else { Ordering::Equal };
            assert_eq!(compare(one, other), same, "{one} {other}");
        }
    }

    proptest! {
        #[test]
        fn an_order(one in "[0-2ab.~^_-]{0,6}", other in "[0-2ab.~^_-]{0,6}", third in "[0-2ab.~^_-]{0,6}") {
            prop_assert_eq!(compare(&one, &one), Ordering::Equal);
            prop_assert_eq!(compare(&one, &other), compare(&other, &one).reverse());
            if compare(&one, &other) == compare(&other, &third) {
                prop_assert_eq!(compare(&one, &third), compare(&one, &other));
            }
        }
    }
}

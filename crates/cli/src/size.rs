//! Sizes as people type them: `4G`, `512M`, `1.5G` is refused.
//!
//! In: text. Out: bytes. Units are powers of 1024, with or without `iB`/`B`.

use thiserror::Error;

/// Why a text is no size.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{0}` is not a size; the form is a number and K, M, G or T, as in 4G")]
pub struct SizeError(String);

/// Bytes. A number alone is refused: some tools mean MiB by it.
pub fn parse(text: &str) -> Result<u64, SizeError> {
    let error = || SizeError(text.to_owned());
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.strip_suffix("iB").or_else(|| unit.strip_suffix('B')).unwrap_or(unit);
    let shift = match unit {
        "K" | "k" => 10,
        "M" | "m" => 20,
        "G" | "g" => 30,
        "T" | "t" => 40,
        _ => return Err(error()),
    };
    let number: u64 = number.parse().map_err(|_| error())?;
    number.checked_mul(1 << shift).filter(|bytes| *bytes > 0).ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sizes() {
        for (text, want) in [
            ("4G", Some(4 << 30)),
            ("512M", Some(512 << 20)),
            ("512MiB", Some(512 << 20)),
            ("2MB", Some(2 << 20)),
            ("1T", Some(1 << 40)),
            ("1024", None),
            ("0G", None),
            ("1.5G", None),
            ("-1G", None),
            ("G", None),
            ("", None),
            ("99999999999G", None),
        ] {
            assert_eq!(parse(text).ok(), want, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused(text in ".{0,12}") {
            let _ = parse(&text);
        }
    }
}

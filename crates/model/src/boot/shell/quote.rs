//! A text in a shell's quotes.
//!
//! In: a text and the quoting that it is to stand in. Out: how it is written
//! there. Never: an expansion; what is written is what the shell takes.

use super::word::Quote;

/// A text as it stands in some quoting.
pub fn escaped(text: &str, quote: Quote) -> String {
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
pub fn quoted(text: &str, quote: Quote) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=+@%^".contains(c);
    match quote {
        Quote::Bare if text.chars().all(is_plain) => text.to_owned(),
        Quote::Single => format!("'{}'", escaped(text, Quote::Single)),
        Quote::Bare | Quote::Double => format!("\"{}\"", escaped(text, Quote::Double)),
    }
}

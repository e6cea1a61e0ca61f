//! The content of a configuration file, and how it differs from another.
//!
//! Configuration is text, but nobody promises UTF-8: it is kept as bytes, so
//! that what is put back is what was there.

mod merged;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use similar::TextDiff;

pub use merged::merged;

/// What is in a file. In JSON it is a string, or an array of bytes where it
/// is no UTF-8.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Form", into = "Form")]
pub struct Content(pub Vec<u8>);

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Bytes(Vec<u8>),
}

impl From<Form> for Content {
    fn from(form: Form) -> Self {
        Self(match form {
            Form::Text(text) => text.into_bytes(),
            Form::Bytes(bytes) => bytes,
        })
    }
}

impl From<Content> for Form {
    fn from(content: Content) -> Self {
        String::from_utf8(content.0)
            .map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl Content {
    /// As text, with `�` where it is no UTF-8.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().fmt(f)
    }
}

/// What changes in a file, as a unified diff (`diff -u`, POSIX); `None` is no file.
pub fn diff(path: &str, from: Option<&Content>, to: Option<&Content>) -> String {
    let name = |content: Option<&Content>| match content {
        Some(_) => path,
        // As diff -N has it.
        None => "/dev/null",
    };
    let text = |content: Option<&'_ Content>| content.map(|content| content.text().into_owned());
    let (old, new) = (text(from).unwrap_or_default(), text(to).unwrap_or_default());
    let diff = TextDiff::from_lines(&old, &new);
    diff.unified_diff().context_radius(3).header(name(from), name(to)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff() {
        let (old, new) = (Content::from("a\nb\nc\n"), Content::from("a\nB\nc"));
        let text = diff("x", Some(&old), Some(&new));
        assert_eq!(
            text,
            "--- x\n+++ x\n@@ -1,3 +1,3 @@\n a\n-b\n-c\n+B\n+c\n\\ No newline at end of file\n"
        );
        let made = diff("x", None, Some(&old));
        assert_eq!(made, "--- /dev/null\n+++ x\n@@ -0,0 +1,3 @@\n+a\n+b\n+c\n");
        assert_eq!(diff("x", Some(&old), Some(&old)), "");
    }

    #[test]
    fn any_bytes_are_kept() {
        for bytes in [&b"text\r\n"[..], b"", b"caf\xe9\n\0"] {
            let content = Content(bytes.to_vec());
            let json = serde_json::to_string(&content).unwrap();
            assert_eq!(serde_json::from_str::<Content>(&json).unwrap(), content, "{json}");
        }
    }
}

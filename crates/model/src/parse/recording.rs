//! What both text formats of a recording share: escapes, hex and path rules.
//!
//! In: one value of one line. Out: bytes, or the [`Problem`] with that line.
//! Escapes are those of GLib's `g_strescape()`/`g_strcompress()`, because
//! `umockdev-record` and `umockdev-run` use these.

use thiserror::Error;

/// A line of a recording that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// Counted from 1.
    pub line: usize,
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    #[error("a device must start with a line `P: /devices/…`, not with `{0}`")]
    NoDevice(String),
    #[error("a second `P:` line in one device; devices are separated by an empty line")]
    SecondPath,
    #[error("`{0}` is no line of this format")]
    UnknownLine(String),
    #[error("`{0}` has no `=`")]
    NoValue(String),
    #[error("`{0}` is not a device path: it must start with `/devices/`")]
    NotADevicePath(String),
    #[error("device `{0}` has no `E: SUBSYSTEM=` line")]
    NoSubsystem(String),
    #[error("device `{0}` has two `E: SUBSYSTEM=` lines")]
    TwoSubsystems(String),
    #[error("`{0}` is described twice")]
    Duplicate(String),
    #[error("path `{path}` {why}")]
    Path { path: String, why: &'static str },
    #[error("link target `{target}` {why}")]
    Link { target: String, why: &'static str },
    #[error("malformed hexadecimal value at digit {0}")]
    Hex(usize),
    #[error("`{0}` is not the name of an error")]
    Errno(String),
    #[error("the first line must be `{want}`, not `{found}`")]
    Version { want: &'static str, found: String },
    #[error("a text line that belongs to no `T:` line")]
    StrayText,
    #[error("not UTF-8 text")]
    NotUtf8,
}

impl Problem {
    /// This problem in that line.
    pub fn at(self, line: usize) -> LineError {
        LineError { line, problem: self }
    }
}

/// The longest path that the kernel takes (`PATH_MAX`, `NAME_MAX`).
const LONGEST_PATH: usize = 4095;
const LONGEST_NAME: usize = 255;
/// Folders in one path. Sysfs paths have some twenty; without a limit two
/// bytes of a hostile recording could stand for a folder.
const DEEPEST: usize = 64;

/// Checks a path without a leading slash: every part is a plain name.
pub fn check_relative(path: &str) -> Result<(), Problem> {
    let refuse = |why| Err(Problem::Path { path: shorten(path), why });
    if path.len() > LONGEST_PATH {
        return refuse("is too long");
    }
    if path.matches('/').count() >= DEEPEST {
        return refuse("has too many parts");
    }
    if path.bytes().any(|byte| byte == 0 || byte == b'\n' || byte == b'\r') {
        return refuse("holds a line break or a zero");
    }
    for part in path.split('/') {
        match part {
            "" => return refuse("has an empty part"),
            "." | ".." => return refuse("has a part that is `.` or `..`"),
            part if part.len() > LONGEST_NAME => return refuse("has a part that is too long"),
            _ => {}
        }
    }
    Ok(())
}

/// Checks an absolute path the same way.
pub fn check_absolute(path: &str) -> Result<(), Problem> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err(Problem::Path { path: shorten(path), why: "is not absolute" });
    };
    check_relative(rest).map_err(|problem| match problem {
        Problem::Path { why, .. } => Problem::Path { path: shorten(path), why },
        other => other,
    })
}

/// Checks the text of a link.
pub fn check_target(target: &str) -> Result<(), Problem> {
    let refuse = |why| Err(Problem::Link { target: shorten(target), why });
    if target.is_empty() || target.len() > LONGEST_PATH {
        return refuse("is empty or too long");
    }
    if target.contains(['\0', '\n', '\r']) {
        return refuse("holds a line break or a zero");
    }
    Ok(())
}

/// Checks that a link at an absolute path stays inside the root: a relative
/// target with no more `..` than there are folders above the link.
pub fn check_link(at: &str, target: &str) -> Result<(), Problem> {
    check_target(target)?;
    let refuse = |why| Err(Problem::Link { target: shorten(target), why });
    if target.starts_with('/') {
        return refuse("is absolute");
    }
    let mut depth = at.matches('/').count().saturating_sub(1);
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return refuse("leads out of the recording"),
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    Ok(())
}

/// Undoes [`escape`]: octal, `\b \f \n \r \t \v`, any other character for itself.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(digit @ b'0'..=b'7') => {
                let mut value = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(digit @ b'0'..=b'7') = bytes.peek().copied() else { break };
                    value = value * 8 + u32::from(digit - b'0');
                    bytes.next();
                }
                out.push((value & 0xff) as u8);
            }
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'v') => out.push(11),
            Some(other) => out.push(other),
            None => {}
        }
    }
    out
}

/// Writes text on one line as `g_strescape()` does.
pub fn escape(bytes: &[u8], out: &mut String) {
    for &byte in bytes {
        match byte {
            8 => out.push_str("\\b"),
            12 => out.push_str("\\f"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            11 => out.push_str("\\v"),
            b'\\' | b'"' => {
                out.push('\\');
                out.push(byte.into());
            }
            0x20..=0x7e => out.push(byte.into()),
            _ => {
                out.push('\\');
                [byte >> 6, (byte >> 3) & 7, byte & 7]
                    .iter()
                    .for_each(|digit| out.push((b'0' + digit).into()));
            }
        }
    }
}

/// Whether a value is written as text; everything else is written as hex.
pub fn is_text(bytes: &[u8]) -> bool {
    !bytes.contains(&0) && std::str::from_utf8(bytes).is_ok()
}

/// Two digits for each byte, either case.
pub fn from_hex(text: &str) -> Result<Vec<u8>, Problem> {
    let digit = |at: usize, byte: u8| match (byte as char).to_digit(16) {
        Some(value) => Ok(value as u8),
        None => Err(Problem::Hex(at + 1)),
    };
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(2) {
        return Err(Problem::Hex(bytes.len()));
    }
    let pairs = bytes.chunks_exact(2).enumerate();
    pairs.map(|(n, pair)| Ok(digit(2 * n, pair[0])? << 4 | digit(2 * n + 1, pair[1])?)).collect()
}

/// Upper case, as `umockdev-record` writes it.
pub fn to_hex(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)].into());
        out.push(DIGITS[usize::from(byte & 15)].into());
    }
}

/// `KEY=VALUE`, cut at the first `=`.
pub fn key_value(text: &str) -> Result<(&str, &str), Problem> {
    text.split_once('=').ok_or_else(|| Problem::NoValue(shorten(text)))
}

/// The head of a text, short enough for an error message.
pub fn shorten(text: &str) -> String {
    const MOST: usize = 80;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

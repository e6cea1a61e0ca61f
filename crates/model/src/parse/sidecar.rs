//! The sidecar of a recording: what the umockdev format has no place for.
//!
//! In: the text of a `host.sidecar` file. Out: a path for each line with what
//! is there, and back. Never: files, or a judgement about what they mean.
//!
//! The format borrows umockdev's letters, with absolute paths:
//!
//! ```text
//! passthru-sidecar 1                      version, always the first line
//! # remark                                only at the start of a line
//! A: /proc/cmdline=quiet iommu=pt\n       one line of text, escaped
//! T: /proc/swaps                          lines of text, each behind one space
//!  Filename    Type        Size
//!  /dev/dm-1   partition   8388604
//! H: /sys/firmware/acpi/tables/DMAR=444D  bytes in hex
//! L: /sys/class/iommu/dmar0=../../devices/virtual/iommu/dmar0
//! D: /sys/module/vfio_pci                 a folder, perhaps empty
//! !: /proc/iomem=EACCES                   there, but the read was refused
//! ```

use std::collections::BTreeMap;

use super::recording::{
    LineError, Problem, check_absolute, check_link, check_target, escape, from_hex, is_text,
    key_value, shorten, to_hex, unescape,
};

/// The first line.
pub const VERSION: &str = "passthru-sidecar 1";

/// What was found, by absolute path.
pub type Sidecar = BTreeMap<String, Content>;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    File(Vec<u8>),
    Link(String),
    Folder,
    /// Something that could not be read; the kernel's error number.
    Refused(i32),
}

/// Errors that the kernel gives for attributes, by name (`errno(3)`). Others
/// are written as numbers.
const ERRORS: &[(&str, i32)] = &[
    ("EPERM", 1),
    ("ENOENT", 2),
    ("EIO", 5),
    ("ENXIO", 6),
    ("EACCES", 13),
    ("EBUSY", 16),
    ("ENODEV", 19),
    ("EINVAL", 22),
    ("EOPNOTSUPP", 95),
];

/// Reads a sidecar.
pub fn parse(text: &str) -> Result<Sidecar, LineError> {
    let lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let mut lines = lines.enumerate().map(|(index, line)| (index + 1, line));
    let found = lines.next().map_or("", |(_, line)| line);
    if found != VERSION {
        return Err(Problem::Version { want: VERSION, found: shorten(found) }.at(1));
    }
    let mut sidecar = Sidecar::new();
    // The path of the `T:` line that the lines behind it belong to.
    let mut text_of: Option<String> = None;
    for (number, line) in lines {
        if let Some(text) = line.strip_prefix(' ') {
            append(&mut sidecar, text_of.as_deref(), text).map_err(|p| p.at(number))?;
            continue;
        }
        text_of = None;
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (path, content) = entry(line).map_err(|problem| problem.at(number))?;
        if line.starts_with('T') {
            text_of = Some(path.clone());
        }
        if sidecar.insert(path.clone(), content).is_some() {
            return Err(Problem::Duplicate(shorten(&path)).at(number));
        }
    }
    Ok(sidecar)
}

fn append(sidecar: &mut Sidecar, path: Option<&str>, line: &str) -> Result<(), Problem> {
    match path.and_then(|path| sidecar.get_mut(path)) {
        Some(Content::File(bytes)) => {
            bytes.extend_from_slice(line.as_bytes());
            bytes.push(b'\n');
            Ok(())
        }
        _ => Err(Problem::StrayText),
    }
}

fn entry(line: &str) -> Result<(String, Content), Problem> {
    let unknown = || Problem::UnknownLine(shorten(line));
    let (kind, rest) = line.split_once(": ").ok_or_else(unknown)?;
    let (path, content) = match kind {
        "T" => (rest, Content::File(Vec::new())),
        "D" => (rest, Content::Folder),
        "A" => key_value(rest).map(|(path, text)| (path, Content::File(unescape(text))))?,
        "H" => {
            let (path, hex) = key_value(rest)?;
            (path, Content::File(from_hex(hex)?))
        }
        "L" => {
            let (path, target) = key_value(rest)?;
            if is_process_link(path) {
                check_target(target)?;
            } else {
                check_link(path, target)?;
            }
            (path, Content::Link(target.to_owned()))
        }
        "!" => {
            let (path, name) = key_value(rest)?;
            (path, Content::Refused(error_number(name)?))
        }
        _ => return Err(unknown()),
    };
    check_absolute(path)?;
    if path.contains('=') {
        return Err(Problem::Path { path: shorten(path), why: "holds a `=`" });
    }
    Ok((path.to_owned(), content))
}

/// Links of a process to what it has open or runs (`/proc/PID/fd/N`,
/// `/proc/PID/exe`): absolute, and read as text only, for what they name is
/// on another machine.
fn is_process_link(path: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match path.split('/').collect::<Vec<_>>()[..] {
        ["", "proc", pid, "exe"] => number(pid),
        ["", "proc", pid, "fd", fd] => number(pid) && number(fd),
        _ => false,
    }
}

fn error_number(name: &str) -> Result<i32, Problem> {
    let known = ERRORS.iter().find(|(known, _)| *known == name).map(|(_, number)| *number);
    let number = known.or_else(|| name.parse().ok().filter(|number| (1..4096).contains(number)));
    number.ok_or_else(|| Problem::Errno(shorten(name)))
}

fn error_name(number: i32) -> String {
    let known = ERRORS.iter().find(|(_, known)| *known == number);
    known.map_or_else(|| number.to_string(), |(name, _)| (*name).to_owned())
}

/// Writes a sidecar, sorted by path.
pub fn print(sidecar: &Sidecar) -> String {
    let mut out = format!("{VERSION}\n");
    for (path, content) in sidecar {
        let kind = match content {
            Content::File(bytes) if is_lines(bytes) => 'T',
            Content::File(bytes) if is_text(bytes) => 'A',
            Content::File(_) => 'H',
            Content::Link(_) => 'L',
            Content::Folder => 'D',
            Content::Refused(_) => '!',
        };
        out.push(kind);
        out.push_str(": ");
        out.push_str(path);
        print_value(kind, content, &mut out);
        out.push('\n');
    }
    out
}

fn print_value(kind: char, content: &Content, out: &mut String) {
    match content {
        Content::File(bytes) if kind == 'T' => {
            for line in bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n') {
                out.push_str("\n ");
                out.push_str(&String::from_utf8_lossy(line));
            }
        }
        Content::File(bytes) => {
            out.push('=');
            if kind == 'A' { escape(bytes, out) } else { to_hex(bytes, out) }
        }
        Content::Link(target) => {
            out.push('=');
            out.push_str(target);
        }
        Content::Refused(number) => {
            out.push('=');
            out.push_str(&error_name(*number));
        }
        Content::Folder => {}
    }
}

/// Several lines that can be shown as they are: printable (tabs included),
/// with a line break at the end.
fn is_lines(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    text.ends_with('\n')
        && text.matches('\n').count() > 1
        && !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t')
}

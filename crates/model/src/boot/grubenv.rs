//! GRUB's environment block: what it remembers from one boot to the next.
//!
//! In: the file's bytes. Out: its variables, and the bytes with another value.
//! Never: another size; GRUB writes into the file's blocks on the disk
//! (`grub-core/lib/envblk.c`, `save_env` in loadenv.c).

use super::cmdline::{Change, agreed};
use super::source::{EditError, Problem};

/// How large the block is.
pub const SIZE: usize = 1024;

/// Where Red Hat 8 has the arguments of all entries (`options $kernelopts`);
/// grubby(8) changes it there for all kernels, beside `GRUB_CMDLINE_LINUX`.
pub const KERNELOPTS: &str = "kernelopts";

/// A variable with changes of the arguments in it, as it was and as it is to
/// be; nothing where the block has no such variable, or it says all already.
///
/// # Errors
///
/// Where the block is not understood or would be too long, or the line does
/// not take the changes.
pub fn edit(
    file: &str,
    bytes: &[u8],
    name: &str,
    changes: &[Change],
) -> Result<Option<(String, String)>, EditError> {
    let wrong = |problem| EditError { file: file.to_owned(), line: None, problem };
    let mut block = Environment::parse(bytes).map_err(wrong)?;
    let Some(old) = block.get(name).map(str::to_owned) else { return Ok(None) };
    let new = agreed(&old, changes)
        .ok_or_else(|| wrong(Problem::Unterminated("a quoted text of the line or of a change")))?;
    block.set(name, &new).map_err(wrong)?;
    block.to_bytes().map_err(wrong)?;
    Ok((new != old).then_some((old, new)))
}

const HEADER: &str = "# GRUB Environment Block\n";

/// The variables, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Line {
    /// `raw` is the value as it is written.
    Variable {
        name: String,
        value: String,
        raw: String,
    },
    Other(String),
}

impl Environment {
    /// Reads a block.
    ///
    /// # Errors
    ///
    /// Where the size, the header or the text is another one.
    pub fn parse(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.len() != SIZE {
            return Err(Problem::Format("an environment block has 1024 bytes"));
        }
        let text = std::str::from_utf8(bytes).ok().and_then(|text| text.strip_prefix(HEADER));
        let Some(mut rest) = text else {
            return Err(Problem::Format("the header of an environment block is missing"));
        };
        let mut lines = Vec::new();
        // Padding begins behind the last line; a comment has more than signs.
        while !rest.bytes().all(|byte| byte == b'#') {
            let Some((line, behind)) = line(rest) else {
                return Err(Problem::Unterminated("a line of the environment block"));
            };
            lines.push(match line.split_once('=') {
                Some((name, raw)) if !name.starts_with('#') => Line::Variable {
                    name: name.to_owned(),
                    value: unescaped(raw),
                    raw: raw.to_owned(),
                },
                _ => Line::Other(line.to_owned()),
            });
            rest = behind;
        }
        Ok(Self { lines })
    }

    /// A variable's value: the last one, as GRUB reads them one by one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables().filter(|(of, _)| *of == name).last().map(|(_, value)| value)
    }

    /// All variables, in order.
    pub fn variables(&self) -> impl Iterator<Item = (&str, &str)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Variable { name, value, .. } => Some((name.as_str(), value.as_str())),
            Line::Other(_) => None,
        })
    }

    /// Gives a variable a value.
    ///
    /// # Errors
    ///
    /// Where the name is none.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        if name.is_empty() || name.contains(['=', '\n', '\\']) || name.starts_with('#') {
            return Err(Problem::NotWritable(name.to_owned(), "the environment block"));
        }
        let new =
            Line::Variable { name: name.to_owned(), value: value.to_owned(), raw: escaped(value) };
        let first = self.lines.iter().position(|line| line.is(name));
        self.unset(name);
        self.lines.insert(first.unwrap_or(self.lines.len()), new);
        Ok(())
    }

    /// Takes a variable away.
    pub fn unset(&mut self, name: &str) {
        self.lines.retain(|line| !line.is(name));
    }

    /// The block.
    ///
    /// # Errors
    ///
    /// Where it would not fit.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Problem> {
        let mut text = HEADER.to_owned();
        for line in &self.lines {
            match line {
                Line::Variable { name, raw, .. } => {
                    text.push_str(&[name, "=", raw, "\n"].concat());
                }
                Line::Other(line) => text.push_str(&[line.as_str(), "\n"].concat()),
            }
        }
        if text.len() > SIZE {
            return Err(Problem::Format("an environment block holds 1024 bytes and no more"));
        }
        let mut bytes = text.into_bytes();
        bytes.resize(SIZE, b'#');
        Ok(bytes)
    }
}

impl Line {
    /// Whether it is a variable of a name.
    fn is(&self, name: &str) -> bool {
        matches!(self, Self::Variable { name: of, .. } if of == name)
    }
}

/// A line, which a backslash continues, and what follows it.
fn line(text: &str) -> Option<(&str, &str)> {
    let mut is_escaped = false;
    let end = text.bytes().position(|byte| {
        let ends = byte == b'\n' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })?;
    Some((&text[..end], &text[end + 1..]))
}

fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    out
}

fn escaped(text: &str) -> String {
    let escape = |c: char| matches!(c, '\\' | '\n').then_some('\\').into_iter().chain([c]);
    text.chars().flat_map(escape).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(text: &str) -> Vec<u8> {
        let mut bytes = [HEADER, text].concat().into_bytes();
        bytes.resize(SIZE, b'#');
        bytes
    }

    #[test]
    fn read_and_written() {
        let bytes = block("saved_entry=a\\\\\\b\n# kept\nnext_entry=\nkernelopts=root=x ro \n");
        let mut env = Environment::parse(&bytes).unwrap();
        assert_eq!(env.get("saved_entry"), Some("a\\b"));
        assert_eq!(env.get("next_entry"), Some(""));
        assert_eq!(env.get("kernelopts"), Some("root=x ro "));
        assert_eq!(env.get("other"), None);
        assert_eq!(env.to_bytes().unwrap(), bytes);
        env.set("next_entry", "1>2").unwrap();
        env.unset("kernelopts");
        let want = block("saved_entry=a\\\\\\b\n# kept\nnext_entry=1>2\n");
        assert_eq!(env.to_bytes().unwrap(), want);
        assert!(env.set("a=b", "").is_err() && env.set("", "").is_err());
        env.set("long", &"x".repeat(1000)).unwrap();
        assert!(env.to_bytes().is_err());
    }

    #[test]
    fn arguments_in_a_variable() {
        let bytes = block("saved_entry=a\nkernelopts=root=x ro quiet \n");
        let set = |word: &str| Change::Set(word.to_owned());
        let edited = |name, word| edit("grubenv", &bytes, name, &[set(word)]);
        let want = ("root=x ro quiet ".to_owned(), "root=x ro quiet iommu=pt ".to_owned());
        assert_eq!(edited(KERNELOPTS, "iommu=pt").unwrap(), Some(want));
        assert_eq!(edited(KERNELOPTS, "quiet").unwrap(), None);
        assert_eq!(edited("other", "quiet").unwrap(), None);
        assert!(edited(KERNELOPTS, &"x".repeat(1000)).is_err());
        let error = edit("grubenv", b"half", KERNELOPTS, &[]).unwrap_err();
        assert_eq!(error.to_string(), "`grubenv`: an environment block has 1024 bytes");
    }

    #[test]
    fn what_is_no_block() {
        let mut short = block("");
        short.pop();
        let other = vec![b'#'; SIZE];
        let mut full = block(&format!("a={}", "x".repeat(997)));
        for bytes in [&short, &other, &full] {
            assert!(Environment::parse(bytes).is_err());
        }
        full[SIZE - 1] = b'\n';
        assert!(Environment::parse(&full).is_ok());
    }

    proptest! {
        #[test]
        fn one_variable_changes(
            pairs in prop::collection::vec(("[a-c]{1,2}", "[a-c\\\\\n#=é]{0,5}"), 0..6),
            name in "[a-c]{1,2}", value in "[a-c\\\\\n#=]{0,5}",
        ) {
            let mut env = Environment::default();
            for (name, value) in &pairs {
                env.set(name, value).unwrap();
            }
            let before = env.clone();
            env.set(&name, &value).unwrap();
            let bytes = env.to_bytes().unwrap();
            prop_assert_eq!(bytes.len(), SIZE);
            let read = Environment::parse(&bytes).unwrap();
            prop_assert_eq!(&read, &env);
            prop_assert_eq!(read.get(&name), Some(value.as_str()));
            for (other, value) in before.variables().filter(|(of, _)| *of != name) {
                prop_assert_eq!(read.get(other), Some(value));
            }
        }

        #[test]
        fn garbage_is_refused(mut bytes: Vec<u8>, text in "[a-c=\\\\\n#]{0,40}") {
            bytes.resize(SIZE, b'#');
            let _ = Environment::parse(&bytes);
            if let Ok(env) = Environment::parse(&block(&text)) {
                let again = Environment::parse(&env.to_bytes().unwrap()).unwrap();
                prop_assert_eq!(again, env);
            }
        }
    }
}

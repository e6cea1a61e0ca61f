//! One argument of QEMU's command line: `-flag head,key=value,…`.
//!
//! QEMU ends a value at a comma; a comma that is meant is written twice
//! (`get_opt_value()` in `util/keyval.c` and `util/qemu-option.c`). Every
//! value goes through here, so no path or name can smuggle in an option.

use std::fmt::{self, Display, Write};
use std::path::Path;

/// One argument. Every kind of argument is a struct that turns into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arg {
    flag: &'static str,
    text: String,
}

impl Arg {
    /// `-flag head`; the head may be empty.
    pub(crate) fn new(flag: &'static str, head: &str) -> Self {
        Self { flag, text: escape(head) }
    }

    /// `key=value`.
    pub(crate) fn with(mut self, key: &str, value: impl Display) -> Self {
        if !self.text.is_empty() {
            self.text.push(',');
        }
        self.text.push_str(key);
        self.text.push('=');
        self.text.push_str(&escape(&value.to_string()));
        self
    }

    /// `key=value` if there is one.
    pub(crate) fn with_some(self, key: &str, value: Option<impl Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// `key=on` if so, nothing if not.
    pub(crate) fn with_on(self, key: &str, on: bool) -> Self {
        if on { self.with(key, "on") } else { self }
    }

    /// `key=path`.
    pub(crate) fn with_path(self, key: &str, path: &Path) -> Self {
        self.with(key, path.display())
    }

    /// The two words of the command line.
    pub(crate) fn push_to(self, argv: &mut Vec<String>) {
        argv.push(self.flag.to_owned());
        argv.push(self.text);
    }
}

fn escape(text: &str) -> String {
    text.replace(',', ",,")
}

/// Bytes as QEMU reads and people write them: `4G`, `1536M`, `4097`.
#[derive(Clone, Copy)]
pub(crate) struct Size(pub(crate) u64);

impl Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(40, 'T'), (30, 'G'), (20, 'M'), (10, 'K')] {
            if self.0 != 0 && self.0.trailing_zeros() >= shift {
                write!(f, "{}", self.0 >> shift)?;
                return f.write_char(unit);
            }
        }
        self.0.fmt(f)
    }
}

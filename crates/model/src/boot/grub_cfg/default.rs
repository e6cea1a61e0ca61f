//! Which entry GRUB boots.
//!
//! In: a menu and the environment block. Out: the entry. Never: a guess; an
//! index behind an entry that is perhaps not shown counts as not known.
//!
//! The rules are those of `get_and_remove_first_entry_number()` and
//! `menuentry_eq()` in GRUB's `grub-core/normal/menu.c`: a number counts from
//! zero, a name is a title or an id, `>` leads into a submenu and is doubled
//! where it belongs to a name; what does not lead to an entry leads to the
//! first one.

use super::super::grubenv::Environment;
use super::super::source::Problem;
use super::menu::{Entry, Menu};

impl Menu {
    /// The entry that the next boot takes where nobody presses a key; nothing
    /// where the menu is empty.
    ///
    /// # Errors
    ///
    /// Where the file sets `default` in ways that cannot be told apart, or an
    /// index counts entries that are perhaps not shown.
    pub fn default_entry(&self, env: &Environment) -> Result<Option<&Entry>, Problem> {
        let asks_next = self.defaults.iter().any(|value| names(value, "next_entry"));
        let once = env.get("next_entry").filter(|value| asks_next && !value.is_empty());
        let spec = match once {
            Some(once) => once.to_owned(),
            None => self.usual(env)?,
        };
        let mut parent = None;
        let mut rest = spec.as_str();
        loop {
            let (found, behind) = match self.step(parent, rest)? {
                Some(found) => found,
                None => match self.nth(parent, 0)? {
                    Some(first) => (first, ""),
                    None => return Ok(None),
                },
            };
            let entry = &self.entries[found];
            if !entry.is_submenu {
                return Ok(Some(entry));
            }
            (parent, rest) = (Some(found), behind);
        }
    }

    /// The entry that a path names: a title, an id, a number, or several of
    /// them with `>` between.
    ///
    /// # Errors
    ///
    /// Where it names none, or an index counts entries that are perhaps not
    /// shown.
    pub fn find(&self, spec: &str) -> Result<&Entry, Problem> {
        let missing = || Problem::NoEntry(spec.to_owned());
        let (mut parent, mut rest) = (None, spec);
        loop {
            let (found, behind) = self.step(parent, rest)?.ok_or_else(missing)?;
            let entry = &self.entries[found];
            match (entry.is_submenu, behind) {
                (false, "") => return Ok(entry),
                (true, behind) if !behind.is_empty() => (parent, rest) = (Some(found), behind),
                _ => return Err(missing()),
            }
        }
    }

    /// What `default` is set to where no entry was asked for once.
    fn usual(&self, env: &Environment) -> Result<String, Problem> {
        let mut usual: Vec<&str> =
            self.defaults.iter().map(String::as_str).filter(|v| !names(v, "next_entry")).collect();
        usual.dedup();
        match usual.as_slice() {
            [] => Ok(String::new()),
            [value] if names(value, "saved_entry") => {
                Ok(env.get("saved_entry").unwrap_or_default().to_owned())
            }
            [value] if !value.contains('$') => Ok((*value).to_owned()),
            _ => Err(Problem::Format("`default` is set in more than one way")),
        }
    }

    /// The first part of a path, and the rest of it.
    fn step<'s>(
        &self,
        parent: Option<usize>,
        spec: &'s str,
    ) -> Result<Option<(usize, &'s str)>, Problem> {
        let spec = spec.trim_start();
        let mut children = self.children(parent);
        let named = children.find_map(|(index, entry)| {
            let length = matched(&entry.title, spec).or_else(|| matched(&entry.id, spec))?;
            Some((index, spec[length..].strip_prefix('>').unwrap_or("")))
        });
        let digits = spec.len() - spec.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = spec.split_at(digits);
        if let Ok(number) = number.parse()
            && (behind.is_empty() || behind.starts_with('>'))
        {
            let behind = behind.strip_prefix('>').unwrap_or("");
            return Ok(self.nth(parent, number)?.map(|index| (index, behind)));
        }
        if digits > 0 && named.is_none() {
            // GRUB up to 2.06 takes the number and leaves the rest, later ones
            // and Fedora's do not.
            return Err(Problem::NoEntry(spec.to_owned()));
        }
        Ok(named)
    }

    fn children(&self, parent: Option<usize>) -> impl Iterator<Item = (usize, &Entry)> {
        self.entries.iter().enumerate().filter(move |(_, entry)| entry.parent == parent)
    }

    /// The entry of an index.
    fn nth(&self, parent: Option<usize>, number: usize) -> Result<Option<usize>, Problem> {
        for (count, (index, entry)) in self.children(parent).enumerate() {
            if entry.is_conditional {
                let problem = "an entry that is perhaps not shown stands before the default one";
                return Err(Problem::Format(problem));
            }
            if count == number {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}

/// Whether a value is a variable.
fn names(value: &str, variable: &str) -> bool {
    let name = value.strip_prefix('$').unwrap_or_default();
    let inner = name.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
    inner.unwrap_or(name) == variable
}

/// How much of a path is a name, where it begins with it.
fn matched(name: &str, spec: &str) -> Option<usize> {
    let mut rest = spec;
    for c in name.chars() {
        rest = match c {
            '>' => rest.strip_prefix(">>")?,
            c => rest.strip_prefix(c)?,
        };
    }
    let ends = rest.is_empty() || rest.starts_with('>') && !rest.starts_with(">>");
    ends.then(|| spec.len() - rest.len())
}

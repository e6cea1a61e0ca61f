//! A whole tree as a value, so that two moments can be compared.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every file, folder and link below a root, by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeSnapshot(BTreeMap<String, Entry>);

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Folder,
    File(Vec<u8>),
    Link(String),
}

impl TreeSnapshot {
    /// Everything below this folder; links are not followed.
    pub fn of(root: &Path) -> Self {
        let mut entries = BTreeMap::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            let Ok(names) = fs::read_dir(&folder) else { continue };
            for path in names.flatten().map(|entry| entry.path()) {
                let entry = entry(&path);
                if entry == Entry::Folder {
                    folders.push(path.clone());
                }
                let name = path.strip_prefix(root).unwrap_or(&path);
                entries.insert(name.to_string_lossy().into_owned(), entry);
            }
        }
        Self(entries)
    }

    /// What stands at a path below the root.
    pub fn get(&self, path: &str) -> Option<&Entry> {
        self.0.get(path)
    }

    /// Everything, by path.
    pub fn entries(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.0.iter()
    }

    /// What came, went or changed from this moment to the other, a line each.
    pub fn diff(&self, later: &Self) -> Vec<String> {
        let gone = self.0.iter().filter(|(path, _)| !later.0.contains_key(*path));
        let mut lines: Vec<String> =
            gone.map(|(path, entry)| format!("- {path} {entry}")).collect();
        for (path, now) in &later.0 {
            match self.0.get(path) {
                None => lines.push(format!("+ {path} {now}")),
                Some(before) if before != now => lines.push(format!("~ {path} {before} -> {now}")),
                Some(_) => {}
            }
        }
        lines
    }
}

fn entry(path: &Path) -> Entry {
    match path.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => {
            let target = fs::read_link(path).unwrap_or_default();
            Entry::Link(target.to_string_lossy().into_owned())
        }
        Ok(meta) if meta.is_dir() => Entry::Folder,
        _ => Entry::File(fs::read(path).unwrap_or_default()),
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder => f.write_str("(folder)"),
            Self::Link(target) => write!(f, "(link to {target})"),
            Self::File(bytes) if bytes.len() > 200 => write!(f, "({} bytes)", bytes.len()),
            Self::File(bytes) => write!(f, "{:?}", String::from_utf8_lossy(bytes)),
        }
    }
}

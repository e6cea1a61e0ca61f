//! The menu that a `grub.cfg` describes.
//!
//! In: the file. Out: its entries and submenus, with the kernels, arguments
//! and initial file systems that they name, and what `default` is set to.
//! Never: running the script; an entry that stands in a condition is marked.

use std::ops::Range;

use super::super::cmdline::{Change, is_recovery};
use super::super::source::{EditError, Problem, Source};
use super::token::{Token, Word, tokens};

/// How deep blocks may stand in one another.
const DEPTH: usize = 16;

/// Commands of which words are read.
const READ: &[&str] =
    &["linux", "linux16", "linuxefi", "initrd", "initrd16", "initrdefi", "set", "blscfg"];

/// The entries of a file, in order; a submenu comes before what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Menu {
    pub entries: Vec<Entry>,
    /// What `default` is set to, in order, variables as they are written.
    pub defaults: Vec<String>,
    /// Entries come from elsewhere, too: Boot Loader Specification files.
    pub reads_bls: bool,
}

/// An entry or a submenu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub title: String,
    /// Its title where it has no other.
    pub id: String,
    pub is_submenu: bool,
    /// The submenu that it stands in, by its place in the list.
    pub parent: Option<usize>,
    /// It stands in a condition, so it is perhaps not shown.
    pub is_conditional: bool,
    pub kernels: Vec<Kernel>,
    /// The files of its `initrd` lines.
    pub initrds: Vec<String>,
    /// From `menuentry` to the closing brace.
    pub(super) span: Range<usize>,
    pub(super) title_span: Range<usize>,
    pub(super) id_span: Option<Range<usize>>,
}

/// A `linux` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kernel {
    pub path: String,
    pub(super) path_span: Range<usize>,
    pub(super) arguments: Vec<Word>,
}

impl Kernel {
    /// Its arguments as the kernel sees them, variables as they are written.
    pub fn line(&self) -> String {
        let words: Vec<String> = self.arguments.iter().map(argument).collect();
        words.join(" ")
    }
}

impl Menu {
    /// The first kernel that is not started as it should be, and the change
    /// that its line lacks. Entries for recovery are left as they are, and so
    /// are those of which the id begins with `apart`. Where `grub-mkconfig`
    /// found kernels of this system, theirs are the entries that its settings
    /// are for; other systems and programs (memtest) have arguments of their own.
    pub fn lacks<'c>(&self, changes: &'c [Change], apart: &str) -> Option<(String, &'c Change)> {
        let own = self.entries.iter().any(Entry::is_of_settings);
        let entries = self.entries.iter().filter(|entry| !entry.id.starts_with(apart));
        let entries = entries.filter(|entry| !own || entry.is_of_settings());
        let kernels = entries.flat_map(|entry| &entry.kernels);
        let mut lines = kernels.map(Kernel::line).filter(|line| !is_recovery(line));
        lines.find_map(|line| {
            let lacking = changes.iter().find(|change| !change.is_in(&line))?;
            Some((line, lacking))
        })
    }

    /// Whether it starts any kernel, as far as it says itself.
    pub fn starts_kernels(&self) -> bool {
        self.reads_bls || self.entries.iter().any(|entry| !entry.kernels.is_empty())
    }
}

impl Entry {
    /// Whether `10_linux` made it, from GRUB's settings: by its id.
    fn is_of_settings(&self) -> bool {
        !self.kernels.is_empty() && self.id.starts_with("gnulinux-")
    }
}

/// A word as GRUB passes it on: between quotes where it has blanks
/// (`grub_create_loader_cmdline()` in grub-core/lib/cmdline.c).
pub(super) fn argument(word: &Word) -> String {
    let quote = if word.value.contains(char::is_whitespace) { "\"" } else { "" };
    format!("{quote}{}{quote}", word.value)
}

/// Reads a menu.
///
/// # Errors
///
/// Where a quote, a block or a condition has no end.
pub fn parse(source: Source<'_>) -> Result<Menu, EditError> {
    let at = |(at, problem)| source.error_at(at, problem);
    let tokens = tokens(source.text).map_err(at)?;
    let menu = Menu { entries: Vec::new(), defaults: Vec::new(), reads_bls: false };
    let mut reader = Reader { menu, open: Vec::new(), conditions: Vec::new() };
    let mut command: Vec<&Word> = Vec::new();
    for token in &tokens {
        match token {
            Token::Word(word) if command.is_empty() && reader.keyword(word).map_err(at)? => {}
            Token::Word(word) => command.push(word),
            Token::Break | Token::Sign => {
                reader.command(&std::mem::take(&mut command)).map_err(at)?;
            }
            Token::Open(open) => {
                let begun = reader.open(&std::mem::take(&mut command), *open);
                begun.map_err(at)?;
            }
            Token::Close(close) => {
                reader.command(&std::mem::take(&mut command)).map_err(at)?;
                reader.close(*close).map_err(at)?;
            }
        }
    }
    reader.command(&command).map_err(at)?;
    match (reader.open.last(), reader.conditions.last()) {
        (Some(block), _) => Err(at((block.at, Problem::Unterminated("a block")))),
        (None, Some(&from)) => Err(at((from, Problem::Unterminated("a condition")))),
        (None, None) => Ok(reader.menu),
    }
}

struct Reader {
    menu: Menu,
    open: Vec<Block>,
    /// Where conditions and loops began that have not ended.
    conditions: Vec<usize>,
}

struct Block {
    at: usize,
    /// The entry that it is, by its place in the list.
    entry: Option<usize>,
    /// How many conditions were open where it began.
    conditions: usize,
}

impl Reader {
    /// Whether a first word is one of the script's own.
    fn keyword(&mut self, word: &Word) -> Result<bool, (usize, Problem)> {
        let at = word.span.start;
        // Quoted, it would be longer than its value.
        if word.value.len() != word.span.len() {
            return Ok(false);
        }
        match word.value.as_str() {
            "if" | "while" | "until" => self.conditions.push(at),
            "for" => {
                self.conditions.push(at);
                return Ok(false);
            }
            "then" | "elif" | "else" | "do" | "!" => {}
            "fi" | "done" => {
                let outer = self.open.last().map_or(0, |block| block.conditions);
                if self.conditions.len() <= outer {
                    return Err((at, Problem::Unbalanced(word.value.clone())));
                }
                self.conditions.pop();
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn command(&mut self, words: &[&Word]) -> Result<(), (usize, Problem)> {
        let Some((first, arguments)) = words.split_first() else { return Ok(()) };
        match first.value.as_str() {
            "set" => {
                let value = |word: &&Word| word.value.strip_prefix("default=").map(str::to_owned);
                self.menu.defaults.extend(arguments.first().and_then(value));
            }
            "blscfg" => self.menu.reads_bls = true,
            "linux" | "linux16" | "linuxefi" => {
                let (Some(entry), Some((path, rest))) = (self.entry(), arguments.split_first())
                else {
                    return Ok(());
                };
                let arguments = rest.iter().map(|word| (*word).clone()).collect();
                let (path, path_span) = (path.value.clone(), path.span.clone());
                entry.kernels.push(Kernel { path, path_span, arguments });
            }
            "initrd" | "initrd16" | "initrdefi" => {
                if let Some(entry) = self.entry() {
                    entry.initrds.extend(arguments.iter().map(|word| word.value.clone()));
                }
            }
            // Cut off before its block.
            "menuentry" | "submenu" => {
                return Err((first.span.start, Problem::Unterminated("an entry")));
            }
            name => {
                let value = name.strip_prefix("default=").map(str::to_owned);
                self.menu.defaults.extend(value);
            }
        }
        Ok(())
    }

    /// The entry whose block is open.
    fn entry(&mut self) -> Option<&mut Entry> {
        let index = self.open.iter().rev().find_map(|block| block.entry)?;
        self.menu.entries.get_mut(index)
    }

    fn open(&mut self, words: &[&Word], at: usize) -> Result<(), (usize, Problem)> {
        if self.open.len() >= DEPTH {
            return Err((at, Problem::TooDeep("blocks")));
        }
        let (conditions, parent) =
            (self.conditions.len(), self.open.iter().rev().find_map(|block| block.entry));
        let is_conditional = conditions > self.open.last().map_or(0, |block| block.conditions)
            || self.open.iter().any(|block| block.entry.is_none());
        let entry = match words.split_first() {
            Some((first, arguments)) if ["menuentry", "submenu"].contains(&&*first.value) => {
                let mut entry = entry(first, arguments)?;
                (entry.parent, entry.is_conditional) = (parent, is_conditional);
                self.menu.entries.push(entry);
                Some(self.menu.entries.len() - 1)
            }
            // Braces belong to a block, not to words that something is read of.
            Some((first, _)) if READ.contains(&&*first.value) => {
                return Err((at, Problem::Unexpected("{".to_owned())));
            }
            _ => None,
        };
        self.open.push(Block { at, entry, conditions });
        Ok(())
    }

    fn close(&mut self, at: usize) -> Result<(), (usize, Problem)> {
        let Some(block) = self.open.pop() else {
            return Err((at, Problem::Unbalanced("}".to_owned())));
        };
        if let Some(&from) = self.conditions.get(block.conditions) {
            return Err((from, Problem::Unterminated("a condition")));
        }
        if let Some(entry) = block.entry.and_then(|index| self.menu.entries.get_mut(index)) {
            entry.span.end = at + 1;
        }
        Ok(())
    }
}

/// An entry by the words before its block.
fn entry(first: &Word, words: &[&Word]) -> Result<Entry, (usize, Problem)> {
    let start = first.span.start;
    let mut title: Option<&Word> = None;
    let mut id: Option<(String, Range<usize>)> = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.value.as_str() {
            "--id" | "$menuentry_id_option" | "${menuentry_id_option}" => {
                id = words.next().map(|word| (word.value.clone(), word.span.clone()));
            }
            "--class" | "--users" | "--hotkey" | "--source" => drop(words.next()),
            value => match value.strip_prefix("--id=") {
                Some(value) => id = Some((value.to_owned(), word.span.clone())),
                None if value.starts_with("--") && title.is_none() => {}
                None => title = title.or(Some(word)),
            },
        }
    }
    let Some(title) = title else {
        return Err((start, Problem::Format("an entry has no title")));
    };
    let (id, id_span) = match id {
        Some((id, span)) => (id, Some(span)),
        None => (title.value.clone(), None),
    };
    Ok(Entry {
        title: title.value.clone(),
        id,
        is_submenu: first.value == "submenu",
        parent: None,
        is_conditional: false,
        kernels: Vec::new(),
        initrds: Vec::new(),
        span: start..start,
        title_span: title.span.clone(),
        id_span,
    })
}

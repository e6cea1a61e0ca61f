//! A copy of an entry, with other arguments.
//!
//! In: a `grub.cfg`, an entry of it, and what the copy is called. Out: the
//! copy, or the file with it behind the original; boot loaders that read the
//! file without running it (Petitboot on POWER) show it, too. Never: a change
//! of another byte. What comes out is read back before it is returned.

use std::ops::Range;

use super::super::cmdline::{Change, Cmdline, Hunk, agreed, spliced};
use super::super::source::{EditError, Problem, Source};
use super::menu::{Entry, Kernel, Menu, argument, parse};
use super::token::quoted;

/// What a copy is called, and what it changes.
#[derive(Clone, Copy, Debug)]
pub struct Copy<'a> {
    pub title: &'a str,
    pub id: &'a str,
    /// Changes of the arguments on its `linux` lines.
    pub changes: &'a [Change],
}

/// The copy's text, with the blanks before it and the end of its last line.
///
/// # Errors
///
/// Where the entry is not there or names no kernel, or the copy's names or
/// arguments cannot be written.
pub fn copy_entry(source: Source<'_>, which: &str, copy: Copy<'_>) -> Result<String, EditError> {
    let menu = parse(source)?;
    let entry = menu.find(which).map_err(|problem| source.error(problem))?;
    if entry.kernels.is_empty() {
        let problem = Problem::NoKernel(entry.title.clone());
        return Err(source.error_at(entry.span.start, problem));
    }
    let span = whole(source.text, &entry.span);
    let mut hunks = [title(source, entry, copy)?, id(source, entry, copy)?];
    hunks.sort_by_key(|hunk| (hunk.span.start, hunk.span.end));
    for hunk in &mut hunks {
        hunk.span = hunk.span.start - span.start..hunk.span.end - span.start;
    }
    let text = spliced(&source.text[span], &hunks);
    let text = if text.ends_with('\n') { text } else { text + "\n" };
    copy.changes
        .iter()
        .try_fold(text, |text, change| changed(Source::new(source.name, &text), change))
}

/// The file with a copy of an entry behind it; as it is where it has that copy.
///
/// # Errors
///
/// As [`copy_entry`], and where another entry has the copy's title or id.
pub fn insert_copy(source: Source<'_>, which: &str, copy: Copy<'_>) -> Result<String, EditError> {
    let text = copy_entry(source, which, copy)?;
    let menu = parse(source)?;
    let at = |problem| source.error(problem);
    let original = menu.find(which).map_err(at)?;
    let same = |entry: &&Entry| entry.id == copy.id || entry.title == copy.title;
    if let Some(there) = menu.entries.iter().find(same) {
        return match source.text[whole(source.text, &there.span)].trim_end() == text.trim_end() {
            true => Ok(source.text.to_owned()),
            false => Err(source.error_at(there.span.start, Problem::SameEntry(copy.id.to_owned()))),
        };
    }
    let end = whole(source.text, &original.span).end;
    let (before, behind) = source.text.split_at(end);
    let newline = if before.ends_with('\n') { "" } else { "\n" };
    let new = [before, newline, &text, behind].concat();
    let entangled = || at(Problem::Entangled(original.title.clone()));
    let after = parse(Source::new(source.name, &new)).map_err(|_| entangled())?;
    if is_copied(&menu, &after, (original, copy)) { Ok(new) } else { Err(entangled()) }
}

/// The file without an entry: a copy that is not needed any more.
///
/// # Errors
///
/// Where no entry has the id.
pub fn without_entry(source: Source<'_>, id: &str) -> Result<String, EditError> {
    let menu = parse(source)?;
    let entry = menu.entries.iter().find(|entry| entry.id == id && !entry.is_submenu);
    let entry = entry.ok_or_else(|| source.error(Problem::NoEntry(id.to_owned())))?;
    let span = whole(source.text, &entry.span);
    Ok([&source.text[..span.start], &source.text[span.end..]].concat())
}

/// An entry with the blanks before it and the end of its last line, where
/// nothing else stands there.
fn whole(text: &str, span: &Range<usize>) -> Range<usize> {
    let before = text[..span.start].trim_end_matches([' ', '\t']);
    let start = if before.is_empty() || before.ends_with('\n') { before.len() } else { span.start };
    let behind = &text[span.end..];
    let blanks = behind.len() - behind.trim_start_matches([' ', '\t', '\r']).len();
    let ends = behind[blanks..].starts_with('\n');
    start..if ends { span.end + blanks + 1 } else { span.end }
}

fn title(source: Source<'_>, entry: &Entry, copy: Copy<'_>) -> Result<Hunk, EditError> {
    let text = name(source, entry, copy.title)?;
    Ok(Hunk { span: entry.title_span.clone(), text })
}

fn id(source: Source<'_>, entry: &Entry, copy: Copy<'_>) -> Result<Hunk, EditError> {
    let text = name(source, entry, copy.id)?;
    Ok(match &entry.id_span {
        Some(span) if source.text[span.clone()].starts_with("--id=") => {
            Hunk { span: span.clone(), text: format!("--id={text}") }
        }
        Some(span) => Hunk { span: span.clone(), text },
        None => {
            let end = entry.title_span.end;
            Hunk { span: end..end, text: format!(" --id {text}") }
        }
    })
}

/// A title or an id between quotes.
fn name(source: Source<'_>, entry: &Entry, name: &str) -> Result<String, EditError> {
    if name.is_empty() || name.contains(char::is_control) {
        let problem = Problem::NotWritable(name.to_owned(), "an entry's name");
        return Err(source.error_at(entry.span.start, problem));
    }
    Ok(quoted(name))
}

/// An entry's text with one change on each of its `linux` lines.
fn changed(entry: Source<'_>, change: &Change) -> Result<String, EditError> {
    let menu = parse(entry)?;
    let mut hunks = Vec::new();
    for kernel in menu.entries.iter().flat_map(|entry| &entry.kernels) {
        hunks.extend(arguments(kernel, change).map_err(|word| {
            let problem = Problem::NotWritable(word, "the arguments of an entry");
            entry.error_at(kernel.path_span.start, problem)
        })?);
    }
    Ok(spliced(entry.text, &hunks))
}

/// What changes on a `linux` line: whole words of it; or what cannot be
/// written there.
fn arguments(kernel: &Kernel, change: &Change) -> Result<Vec<Hunk>, String> {
    let words: Vec<String> = kernel.arguments.iter().map(argument).collect();
    let line = words.join(" ");
    let hunks = change.hunks(&line);
    // The line's words must be GRUB's words, or their places are not known.
    let behind = words.iter().position(|word| word == "--").unwrap_or(words.len());
    let is_same = Cmdline::new(&line).words().eq(words[..behind].iter().map(String::as_str));
    if !is_same || !change.is_sound() || !change.is_in(&spliced(&line, &hunks)) {
        return Err(line);
    }
    let mut hunks = hunks.into_iter().peekable();
    let (mut at, mut end, mut out) = (0, kernel.path_span.end, Vec::new());
    for (word, place) in words.iter().zip(&kernel.arguments) {
        let span = at..at + word.len();
        if let Some(hunk) =
            hunks.next_if(|hunk| hunk.span.end <= span.start && !hunk.text.is_empty())
        {
            out.push(Hunk { span: end..end, text: format!(" {}", written(hunk.text.trim())?) });
        }
        let covers = |hunk: &Hunk| hunk.span.start < span.end && span.start < hunk.span.end;
        if let Some(hunk) = hunks.peek().filter(|hunk| covers(hunk)) {
            out.push(match hunk.text.trim() {
                "" => Hunk { span: end..place.span.end, text: String::new() },
                word => Hunk { span: place.span.clone(), text: written(word)? },
            });
        }
        hunks.next_if(|hunk| hunk.span.end <= span.end + 1 && !hunk.span.is_empty());
        (at, end) = (span.end + 1, place.span.end);
    }
    for hunk in hunks.filter(|hunk| !hunk.text.is_empty()) {
        out.push(Hunk { span: end..end, text: format!(" {}", written(hunk.text.trim())?) });
    }
    Ok(out)
}

/// A word of the kernel's as GRUB takes it.
fn written(word: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:,=+@%^~[]()*?!".contains(c);
    let unquoted = word.replace('"', "");
    match word {
        _ if word.contains(|c: char| c.is_control() || "'\\".contains(c)) => Err(word.to_owned()),
        _ if word.chars().all(is_plain) => Ok(word.to_owned()),
        // GRUB puts a word with blanks between quotes again.
        _ => Ok(quoted(&unquoted)),
    }
}

/// Whether one menu is another with a copy in it, and nothing else.
fn is_copied(before: &Menu, after: &Menu, (original, copy): (&Entry, Copy<'_>)) -> bool {
    let Some(index) = after.entries.iter().position(|entry| entry.id == copy.id) else {
        return false;
    };
    let new = &after.entries[index];
    // Quotes stand around a word or around its value.
    let unquoted = |line: String| line.replace('"', "");
    let lines =
        |entry: &Entry| entry.kernels.iter().map(|k| unquoted(k.line())).collect::<Vec<_>>();
    let wanted = |kernel: &Kernel| agreed(&kernel.line(), copy.changes).map(unquoted);
    let wanted = original.kernels.iter().map(wanted);
    let says = |entry: &Entry| {
        let names = (entry.title.clone(), entry.id.clone(), entry.is_conditional);
        (names, lines(entry), entry.initrds.clone())
    };
    let others = after.entries.iter().enumerate().filter(|(other, _)| *other != index);
    new.title == copy.title
        && new.initrds == original.initrds
        && (new.parent, new.is_conditional) == (original.parent, original.is_conditional)
        && lines(new).into_iter().map(Some).eq(wanted)
        && others.map(|(_, entry)| says(entry)).eq(before.entries.iter().map(says))
}

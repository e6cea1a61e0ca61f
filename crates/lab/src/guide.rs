//! Does a guide page still tell the truth?
//!
//! In: a page with ```` ```console ```` blocks, and what really was typed and
//! printed at one prompt. Out: nothing, or the first line of each block that
//! does not follow on the one before it. A page may leave lines out where it
//! says so by a line `…`; it may not have lines of its own. A block belongs to
//! the prompt that it begins with.

use std::fs;

use crate::error::{AtPath, Error, Result};
use crate::places;

/// Stands for lines that are left out.
const GAP: &str = "…";

/// Fails with the lines of the page's console blocks at `prompt` that are not
/// in `transcript` as the page has them, and where it has no block of it.
pub fn check(page: &'static str, prompt: &str, transcript: &str) -> Result<()> {
    let path = places::repository().join(page);
    let text = fs::read_to_string(&path).at("read", &path)?;
    let seen: Vec<String> = transcript.lines().map(words).filter(|line| !line.is_empty()).collect();
    let prompt = format!("{prompt} ");
    let blocks = blocks(&text);
    let mut told = blocks.iter().filter(|block| is_of(block, &prompt)).peekable();
    if told.peek().is_none() {
        return Err(Error::Page { page, lines: format!("no block begins with `{prompt}`") });
    }
    let wrong: Vec<String> = told.filter_map(|block| strange(block, &prompt, &seen)).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Error::Page { page, lines: wrong.join("\n") }),
    }
}

fn is_of(block: &[String], prompt: &str) -> bool {
    block.first().is_some_and(|line| line.starts_with(prompt))
}

/// The console blocks, line by line.
fn blocks(text: &str) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
            if inside {
                blocks.push(Vec::new());
            }
        } else if let Some(block) = blocks.last_mut().filter(|_| inside) {
            let line = words(line);
            if !line.is_empty() {
                block.push(line);
            }
        }
    }
    blocks
}

/// The first line that is not where the page has it, whichever place the block
/// is thought to begin at.
fn strange(block: &[String], prompt: &str, seen: &[String]) -> Option<String> {
    let first = block.first()?;
    let starts = (0..seen.len()).filter(|at| seen[*at] == *first);
    let furthest = starts.map(|start| follows(block, prompt, &seen[start..])).max().unwrap_or(0);
    block.get(furthest).cloned()
}

/// How many lines of a block follow one another as they were seen.
fn follows(block: &[String], prompt: &str, seen: &[String]) -> usize {
    let mut at = 0;
    let mut gap = false;
    for (count, line) in block.iter().enumerate() {
        if line == GAP {
            gap = true;
            continue;
        }
        // A command begins a new part of the story.
        let free = gap || line.starts_with(prompt);
        let found = seen[at..].iter().position(|other| other == line);
        match found {
            Some(0) => at += 1,
            Some(ahead) if free => at += ahead + 1,
            _ => return count,
        }
        gap = false;
    }
    block.len()
}

/// A line without its alignment: columns are as wide as their widest entry.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(words).collect()
    }

    #[test]
    fn only_console_blocks_count() {
        let text = "a\n```sh\nb\n```\n```console\nlab# c\nd   e\n```\nf\n";
        assert_eq!(blocks(text), [["lab# c", "d e"]]);
    }

    #[test]
    fn what_is_left_out_is_marked() {
        let seen = lines("lab# a\n1\n2\n3\nlab# b\n4\nlab# a\n5");
        for (block, want) in [
            ("lab# a\n1\n2\n3", None),
            ("lab# a\n1\n3", Some("3")),
            ("lab# a\n1\n…\n3", None),
            ("lab# a\n3\n2", Some("3")),
            ("lab# a\n…\n3\n2", Some("2")),
            ("lab# a\n1\nlab# b\n4", None),
            ("lab# a\n5", None),
            ("lab# c", Some("lab# c")),
        ] {
            assert_eq!(strange(&lines(block), "lab# ", &seen).as_deref(), want, "{block}");
        }
    }
}

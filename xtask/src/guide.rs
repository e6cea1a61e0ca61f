//! Does a guide page still tell the truth?
//!
//! In: a page with ```` ```console ```` blocks, and what really was typed and
//! printed. Out: nothing, or each line of the page that never appeared. A
//! page may leave lines out; it may not have lines of its own.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, bail};

/// Fails with every line of the page's console blocks that is not in `transcript`.
pub fn check(page: &str, transcript: &str) -> anyhow::Result<()> {
    let text = fs::read_to_string(page).with_context(|| page.to_owned())?;
    let seen: BTreeSet<String> = transcript.lines().map(words).collect();
    let wrong: Vec<&str> = console(&text).filter(|line| !seen.contains(&words(line))).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    bail!("{page} shows what was not seen:\n{}", wrong.join("\n"))
}

/// The lines of all console blocks.
fn console(text: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    text.lines().filter(move |line| {
        let fence = line.starts_with("```");
        if fence {
            inside = *line == "```console";
        }
        inside && !fence
    })
}

/// A line without its alignment: columns are as wide as their widest entry.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_console_blocks_count() {
        let text = "a\n```sh\nb\n```\n```console\nlab# c\nd   e\n```\nf\n";
        let lines: Vec<String> = console(text).map(words).collect();
        assert_eq!(lines, ["lab# c", "d e"]);
    }
}

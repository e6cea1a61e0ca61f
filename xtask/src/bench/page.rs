//! `docs/benchmarks.md`: each table stands between its markers, the words around them are written by hand.

use std::fs;

use anyhow::Context;

const PAGE: &str = "docs/benchmarks.md";

/// Puts a table into the page.
pub fn write(name: &str, table: &str) -> anyhow::Result<()> {
    let path = lab::places::repository().join(PAGE);
    let page = fs::read_to_string(&path).context(PAGE)?;
    let page = replace(&page, name, table)
        .with_context(|| format!("{PAGE} has no markers of `{name}`"))?;
    fs::write(&path, page).context(PAGE)
}

fn replace(page: &str, name: &str, table: &str) -> Option<String> {
    let (open, close) = (format!("<!-- bench {name} -->"), format!("<!-- end {name} -->"));
    let (before, rest) = page.split_once(&open)?;
    let (_, after) = rest.split_once(&close)?;
    Some(format!("{before}{open}\n{}\n{close}{after}", table.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_the_markers() {
        let page = "a\n<!-- bench list -->\nold\n<!-- end list -->\nb\n";
        let want = "a\n<!-- bench list -->\nnew\n<!-- end list -->\nb\n";
        assert_eq!(replace(page, "list", "new\n\n").as_deref(), Some(want));
        assert_eq!(replace(want, "list", "new").as_deref(), Some(want));
        assert_eq!(replace(page, "bind", "new"), None);
    }
}

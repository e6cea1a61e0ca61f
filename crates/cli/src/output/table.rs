//! A table: rows of cells in aligned columns.
//!
//! In: cells, each with a style. Out: lines. One column may give way where a
//! terminal is too narrow; in a pipe nothing is ever cut.

use std::io::{self, Write};

use anstyle::Style;

use super::{HEADING, Look};

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    pub text: String,
    pub style: Style,
}

/// Rows of `N` cells under a heading.
#[derive(Debug)]
pub struct Table<const N: usize> {
    heading: [&'static str; N],
    /// The column that is cut where the terminal is too narrow.
    gives_way: usize,
    rows: Vec<[Cell; N]>,
}

/// Blanks between columns.
const GAP: usize = 2;
/// The narrowest that a column is cut to.
const NARROWEST: usize = 12;

impl Cell {
    /// A cell in a style.
    pub fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

impl<const N: usize> Table<N> {
    /// An empty table.
    pub fn new(heading: [&'static str; N], gives_way: usize) -> Self {
        Self { heading, gives_way, rows: Vec::new() }
    }

    pub fn push(&mut self, row: [Cell; N]) {
        self.rows.push(row);
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes heading and rows. The last column is never padded.
    pub fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        let widths = self.widths(look.width);
        for (at, title) in self.heading.iter().enumerate() {
            self.cell(out, look, widths, (at, title, HEADING))?;
        }
        for row in &self.rows {
            for (at, cell) in row.iter().enumerate() {
                self.cell(out, look, widths, (at, &cell.text, cell.style))?;
            }
        }
        Ok(())
    }

    fn widths(&self, limit: Option<usize>) -> [usize; N] {
        let mut widths = self.heading.map(str::len);
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(length(&cell.text));
            }
        }
        let total: usize = widths.iter().sum::<usize>() + GAP * (N - 1);
        if let Some(over) = limit.and_then(|limit| total.checked_sub(limit)) {
            let width = &mut widths[self.gives_way];
            *width = width.saturating_sub(over).max(NARROWEST.min(*width));
        }
        widths
    }

    fn cell(
        &self,
        out: &mut impl Write,
        look: Look,
        widths: [usize; N],
        (at, text, style): (usize, &str, Style),
    ) -> io::Result<()> {
        let cut = if at == self.gives_way { cut(text, widths[at]) } else { None };
        let text = cut.as_deref().unwrap_or(text);
        match look.colour && style != Style::new() {
            true => write!(out, "{style}{text}{style:#}")?,
            false => out.write_all(text.as_bytes())?,
        }
        match at == N - 1 {
            true => out.write_all(b"\n"),
            false => write!(out, "{:pad$}", "", pad = widths[at] - length(text) + GAP),
        }
    }
}

fn length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.chars().count() }
}

/// The head of a text that is too long, `None` if it fits.
fn cut(text: &str, width: usize) -> Option<String> {
    (length(text) > width)
        .then(|| text.chars().take(width.saturating_sub(1)).chain(['…']).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::NO;

    fn text(look: Look) -> String {
        let mut table = Table::new(["ADDRESS", "DEVICE", "VERDICT"], 1);
        table.push(["a".into(), "a device with a very long name".into(), "yes".into()]);
        table.push(["bb".into(), "dé".into(), Cell::styled("no", NO)]);
        let mut out = Vec::new();
        table.write(&mut out, look).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_pipe_gets_everything_and_no_colour() {
        insta::assert_snapshot!(text(Look { colour: false, width: None }), @r"
        ADDRESS  DEVICE                          VERDICT
        a        a device with a very long name  yes
        bb       dé                              no
        ");
    }

    #[test]
    fn a_narrow_terminal_cuts_one_column() {
        let cut = text(Look { colour: false, width: Some(40) });
        insta::assert_snapshot!(cut, @r"
        ADDRESS  DEVICE                 VERDICT
        a        a device with a very …  yes
        bb       dé                     no
        ");
        assert!(cut.lines().all(|line| line.chars().count() <= 40), "{cut}");
    }

    #[test]
    fn too_narrow_is_no_crash() {
        assert!(text(Look { colour: false, width: Some(1) }).contains("a device wi…"));
    }

    #[test]
    fn colour_is_closed_again() {
        let text = text(Look { colour: true, width: None });
        assert!(text.contains("\u{1b}[31mno\u{1b}[0m\n"), "{text:?}");
    }
}

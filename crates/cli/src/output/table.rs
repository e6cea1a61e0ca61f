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

    /// Writes heading and rows. A column without any content is left out,
    /// and the last one is never padded.
    pub fn write(&self, out: &mut impl Write, look: Look) -> io::Result<()> {
        let widths = self.widths(look.width);
        let heading = self.heading.map(|title| (title, HEADING));
        self.line(out, look, (widths, heading))?;
        self.rows.iter().try_for_each(|row| {
            let cells = row.each_ref().map(|cell| (cell.text.as_str(), cell.style));
            self.line(out, look, (widths, cells))
        })
    }

    /// The width of each column, 0 for one without content.
    fn widths(&self, limit: Option<usize>) -> [usize; N] {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(length(&cell.text));
            }
        }
        for (width, title) in widths.iter_mut().zip(self.heading) {
            *width = if *width == 0 { 0 } else { (*width).max(title.len()) };
        }
        let columns = widths.iter().filter(|width| **width > 0).count();
        let total = widths.iter().sum::<usize>() + GAP * columns.saturating_sub(1);
        if let Some(over) = limit.and_then(|limit| total.checked_sub(limit)) {
            let width = &mut widths[self.gives_way];
            *width = width.saturating_sub(over).max(NARROWEST.min(*width));
        }
        widths
    }

    fn line(
        &self,
        out: &mut impl Write,
        look: Look,
        (widths, cells): ([usize; N], [(&str, Style); N]),
    ) -> io::Result<()> {
        let last = widths.iter().rposition(|width| *width > 0);
        for (at, (text, style)) in cells.into_iter().enumerate().filter(|(at, _)| widths[*at] > 0) {
            let cut = if at == self.gives_way { cut(text, widths[at]) } else { None };
            let text = cut.as_deref().unwrap_or(text);
            match look.colour && style != Style::new() {
                true => write!(out, "{style}{text}{style:#}")?,
                false => out.write_all(text.as_bytes())?,
            }
            if Some(at) != last {
                write!(out, "{:pad$}", "", pad = widths[at] - length(text) + GAP)?;
            }
        }
        out.write_all(b"\n")
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
    fn an_empty_column_is_left_out() {
        let mut table = Table::new(["A", "B", "C"], 0);
        table.push(["1".into(), "".into(), "3".into()]);
        let mut out = Vec::new();
        table.write(&mut out, Look { colour: false, width: None }).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A  C\n1  3\n");
    }

    #[test]
    fn a_narrow_terminal_cuts_one_column() {
        let cut = text(Look { colour: false, width: Some(40) });
        insta::assert_snapshot!(cut, @r"
        ADDRESS  DEVICE                  VERDICT
        a        a device with a very …  yes
        bb       dé                      no
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

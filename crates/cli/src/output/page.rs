//! A page about one thing: titled sections of labelled lines.
//!
//! In: sections, labels, values. Out: aligned text. A section without lines
//! is left out.

use std::fmt::Display;
use std::io::{self, Write};

use super::{FAINT, HEADING, Look};

/// Titled sections of labelled lines.
#[derive(Debug)]
pub struct Page {
    look: Look,
    sections: Vec<Section>,
}

#[derive(Debug)]
struct Section {
    title: String,
    lines: Vec<(String, String)>,
}

impl Page {
    pub fn new(look: Look) -> Self {
        Self { look, sections: Vec::new() }
    }

    /// Begins a section.
    pub fn section(&mut self, title: impl Into<String>) {
        self.sections.push(Section { title: title.into(), lines: Vec::new() });
    }

    /// Adds a line to the section; an empty label continues the line above.
    pub fn line(&mut self, label: impl Into<String>, value: impl Display) {
        if let Some(section) = self.sections.last_mut() {
            section.lines.push((label.into(), value.to_string()));
        }
    }

    /// Adds lines under one label.
    pub fn lines<T: Display>(&mut self, label: &str, values: impl IntoIterator<Item = T>) {
        for (n, value) in values.into_iter().enumerate() {
            self.line(if n == 0 { label } else { "" }, value);
        }
    }

    /// How text may look.
    pub fn look(&self) -> Look {
        self.look
    }

    /// Writes all sections that have lines, an empty line between them.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let labels = self.sections.iter().flat_map(|section| &section.lines);
        let width = labels.map(|(label, _)| label.len()).max().unwrap_or(0);
        let filled = self.sections.iter().filter(|section| !section.lines.is_empty());
        for (n, section) in filled.enumerate() {
            let gap = if n == 0 { "" } else { "\n" };
            writeln!(out, "{gap}{}", self.look.paint(HEADING, &section.title))?;
            for (label, value) in &section.lines {
                let label = self.look.paint(FAINT, format_args!("{label:width$}"));
                writeln!(out, "{}", format!("  {label}  {value}").trim_end())?;
            }
        }
        Ok(())
    }
}

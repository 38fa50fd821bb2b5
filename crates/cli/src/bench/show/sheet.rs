//! Lines of a table: a name, and beside it words or columns of figures.

use super::metric::Point;
use super::units;
use crate::bench::report::Distribution;
use crate::ui::style::{Palette, Style};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr as _;

/// Where a section's text begins, behind its name.
const INDENT: usize = 13;
/// Columns of a section's text.
pub(super) const WIDTH: usize = 80 - INDENT;
/// Columns of a figure.
const CELL: usize = 9;

/// A table under way.
pub(super) struct Sheet<'p> {
    pub(super) text: String,
    pub(super) palette: &'p Palette,
}

impl<'p> Sheet<'p> {
    pub(super) fn new(palette: &'p Palette) -> Self {
        Self { text: String::new(), palette }
    }

    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// A line under a section's name; further ones have an empty name.
    pub(super) fn line(&mut self, name: &str, style: Style, text: &str) {
        let pad = INDENT.saturating_sub(name.chars().count());
        if !name.is_empty() {
            style.paint_into(&mut self.text, name);
        }
        let line = format!("{:pad$}{text}", "");
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    pub(super) fn named(&mut self, name: &str, text: &str) {
        self.line(name, self.palette.key, text);
    }

    /// Words over as many lines as they need.
    pub(super) fn paragraph(&mut self, name: &str, style: Style, text: &str) {
        let mut name = name;
        let mut line = String::new();
        for word in text.split(' ') {
            if !line.is_empty() && line.width() + 1 + word.width() > WIDTH {
                self.line(name, style, &line);
                name = "";
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(name, style, &line);
    }

    /// Names of columns behind a section's name.
    pub(super) fn head(&mut self, name: &str, points: &[Point]) {
        let mut cells = String::new();
        for point in points {
            write!(cells, "{:>CELL$}", point.name()).expect("a String takes every write");
        }
        self.named(name, &cells);
    }

    pub(super) fn row(&mut self, name: &str, points: &[Point], times: &Distribution) {
        let mut cells = String::new();
        for point in points {
            write!(cells, "{:>CELL$}", units::time(point.of(times))).expect("a String takes every write");
        }
        self.line(&format!("  {name}"), Style::default(), &cells);
    }
}

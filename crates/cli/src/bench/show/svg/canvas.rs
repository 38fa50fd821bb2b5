//! The few shapes that the plots are made of.

use crate::ui::escape;
use std::fmt::Write as _;

pub(crate) const INK: &str = "#1f2937";
pub(crate) const FAINT: &str = "#6b7280";
pub(crate) const GRID: &str = "#e5e7eb";

/// Which end of a text its place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// An SVG image under way.
pub(crate) struct Canvas(String);

impl Canvas {
    pub(crate) fn new(width: f64, height: f64) -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
        ))
    }

    pub(crate) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }

    fn put(&mut self, args: std::fmt::Arguments<'_>) {
        self.0.write_fmt(args).expect("a String takes every write");
        self.0.push('\n');
    }

    pub(crate) fn text(&mut self, (x, y): (f64, f64), size: u32, color: &str, anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escaped(text);
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" fill=\"{color}\" text-anchor=\"{anchor}\">{text}</text>"
        ));
    }

    pub(crate) fn bold(&mut self, (x, y): (f64, f64), size: u32, text: &str) {
        let text = escaped(text);
        self.put(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" font-weight=\"600\" fill=\"{INK}\">{text}</text>"
        ));
    }

    pub(crate) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), color: &str) {
        self.put(format_args!(
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\"/>"
        ));
    }

    pub(crate) fn path(&mut self, points: &[(f64, f64)], color: &str, dashed: bool) {
        let dash = if dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        let points = joined(points);
        self.put(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\" stroke-linejoin=\"round\" \
             stroke-linecap=\"round\"{dash}/>"
        ));
    }

    pub(crate) fn area(&mut self, points: &[(f64, f64)], bottom: f64, color: &str) {
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let points = joined(points);
        self.put(format_args!(
            "<polygon points=\"{:.1},{bottom:.1} {points} {:.1},{bottom:.1}\" fill=\"{color}\" fill-opacity=\"0.12\"/>",
            first.0, last.0
        ));
    }

    pub(crate) fn dot(&mut self, (x, y): (f64, f64), color: &str) {
        self.put(format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{color}\"/>"));
    }
}

fn joined(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

/// Text of a stranger, safe in an element: no markup, and no character that XML forbids.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in escape::line(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_brings_no_markup() {
        assert_eq!(escaped("</text><script>&\0\u{ffff}"), "&lt;/text&gt;&lt;script&gt;&amp;␀\u{fffd}");
    }

    #[test]
    fn shapes() {
        let mut canvas = Canvas::new(10.0, 20.0);
        canvas.path(&[(0.0, 1.0), (2.25, 3.0)], "red", true);
        canvas.area(&[], 0.0, "red");
        let text = canvas.finish();
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"));
        assert!(text.contains("points=\"0.0,1.0 2.2,3.0\"") && text.contains("dasharray"));
        assert!(!text.contains("polygon"));
    }
}

//! Plots as SVG: bars in groups, and lines over axes of powers.

use super::figures::Spread;
use std::fmt::Write as _;

const WIDTH: f64 = 960.0;
const INK: &str = "#334155";
const PALE: &str = "#cbd5e1";
const OURS: &str = "#0f766e";
const COLORS: [&str; 6] = [OURS, "#b45309", "#7c3aed", "#be123c", "#0369a1", "#4d7c0f"];

/// A plot of horizontal bars. The axis begins at 0 and is cut where bars would be too long to compare the short ones.
pub(super) struct Bars<'t> {
    pub(super) title: &'t str,
    pub(super) groups: Vec<Group>,
    /// A line across, with the value.
    pub(super) line: Option<f64>,
}

pub(super) struct Group {
    pub(super) name: String,
    /// Name, value, and whether it stands out.
    pub(super) bars: Vec<(String, Spread, bool)>,
}

/// A plot of lines; both axes are logarithmic.
pub(super) struct Lines<'t> {
    pub(super) title: &'t str,
    pub(super) x: &'t str,
    pub(super) y: &'t str,
    pub(super) curves: Vec<(String, Vec<(f64, f64)>)>,
}

fn open(height: f64, title: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" font-family=\"system-ui, sans-serif\" \
         font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n{}",
        text(16.0, 26.0, "start", 16, title)
    )
}

fn text(x: f64, y: f64, anchor: &str, size: u32, words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"{INK}\">{words}</text>\n"
    )
}

fn line(from: (f64, f64), to: (f64, f64), color: &str, width: f64) -> String {
    let ((x1, y1), (x2, y2)) = (from, to);
    format!(
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{color}\" stroke-width=\"{width}\"/>\n"
    )
}

pub(super) fn bars(plot: &Bars<'_>) -> String {
    const LEFT: f64 = 190.0;
    const ROOM: f64 = WIDTH - LEFT - 90.0;
    const STEP: f64 = 15.0;
    let rows: usize = plot.groups.iter().map(|group| group.bars.len() + 2).sum();
    #[expect(clippy::cast_precision_loss, reason = "a few hundred rows")]
    let mut svg = open(rows as f64 * STEP + 50.0, plot.title);
    let mut y = 46.0;
    for group in plot.groups.iter().filter(|group| !group.bars.is_empty()) {
        let values = || group.bars.iter().map(|(_, spread, _)| spread.median);
        let least = values().fold(f64::INFINITY, f64::min);
        let end = values().fold(0.0, f64::max).min(least * 4.0).max(plot.line.unwrap_or(0.0) * 1.05);
        let at = |value: f64| LEFT + value.min(end) / end * ROOM;
        svg.push_str(&text(16.0, y + 11.0, "start", 14, &group.name));
        y += STEP;
        let top = y;
        for (name, spread, stands_out) in &group.bars {
            let color = if *stands_out { OURS } else { "#94a3b8" };
            let middle = y + 5.5;
            svg.push_str(&text(LEFT - 6.0, y + 10.0, "end", 11, name));
            let width = at(spread.median) - LEFT;
            let _ = writeln!(
                svg,
                "<rect x=\"{LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"11\" fill=\"{color}\"/>"
            );
            svg.push_str(&line((at(spread.least), middle), (at(spread.most), middle), INK, 1.5));
            // Cut bars say so.
            let cut = if spread.median > end { " ›" } else { "" };
            let label = format!("{:.2}{cut}", spread.median);
            svg.push_str(&text(at(spread.most.max(spread.median)) + 6.0, y + 10.0, "start", 11, &label));
            y += STEP;
        }
        if let Some(value) = plot.line {
            svg.push_str(&line((at(value), top - 2.0), (at(value), y), "#be123c", 1.0));
        }
        y += STEP;
    }
    svg.push_str("</svg>\n");
    svg
}

/// The axis of powers of ten that holds these values.
struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) =
            values.fold((f64::INFINITY, 0.0), |(low, high), value| (value.min(low), value.max(high)));
        let (low, high) = if low > 0.0 && low <= high && low.is_finite() { (low, high) } else { (1.0, 10.0) };
        let (low, high) = (low.log10().floor(), high.log10().ceil());
        Self { low, high: high.max(low + 1.0) }
    }

    fn share(&self, value: f64) -> f64 {
        (value.log10() - self.low) / (self.high - self.low)
    }

    fn powers(&self) -> impl Iterator<Item = f64> {
        let (low, high) = (self.low, self.high);
        std::iter::successors(Some(low), |power| Some(power + 1.0))
            .take_while(move |power| *power <= high)
            .map(|power| 10f64.powf(power))
    }
}

pub(super) fn lines(plot: &Lines<'_>) -> String {
    const HEIGHT: f64 = 420.0;
    const LEFT: f64 = 80.0;
    const TOP: f64 = 50.0;
    const RIGHT: f64 = WIDTH - 170.0;
    const BOTTOM: f64 = HEIGHT - 50.0;
    let points = || plot.curves.iter().flat_map(|(_, points)| points);
    let (x, y) = (Axis::of(points().map(|point| point.0)), Axis::of(points().map(|point| point.1)));
    let place = |point: &(f64, f64)| {
        (LEFT + x.share(point.0) * (RIGHT - LEFT), BOTTOM - y.share(point.1) * (BOTTOM - TOP))
    };
    let mut svg = open(HEIGHT, plot.title);
    for power in x.powers() {
        let (at, _) = place(&(power, 1.0));
        svg.push_str(&line((at, TOP), (at, BOTTOM), PALE, 1.0));
        svg.push_str(&text(at, BOTTOM + 16.0, "middle", 11, &short(power)));
    }
    for power in y.powers() {
        let (_, at) = place(&(1.0, power));
        svg.push_str(&line((LEFT, at), (RIGHT, at), PALE, 1.0));
        svg.push_str(&text(LEFT - 6.0, at + 4.0, "end", 11, &short(power)));
    }
    svg.push_str(&text(f64::midpoint(LEFT, RIGHT), HEIGHT - 12.0, "middle", 12, plot.x));
    svg.push_str(&text(LEFT, TOP - 8.0, "start", 12, plot.y));
    for ((name, points), color) in plot.curves.iter().zip(COLORS.iter().cycle()) {
        let places: Vec<(f64, f64)> = points.iter().map(place).collect();
        for pair in places.windows(2) {
            svg.push_str(&line(pair[0], pair[1], color, 2.0));
        }
        for (x, y) in &places {
            let _ = writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>");
        }
        if let Some((x, y)) = places.last() {
            svg.push_str(&text(x + 8.0, y + 4.0, "start", 12, name));
        }
    }
    svg.push_str("</svg>\n");
    svg
}

fn short(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.0} M", value / 1e6),
        value if value >= 1e3 => format!("{:.0} k", value / 1e3),
        value if value >= 1.0 => format!("{value:.0}"),
        value => format!("{value}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_are_whole() {
        let spread = Spread { median: 1.0, least: 0.9, most: 1.1, count: 3 };
        let long = Spread { median: 40.0, least: 30.0, most: 50.0, count: 3 };
        let bars = vec![("a<b".to_owned(), spread, true), ("long".to_owned(), long, false)];
        let svg = super::bars(&Bars {
            title: "T",
            groups: vec![Group { name: "B".to_owned(), bars }],
            line: Some(1.0),
        });
        assert!(svg.contains("a&lt;b") && svg.contains("40.00 ›") && svg.trim_end().ends_with("</svg>"));
        let svg = super::lines(&Lines {
            title: "T",
            x: "bytes",
            y: "µs",
            curves: vec![("one".to_owned(), vec![(16.0, 2.0), (1e6, 300.0)])],
        });
        assert!(svg.contains(">10 M<") || svg.contains(">1 M<"), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        assert!(!super::lines(&Lines { title: "", x: "", y: "", curves: vec![] }).contains("NaN"));
    }
}

//! `--svg`: latency by percentile, and the run over time.

mod axis;
mod canvas;

use super::metric::Metric;
use super::units::{self, as_f64, clipped};
use crate::bench::report::{Distribution, Mode, Report, Sample};
use axis::{Axis, linear_ticks, log_ticks};
use canvas::{Anchor, Canvas, FAINT, GRID, INK};

const WIDTH: f64 = 900.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 872.0;
const HEAD: f64 = 84.0;
/// The plot's own height, its title above, its marks below.
const PLOT: f64 = 220.0;
const ABOVE: f64 = 44.0;
const BELOW: f64 = 46.0;

/// Colours that stay apart for colour-blind readers.
const BLUE: &str = "#0369a1";
const ORANGE: &str = "#d97706";
const RED: &str = "#b91c1c";

/// Percentiles that have a mark.
const MARKS: [(f64, &str); 7] = [
    (0.0, "0 %"),
    (0.5, "50 %"),
    (0.9, "90 %"),
    (0.99, "99 %"),
    (0.999, "99.9 %"),
    (0.9999, "99.99 %"),
    (0.99999, "99.999 %"),
];

/// The image.
pub(crate) fn render(report: &Report) -> String {
    let connections = &report.connections;
    let curves: Vec<(&str, &str, &Distribution)> = match report.load.mode {
        Mode::Connect | Mode::Idle => vec![("opening a connection", BLUE, &connections.total)],
        Mode::Broadcast => vec![("from publishing to receiving", BLUE, &report.latency)],
        Mode::Echo if report.load.rate.is_some() => {
            vec![
                ("since the message was due", BLUE, &report.latency),
                ("since it was sent", ORANGE, &report.service),
            ]
        }
        Mode::Echo => vec![("round trip", BLUE, &report.latency)],
    }
    .into_iter()
    .filter_map(|(name, color, times)| Some((name, color, times.as_ref().filter(|times| times.count > 0)?)))
    .collect();
    let has_times = report.series.iter().any(|sample| sample.p50_ns.is_some());
    let step = ABOVE + PLOT + BELOW;
    let mut canvas = Canvas::new(WIDTH, HEAD + step * if has_times { 3.0 } else { 2.0 });
    header(&mut canvas, report);
    let top = HEAD + ABOVE;
    percentiles(&mut canvas, top, &curves);
    course(&mut canvas, top + step, report);
    if has_times {
        over_time(&mut canvas, top + 2.0 * step, &report.series);
    }
    canvas.finish()
}

fn header(canvas: &mut Canvas, report: &Report) {
    let load = &report.load;
    let mode = format!("{:?}", load.mode).to_lowercase();
    canvas.bold((24.0, 36.0), 18, &clipped(&format!("{mode}  {}", report.target.url), 66));
    let mut parts = vec![units::count(load.connections as u64, "connection")];
    if matches!(load.mode, Mode::Echo | Mode::Broadcast) {
        parts.push(format!("{} of {}", units::bytes(load.payload.bytes), clipped(&load.payload.kind, 10)));
    }
    if let (false, Ok(rate)) = (load.mode == Mode::Idle, Metric::Rate.of(report)) {
        parts.push(format!("{}/s", units::whole(rate)));
    }
    if let Some(times) = &report.latency {
        parts.push(format!("p50 {}", units::time(as_f64(times.p50_ns))));
        parts.push(format!("p99 {}", units::time(as_f64(times.p99_ns))));
    }
    parts.push(clipped(&report.machine.processor, 32));
    parts.push(clipped(&report.started, 24));
    canvas.text((24.0, 60.0), 13, FAINT, Anchor::Start, &parts.join("  ·  "));
}

/// A frame with horizontal marks; what it is above, with the names of its lines.
fn frame(canvas: &mut Canvas, top: f64, title: &str, marks: &[(f64, String)], lines: &[(&str, &str, bool)]) {
    canvas.bold((24.0, top - 18.0), 14, title);
    let mut right = RIGHT;
    for (name, color, dashed) in lines.iter().rev() {
        // About as wide as the letters are in any of the fonts.
        right -= 6.6 * as_f64(name.chars().count() as u64);
        canvas.text((right, top - 18.0), 12, INK, Anchor::Start, name);
        canvas.path(&[(right - 32.0, top - 22.0), (right - 8.0, top - 22.0)], color, *dashed);
        right -= 56.0;
    }
    for (y, text) in marks {
        canvas.line((LEFT, *y), (RIGHT, *y), GRID);
        canvas.text((LEFT - 8.0, y + 4.0), 12, FAINT, Anchor::End, text);
    }
    canvas.line((LEFT, top + PLOT), (RIGHT, top + PLOT), FAINT);
}

fn nothing(canvas: &mut Canvas, top: f64, text: &str) {
    canvas.text((f64::midpoint(LEFT, RIGHT), top + PLOT / 2.0), 14, FAINT, Anchor::Middle, text);
}

/// Times on a logarithmic scale between two pixels, with its marks.
fn time_axis(low: f64, high: f64, top: f64) -> (Axis, Vec<(f64, String)>) {
    let ticks = log_ticks(low, high);
    let axis = Axis::log((ticks[0], ticks[ticks.len() - 1]), (top + PLOT, top));
    (axis, ticks.iter().map(|tick| (axis.at(*tick), short_time(*tick))).collect())
}

/// `50 µs`: a mark without decimals.
fn short_time(ns: f64) -> String {
    units::time(ns).replace(".00 ", " ").replace(".0 ", " ")
}

fn percentiles(canvas: &mut Canvas, top: f64, curves: &[(&str, &str, &Distribution)]) {
    let title = "Latency by percentile";
    let Some(low) = curves.iter().map(|(_, _, times)| times.min_ns).min() else {
        frame(canvas, top, title, &[], &[]);
        return nothing(canvas, top, "no latency was measured");
    };
    let high = curves.iter().map(|(_, _, times)| times.max_ns).max().unwrap_or(low);
    let (y, marks) = time_axis(as_f64(low), as_f64(high), top);
    let lines: Vec<_> = curves.iter().map(|(name, color, _)| (*name, *color, false)).collect();
    frame(canvas, top, title, &marks, &lines);
    // A share is placed by how few values are above it: each nine takes as much room as the one before.
    let most = curves.iter().map(|(_, _, times)| times.count).max().unwrap_or(1);
    let x = Axis::log((1.0, as_f64(most).clamp(100.0, 1e6)), (LEFT, RIGHT));
    let place = |share: f64| x.at(1.0 / (1.0 - share.clamp(0.0, 1.0)).max(1e-12));
    for (share, name) in MARKS {
        let at = place(share);
        if at < RIGHT - 1.0 {
            canvas.line((at, top), (at, top + PLOT), GRID);
            canvas.text((at, top + PLOT + 20.0), 12, FAINT, Anchor::Middle, name);
        }
    }
    for (index, (_, color, times)) in curves.iter().enumerate() {
        // Figures of the first curve stand above it, those of others below theirs.
        let beside = if index == 0 { -10.0 } else { 20.0 };
        let points: Vec<_> =
            times.curve.iter().map(|(share, ns)| (place(*share), y.at(as_f64(*ns)))).collect();
        canvas.path(&points, color, false);
        for (share, ns) in [(0.5, times.p50_ns), (0.99, times.p99_ns), (0.9999, times.p9999_ns)] {
            let at = (place(share), y.at(as_f64(ns)));
            if at.0 < RIGHT - 1.0 {
                canvas.dot(at, color);
                canvas.text((at.0, at.1 + beside), 12, color, Anchor::Middle, &units::time(as_f64(ns)));
            }
        }
    }
}

/// Marks of the time under a plot, and the axis.
fn seconds(canvas: &mut Canvas, top: f64, series: &[Sample]) -> Axis {
    let last = series.last().map_or(1.0, |sample| sample.at_s);
    let axis = Axis::linear((0.0, last), (LEFT, RIGHT));
    for tick in linear_ticks(last, 10.0).into_iter().filter(|tick| *tick <= last * 1.001) {
        let name = format!("{} s", units::plain((tick * 1000.0).round() / 1000.0));
        canvas.text((axis.at(tick), top + PLOT + 20.0), 12, FAINT, Anchor::Middle, &name);
    }
    axis
}

/// `count` of each sample per second, at the sample's middle.
fn rates(series: &[Sample], count: impl Fn(&Sample) -> u64) -> Vec<(f64, f64)> {
    let mut before = 0.0;
    series
        .iter()
        .filter_map(|sample| {
            let interval = sample.at_s - before;
            let middle = f64::midpoint(before, sample.at_s);
            before = sample.at_s;
            (interval > 0.0).then(|| (middle, as_f64(count(sample)) / interval))
        })
        .collect()
}

/// Name, colour, whether dashed, and points of a line.
type Curve<'n> = (&'n str, &'n str, bool, Vec<(f64, f64)>);

/// What a run is for, over its time. In connect mode a sample's `received` are the handshakes.
fn course(canvas: &mut Canvas, top: f64, report: &Report) {
    let series = &report.series;
    let received = || rates(series, |sample| sample.received);
    let sent = || rates(series, |sample| sample.sent);
    let held = || series.iter().map(|sample| (sample.at_s, as_f64(sample.connections))).collect();
    let (title, mut curves): (_, Vec<Curve<'_>>) = match report.load.mode {
        Mode::Echo => (
            "Messages per second",
            vec![("received", BLUE, false, received()), ("sent", ORANGE, true, sent())],
        ),
        Mode::Broadcast => ("Deliveries per second", vec![("delivered", BLUE, false, received())]),
        Mode::Connect => ("Handshakes per second", vec![("completed", BLUE, false, received())]),
        Mode::Idle => ("Connections", vec![("held", BLUE, false, held())]),
    };
    if curves[0].3.len() < 2 {
        frame(canvas, top, title, &[], &[]);
        return nothing(canvas, top, "the run was too short for a course over time");
    }
    if let (Mode::Echo | Mode::Connect, Some(asked)) = (report.load.mode, report.load.rate) {
        curves.push(("asked for", FAINT, true, vec![(0.0, asked), (report.elapsed_s.max(0.0), asked)]));
    }
    let most = curves.iter().flat_map(|curve| &curve.3).map(|(_, value)| *value).fold(0.0, f64::max);
    let ticks = linear_ticks(most, 4.0);
    let y = Axis::linear((0.0, ticks[ticks.len() - 1]), (top + PLOT, top));
    let marks: Vec<_> = ticks.iter().map(|tick| (y.at(*tick), short_count(*tick))).collect();
    let names: Vec<_> = curves.iter().map(|(name, color, dashed, _)| (*name, *color, *dashed)).collect();
    frame(canvas, top, title, &marks, &names);
    let x = seconds(canvas, top, series);
    for (index, (_, color, dashed, points)) in curves.iter().enumerate() {
        let points: Vec<_> = points.iter().map(|(at, value)| (x.at(*at), y.at(*value))).collect();
        if index == 0 {
            canvas.area(&points, top + PLOT, color);
        }
        canvas.path(&points, color, *dashed);
    }
    if let (false, Ok(mean)) = (report.load.mode == Mode::Idle, Metric::Rate.of(report)) {
        let text = format!("mean {}", units::rate(mean));
        canvas.text((RIGHT - 8.0, top + PLOT - 10.0), 12, BLUE, Anchor::End, &text);
    }
}

/// `250 k`: a mark with few digits.
fn short_count(number: f64) -> String {
    match number {
        _ if number >= 1e9 => format!("{number:.0e}"),
        _ if number >= 1e6 => format!("{} M", units::plain(number / 1e6)),
        _ if number >= 1e3 => format!("{} k", units::plain(number / 1e3)),
        _ => units::plain((number * 100.0).round() / 100.0),
    }
}

fn over_time(canvas: &mut Canvas, top: f64, series: &[Sample]) {
    type Pick = fn(&Sample) -> Option<u64>;
    let lines: [(&str, &str, bool, Pick); 3] = [
        ("p50", BLUE, false, |sample| sample.p50_ns),
        ("p99", ORANGE, false, |sample| sample.p99_ns),
        ("max", RED, true, |sample| sample.max_ns),
    ];
    let values = || series.iter().flat_map(|sample| [sample.p50_ns, sample.p99_ns, sample.max_ns]).flatten();
    let (low, high) = (values().min().unwrap_or(1), values().max().unwrap_or(1));
    let (y, marks) = time_axis(as_f64(low), as_f64(high), top);
    let names = lines.map(|(name, color, dashed, _)| (name, color, dashed));
    frame(canvas, top, "Latency over time", &marks, &names);
    let x = seconds(canvas, top, series);
    for (_, color, dashed, pick) in lines {
        let mut before = 0.0;
        let points: Vec<_> = series
            .iter()
            .filter_map(|sample| {
                let middle = f64::midpoint(before, sample.at_s);
                before = sample.at_s;
                Some((x.at(middle), y.at(as_f64(pick(sample)?))))
            })
            .collect();
        canvas.path(&points, color, dashed);
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    /// What stands between the brackets of all elements `name`, in order.
    fn elements<'s>(image: &'s str, name: &str) -> Vec<&'s str> {
        let open = format!("<{name} ");
        image.split(&open).skip(1).map(|rest| rest.split('>').next().unwrap()).collect()
    }

    #[test]
    fn every_plot_has_its_lines() {
        let image = render(&sample::echo());
        for title in ["Latency by percentile", "Messages per second", "Latency over time", "99.99 %", "200 k"]
        {
            assert!(image.contains(&format!(">{title}</text>")), "{title}");
        }
        // One curve, two rates, three percentiles, and their six legends.
        assert_eq!(elements(&image, "polyline").len(), 12);
        let curve =
            elements(&image, "polyline").into_iter().find(|line| line.matches(',').count() == 15).unwrap();
        let ys: Vec<f64> = curve
            .split('"')
            .nth(1)
            .unwrap()
            .split(' ')
            .map(|point| point.split_once(',').unwrap().1.parse().unwrap())
            .collect();
        assert!(ys.is_sorted_by(|a, b| a >= b), "the curve rises: {ys:?}");
    }

    #[test]
    fn everything_stays_inside_the_image() {
        let mut huge = sample::troubled();
        huge.target.url = "<&\"x".repeat(100);
        for sample in &mut huge.series {
            (sample.received, sample.max_ns) = (u64::MAX, Some(u64::MAX));
        }
        huge.latency.as_mut().unwrap().max_ns = u64::MAX;
        huge.latency.as_mut().unwrap().curve.push((7.0, u64::MAX));
        for image in
            [render(&huge), render(&sample::extreme()), render(&sample::empty()), render(&sample::echo())]
        {
            assert!(!image.contains("NaN") && !image.contains("inf"));
            let height: f64 =
                image.split("height=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap();
            for points in elements(&image, "polyline").iter().map(|line| line.split('"').nth(1).unwrap()) {
                for (x, y) in points.split(' ').map(|point| point.split_once(',').unwrap()) {
                    let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                    assert!((0.0..=WIDTH).contains(&x) && (0.0..=height).contains(&y), "{x},{y}");
                }
            }
        }
    }

    #[test]
    fn each_mode_draws_what_it_measures() {
        for (report, title) in [
            (sample::broadcast(), "Deliveries per second"),
            (sample::connect(), "Handshakes per second"),
            (sample::idle(), "Connections"),
        ] {
            assert!(render(&report).contains(&format!(">{title}</text>")), "{title}");
        }
    }

    #[test]
    fn nothing_measured_says_so() {
        let image = render(&sample::empty());
        assert!(image.contains("no latency was measured") && image.contains("too short"));
        assert!(elements(&image, "polyline").is_empty());
    }

    #[test]
    fn a_strangers_words_are_text() {
        let image = render(&sample::troubled());
        assert!(!image.contains('\x1b') && image.contains("␛[2J"));
        assert!(image.contains(">since the message was due<") && image.contains(">asked for<"));
    }
}

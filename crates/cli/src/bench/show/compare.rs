//! `--compare A.json B.json`: what changed from one report to others.

use super::metric::{Metric, Point, Times};
use super::units::{self, clipped};
use super::warning;
use crate::bench::report::{Mode, Report};
use crate::ui::style::Palette;
use std::fmt::Write as _;

/// A report and the name that it has in the comparison.
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) report: Report,
}

/// Less than this is no change.
const SAME: f64 = 0.005;
/// New columns that fit beside each other.
const BESIDE: usize = 2;
const NAME: usize = 13;
const CELL: usize = 11;

/// One table against `old` for every two of `new`, then what else differs.
pub(crate) fn render(old: &Named, new: &[Named], palette: &Palette) -> String {
    let mut text = String::new();
    palette.key.paint_into(&mut text, "old");
    writeln!(text, "          {}", clipped(&old.name, 66)).expect("a String takes every write");
    for (index, named) in new.iter().enumerate() {
        let label = label(new.len(), index);
        palette.key.paint_into(&mut text, &label);
        writeln!(text, "{:1$}{2}", "", NAME - label.len(), clipped(&named.name, 66))
            .expect("a String takes every write");
    }
    for (chunk, group) in new.chunks(BESIDE).enumerate() {
        text.push('\n');
        table(&mut text, old, group, |index| label(new.len(), chunk * BESIDE + index), palette);
    }
    let mut warned = false;
    for (index, named) in new.iter().enumerate() {
        let differences = differences(&old.report, &named.report);
        if differences.is_empty() {
            continue;
        }
        text.push('\n');
        if !warned {
            palette.error.paint_into(&mut text, "WARNING");
            text.push_str("      these differ as well, and may be what changed the figures:\n");
            warned = true;
        }
        let head = format!("{:NAME$}{:<19}{:<25}{}", "", "", "old", label(new.len(), index));
        palette.key.paint_into(&mut text, &head);
        text.push('\n');
        for (what, before, after) in differences {
            let before = units::padded(&clipped(&before, 23), 25);
            writeln!(text, "{:NAME$}{what:<19}{before}{}", "", clipped(&after, 23))
                .expect("a String takes every write");
        }
    }
    text
}

fn label(count: usize, index: usize) -> String {
    if count == 1 { "new".into() } else { format!("new {}", index + 1) }
}

fn table(text: &mut String, old: &Named, new: &[Named], label: impl Fn(usize) -> String, palette: &Palette) {
    let mut head = format!("{:NAME$}{:>CELL$}", "", "old");
    for index in 0..new.len() {
        write!(head, "{:>CELL$}{:>9}       ", label(index), "change").expect("a String takes every write");
    }
    palette.key.paint_into(text, head.trim_end());
    text.push('\n');
    for metric in metrics(old.report.load.mode) {
        let before = metric.of(&old.report).ok();
        let after: Vec<_> = new.iter().map(|named| metric.of(&named.report).ok()).collect();
        if before.is_none() && after.iter().all(Option::is_none) {
            continue;
        }
        let show = |value: Option<f64>| value.map_or("-".into(), |value| metric.show(value));
        let mut line = format!("{:<NAME$}{:>CELL$}", metric.to_string(), show(before));
        let mut width = line.chars().count();
        for after in after {
            let (change, verdict) = change(metric, before, after);
            let cells = format!("{:>CELL$}{change:>9} ", show(after));
            width += cells.chars().count();
            line.push_str(&cells);
            let style = match verdict {
                "better" => palette.sent,
                "worse" => palette.error,
                _ => palette.dim,
            };
            style.paint_into(&mut line, verdict);
            line.push_str(&" ".repeat(6 - verdict.len()));
            width += 6;
        }
        debug_assert!(width <= 80, "{width}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// What is compared, most telling first.
fn metrics(mode: Mode) -> impl Iterator<Item = Metric> {
    const POINTS: [Point; 8] =
        [Point::P50, Point::P75, Point::P90, Point::P99, Point::P999, Point::P9999, Point::Max, Point::Mean];
    let phases = [Times::Connect, Times::Dial, Times::Tls, Times::Upgrade];
    let points: &[Point] = if mode == Mode::Connect { &POINTS[..7] } else { &[Point::P50, Point::P99] };
    let phases =
        phases.into_iter().flat_map(move |times| points.iter().map(move |point| Metric::Time(times, *point)));
    [Metric::Rate, Metric::Throughput]
        .into_iter()
        .chain(POINTS.map(|point| Metric::Time(Times::Latency, point)))
        .chain([Point::P50, Point::P99].map(|point| Metric::Time(Times::Service, point)))
        .chain([Metric::Cpu, Metric::Memory])
        .chain(phases)
        .chain([Metric::Faults, Metric::Errors, Metric::Failed, Metric::Closes, Metric::Busy])
}

/// The change and whether it is for the better.
fn change(metric: Metric, before: Option<f64>, after: Option<f64>) -> (String, &'static str) {
    let (Some(before), Some(after)) = (before, after) else { return ("-".into(), "") };
    let difference = after - before;
    let share = if difference.abs() > 0.0 { difference / before } else { 0.0 };
    let text = match share {
        _ if share.is_infinite() || share.is_nan() => "from 0".into(),
        _ if share.abs() < SAME => "0 %".into(),
        _ if share >= 9.995 => format!("× {}", units::plain((after / before).round())),
        _ => format!("{:+.1} %", share * 100.0),
    };
    let text = if text.chars().count() > 8 { "× >99999".into() } else { text };
    let verdict = match share {
        // The generator's load judges nobody.
        _ if share.abs() < SAME || metric == Metric::Busy => "",
        _ if (after > before) == metric.higher_is_better() => "better",
        _ => "worse",
    };
    (text, verdict)
}

/// What makes two reports hard to compare: (what, old, new).
fn differences(old: &Report, new: &Report) -> Vec<(&'static str, String, String)> {
    fn words<T: ToString>(value: Option<&T>) -> String {
        value.map_or("none".into(), ToString::to_string)
    }
    let facts = |report: &Report| {
        let (load, machine, target) = (&report.load, &report.machine, &report.target);
        [
            ("mode", format!("{:?}", load.mode).to_lowercase()),
            ("connections", load.connections.to_string()),
            ("in flight on each", load.depth.to_string()),
            ("rate", load.rate.map_or("none".into(), units::rate)),
            ("payload", format!("{} B of {}", units::plain(load.payload.bytes), load.payload.kind)),
            ("payload file", words(load.payload.file.as_ref())),
            ("duration", load.duration_s.map_or("none".into(), |s| format!("{s} s"))),
            ("count", words(load.count.as_ref())),
            ("warm-up", format!("{} s", load.warm_up_s)),
            ("threads", load.threads.to_string()),
            ("processor", machine.processor.clone()),
            ("cores", machine.cores.to_string()),
            ("system", machine.system.clone()),
            ("target", target.url.clone()),
            ("TLS", words(target.tls.as_ref())),
            ("extension", words(target.extension.as_ref())),
            ("subprotocol", words(target.subprotocol.as_ref())),
            ("tidewire", report.tidewire.clone()),
            ("cut short", words(report.cut_short.as_ref())),
            ("generator limits", if warning::generator_limits(report) { "yes" } else { "no" }.into()),
        ]
    };
    facts(old)
        .into_iter()
        .zip(facts(new))
        .filter(|((_, a), (_, b))| a != b)
        .map(|((what, a), (_, b))| (what, a, b))
        .collect()
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;

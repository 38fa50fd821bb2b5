//! The final table: what people read after a run, and paste into an issue. At most 80 columns.

use super::metric::{self, Metric, Point};
use super::sheet::{Sheet, WIDTH};
use super::units::{self, as_f64, clipped};
use super::{histogram, warning};
use crate::bench::report::{Distribution, Flow, Load, Mode, Report};
use crate::ui::style::{Palette, Style};
use unicode_width::UnicodeWidthStr as _;

/// Kinds of errors that are told one by one.
const KINDS: usize = 8;

const ALL: [Point; 7] =
    [Point::P50, Point::P75, Point::P90, Point::P99, Point::P999, Point::P9999, Point::Max];
const FEW: [Point; 3] = [Point::P50, Point::P99, Point::Max];

/// The table, with a line feed behind each line.
pub(crate) fn render(report: &Report, palette: &Palette) -> String {
    let mut table = Sheet::new(palette);
    table.target(report);
    table.load(&report.load);
    table.machine(report);
    table.connections(report);
    table.messages(report);
    table.latency(report);
    table.checks(report);
    table.costs(report);
    for text in warning::of(report) {
        table.gap();
        table.paragraph("WARNING", palette.error, &text);
    }
    table.text
}

impl Sheet<'_> {
    fn target(&mut self, report: &Report) {
        let target = &report.target;
        self.named("target", &clipped(&target.url, WIDTH));
        let extension = target.extension.as_ref().map(|text| clipped(text, WIDTH));
        let subprotocol =
            target.subprotocol.as_ref().map(|text| format!("subprotocol {}", clipped(text, WIDTH - 12)));
        let tls = target.tls.as_ref().map(|text| clipped(text, WIDTH));
        for text in [tls, extension, subprotocol].into_iter().flatten() {
            self.named("", &text);
        }
    }

    fn load(&mut self, load: &Load) {
        let connections = units::count(load.connections as u64, "connection");
        let pace = |what: &str| match load.rate {
            Some(rate) => format!("{} {what}s/s in all", units::whole(rate)),
            None => format!("{} in flight on each", units::count(load.depth as u64, what)),
        };
        let text = match load.mode {
            Mode::Echo => format!("echo over {connections}, {}", pace("message")),
            Mode::Broadcast => format!(
                "broadcast to {connections}{}",
                load.rate.map_or(String::new(), |rate| format!(", {} published", units::rate(rate)))
            ),
            Mode::Connect => match load.rate {
                Some(_) => format!("connect, {}", pace("handshake")),
                None => format!("connect, {} at a time", units::count(load.connections as u64, "handshake")),
            },
            Mode::Idle => format!("idle, {connections} held"),
        };
        self.named("load", &text);
        let mut parts = Vec::new();
        if matches!(load.mode, Mode::Echo | Mode::Broadcast) {
            let mean = if load.payload.file.is_some() { " on average" } else { "" };
            parts.push(format!("{}{mean} of {}", exact(load.payload.bytes), clipped(&load.payload.kind, 10)));
        }
        parts.extend(load.count.map(|count| units::count(count, "message")));
        let warm_up = match load.warm_up_s {
            time if time > 0.0 => format!(" after {} of warm-up", seconds(time)),
            _ => String::new(),
        };
        match load.duration_s.map(seconds) {
            Some(time) => parts.push(format!("{time}{warm_up}")),
            None if !warm_up.is_empty() => parts.push(warm_up.trim_start().into()),
            None => {}
        }
        parts.push(units::count(load.threads as u64, "thread"));
        self.paragraph("", Style::default(), &parts.join(", "));
        if let Some(file) = &load.payload.file {
            self.named("", &format!("messages from {}", clipped(file, WIDTH - 14)));
        }
    }

    fn machine(&mut self, report: &Report) {
        let machine = &report.machine;
        let system = format!(
            "{}, {}",
            units::count(machine.cores as u64, "core"),
            clipped(&machine.system, WIDTH / 2 - 10)
        );
        let room = WIDTH.saturating_sub(system.width() + 2);
        self.named("machine", &format!("{}, {system}", clipped(&machine.processor, room)));
        let version = clipped(&report.tidewire, 14);
        self.named("", &format!("measured {} with tidewire {version}", clipped(&report.started, 30)));
        if let Some(why) = &report.cut_short {
            let text = format!("cut short after {}: {}", seconds(report.elapsed_s), clipped(why, 40));
            self.line("", Style::default(), &self.palette.error.paint(text).to_string());
        }
    }

    fn connections(&mut self, report: &Report) {
        let connections = &report.connections;
        let failed = format!("{} failed", units::grouped(connections.failed));
        let failed =
            if connections.failed > 0 { self.palette.error.paint(failed).to_string() } else { failed };
        let opened = units::grouped(connections.opened);
        let text = match (report.load.mode, Metric::Rate.of(report)) {
            (Mode::Connect, Ok(rate)) => {
                format!("{} handshakes/s, {opened} opened, {failed}", rate_words(rate))
            }
            (Mode::Connect, Err(_)) => format!("{opened} opened, {failed}"),
            _ if connections.opened == 0 => format!("0 opened, {failed}"),
            _ => {
                let ramp = seconds(connections.ramp_s);
                let peak = match connections.peak {
                    peak if peak == connections.opened => String::new(),
                    peak => format!(", {} at a time", units::grouped(peak)),
                };
                format!("{opened} opened in {ramp}, {failed}{peak}")
            }
        };
        self.gap();
        self.named("connections", &text);
        let points: &[Point] = if report.load.mode == Mode::Connect { &ALL } else { &FEW };
        let rows = [
            ("dial", &connections.dial),
            ("TLS", &connections.tls),
            ("upgrade", &connections.upgrade),
            ("in all", &connections.total),
        ];
        if rows.iter().any(|(_, times)| times.is_some()) {
            self.head("", points);
        }
        for (name, times) in rows {
            if let Some(times) = times {
                self.row(name, points, times);
            }
        }
        if let (Mode::Connect, Some(times)) = (report.load.mode, &connections.total) {
            self.spread(times, "measured");
        }
    }

    fn messages(&mut self, report: &Report) {
        let flows = match report.load.mode {
            Mode::Broadcast => [("published", report.sent), ("delivered", report.received)],
            _ => [("sent", report.sent), ("received", report.received)],
        };
        if !matches!(report.load.mode, Mode::Echo | Mode::Broadcast)
            && flows.iter().all(|(_, flow)| flow.messages == 0)
        {
            return;
        }
        self.gap();
        self.named("messages", &format!("{:>18}{:>18}{:>18}", "messages/s", "payload", "in all"));
        for (name, Flow { messages, bytes }) in flows {
            let figure = |amount, show: fn(f64) -> String| {
                metric::per_second(report, amount).map_or("-".to_string(), show)
            };
            let rate = figure(as_f64(messages), rate_words);
            let payload = figure(as_f64(bytes), |amount| format!("{}/s", units::bytes(amount)));
            let text = format!("{rate:>18}{payload:>18}{:>18}", units::grouped(messages));
            self.line(&format!("  {name}"), Style::default(), &text);
        }
    }

    fn latency(&mut self, report: &Report) {
        let Some(times) = report.latency.as_ref().filter(|times| times.count > 0) else {
            if matches!(report.load.mode, Mode::Echo | Mode::Broadcast) {
                self.gap();
                self.named("latency", "none measured: no message came back");
            }
            return;
        };
        self.gap();
        self.head("latency", &ALL);
        let (name, what) = match (report.load.mode, report.load.rate) {
            (Mode::Broadcast, _) => ("delivery", "deliveries"),
            (_, Some(_)) => ("since due", "round trips"),
            (_, None) => ("round trip", "round trips"),
        };
        self.row(name, &ALL, times);
        if let Some(service) = &report.service {
            self.row("since sent", &ALL, service);
        }
        self.spread(times, what);
    }

    /// Mean and deviation, and the histogram.
    fn spread(&mut self, times: &Distribution, what: &str) {
        let mean = format!(
            "mean {} ± {}, min {}, {} {what}",
            units::time(times.mean_ns),
            units::time(times.deviation_ns),
            units::time(as_f64(times.min_ns)),
            units::grouped(times.count)
        );
        self.line(&format!("  {mean}"), Style::default(), "");
        let lines = histogram::lines(times);
        if !lines.is_empty() {
            self.gap();
        }
        for line in lines {
            self.line(&line, Style::default(), "");
        }
    }

    fn checks(&mut self, report: &Report) {
        let begin = self.text.len();
        let faults = report.faults;
        let kinds = [
            (faults.lost, "lost"),
            (faults.duplicated, "duplicated"),
            (faults.reordered, "reordered"),
            (faults.corrupted, "corrupted"),
        ];
        if kinds.iter().any(|(count, _)| *count > 0) {
            let text = kinds.map(|(count, name)| format!("{} {name}", units::grouped(count))).join(", ");
            self.paragraph("faults", self.palette.error, &text);
        } else if report.received.messages > 0 {
            let what = if report.load.mode == Mode::Echo { "reply" } else { "message" };
            self.named("checked", &format!("every {what}: none lost, duplicated, reordered or corrupted"));
        } else if matches!(report.load.mode, Mode::Echo | Mode::Broadcast) {
            self.named("checked", "nothing: no message came");
        }
        if !report.closes.is_empty() {
            let text: Vec<_> = report
                .closes
                .iter()
                .map(|(code, count)| format!("{} × {code}", units::grouped(*count)))
                .collect();
            self.paragraph("closed", self.palette.error, &format!("by the server: {}", text.join(", ")));
        }
        let mut errors: Vec<_> = report.errors.iter().collect();
        errors.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let mut name = "errors";
        for (kind, count) in errors.iter().take(KINDS) {
            self.line(
                name,
                self.palette.error,
                &format!("{:>9} × {}", units::grouped(**count), clipped(kind, WIDTH - 12)),
            );
            name = "";
        }
        if let Some(more) = errors.get(KINDS..).filter(|more| !more.is_empty()) {
            let count = metric::total(more.iter().map(|(_, count)| *count));
            let kinds = units::count(more.len() as u64, "further kind");
            self.named("", &format!("{:>9} × of {kinds} (--json has them all)", units::grouped(count)));
        }
        if self.text.len() > begin {
            self.text.insert(begin, '\n');
        }
    }

    fn costs(&mut self, report: &Report) {
        let what = if report.load.mode == Mode::Connect { "handshake" } else { "message" };
        let cost = |per: Option<f64>, seconds: f64| {
            let mut parts = Vec::new();
            parts.extend(per.map(|ns| format!("{} CPU per {what}", units::time(ns))));
            parts.extend(
                metric::per_second(report, seconds)
                    .map(|share| format!("{} of a core", units::percent(share))),
            );
            parts
        };
        self.gap();
        if let Some(server) = &report.server {
            let mut parts = cost(server.cpu_per_message_ns, server.user_s + server.system_s);
            parts.push(format!("{} (pid {})", clipped(&server.name, 16), server.pid));
            self.paragraph("server", self.palette.key, &parts.join(", "));
            let memory = server
                .bytes_per_connection
                .map_or(String::new(), |per| format!("{} per connection, ", units::bytes(per)));
            let (before, after) = (as_f64(server.resident_before), as_f64(server.resident_after));
            self.named(
                "",
                &format!("{memory}resident {} before, {} after", units::bytes(before), units::bytes(after)),
            );
        }
        let generator = &report.generator;
        let mut parts = cost(generator.cpu_per_message_ns, generator.user_s + generator.system_s);
        parts.push(format!("busiest thread {}", units::percent(generator.busiest)));
        self.paragraph("generator", self.palette.key, &parts.join(", "));
    }
}

/// A rate without its `/s`, which the column's name tells.
fn rate_words(rate: f64) -> String {
    units::rate(rate).trim_end_matches("/s").into()
}

fn seconds(seconds: f64) -> String {
    match seconds {
        _ if (1.0..1e5).contains(&seconds) => {
            format!("{} s", units::plain((seconds * 10.0).round() / 10.0))
        }
        _ => units::time(seconds * 1e9),
    }
}

/// A payload's size: every byte counts until there are many.
fn exact(bytes: f64) -> String {
    if bytes.fract() == 0.0 && (0.0..1e6).contains(&bytes) {
        format!("{} B", units::whole(bytes))
    } else {
        units::bytes(bytes)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

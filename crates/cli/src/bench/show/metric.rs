//! What can be asked of a report by name, for thresholds and comparisons.

use super::units::{self, as_f64};
use crate::bench::report::{Distribution, Mode, Report};
use std::fmt;

/// Which distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Latency,
    Service,
    Connect,
    Dial,
    Tls,
    Upgrade,
}

/// Which value of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    Min,
    Mean,
    P50,
    P75,
    P90,
    P99,
    P999,
    P9999,
    Max,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Time(Times, Point),
    /// Messages received a second; in connect mode handshakes.
    Rate,
    /// Payload bytes received a second.
    Throughput,
    /// Of every kind.
    Errors,
    /// Connections that did not come about.
    Failed,
    /// Connections that the server ended.
    Closes,
    Lost,
    Duplicated,
    Reordered,
    Corrupted,
    /// The four before, together.
    Faults,
    /// The server's CPU time per message.
    Cpu,
    /// The server's resident bytes per connection.
    Memory,
    /// The busiest thread's share of its time.
    Busy,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nanoseconds.
    Time,
    Rate,
    BytesPerSecond,
    Count,
    Bytes,
    Share,
}

const POINTS: [(&str, Point); 9] = [
    ("p50", Point::P50),
    ("p75", Point::P75),
    ("p90", Point::P90),
    ("p99", Point::P99),
    ("p99.9", Point::P999),
    ("p99.99", Point::P9999),
    ("max", Point::Max),
    ("mean", Point::Mean),
    ("min", Point::Min),
];

const TIMES: [(&str, Times); 6] = [
    ("", Times::Latency),
    ("service.", Times::Service),
    ("connect.", Times::Connect),
    ("dial.", Times::Dial),
    ("tls.", Times::Tls),
    ("upgrade.", Times::Upgrade),
];

const OTHERS: [(&str, Metric); 13] = [
    ("rate", Metric::Rate),
    ("throughput", Metric::Throughput),
    ("errors", Metric::Errors),
    ("failed", Metric::Failed),
    ("closes", Metric::Closes),
    ("lost", Metric::Lost),
    ("duplicated", Metric::Duplicated),
    ("reordered", Metric::Reordered),
    ("corrupted", Metric::Corrupted),
    ("faults", Metric::Faults),
    ("cpu", Metric::Cpu),
    ("memory", Metric::Memory),
    ("busy", Metric::Busy),
];

/// Every name, for help and complaints.
pub(crate) const NAMES: &str = "p50 p75 p90 p99 p99.9 p99.99 max mean min, the same with connect. dial. tls. upgrade. or \
     service. before, rate throughput errors failed closes lost duplicated reordered corrupted faults cpu memory busy";

impl Point {
    pub(crate) fn of(self, times: &Distribution) -> f64 {
        match self {
            Self::Min => as_f64(times.min_ns),
            Self::Mean => times.mean_ns,
            Self::P50 => as_f64(times.p50_ns),
            Self::P75 => as_f64(times.p75_ns),
            Self::P90 => as_f64(times.p90_ns),
            Self::P99 => as_f64(times.p99_ns),
            Self::P999 => as_f64(times.p999_ns),
            Self::P9999 => as_f64(times.p9999_ns),
            Self::Max => as_f64(times.max_ns),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        POINTS.iter().find(|(_, point)| *point == self).map_or("", |(name, _)| name)
    }
}

impl Metric {
    pub(crate) fn named(name: &str) -> Option<Self> {
        if let Some((_, metric)) = OTHERS.iter().find(|(known, _)| *known == name) {
            return Some(*metric);
        }
        TIMES.iter().find_map(|(prefix, times)| {
            let point = name.strip_prefix(prefix)?;
            POINTS.iter().find(|(known, _)| *known == point).map(|(_, point)| Self::Time(*times, *point))
        })
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Time(..) | Self::Cpu => Kind::Time,
            Self::Rate => Kind::Rate,
            Self::Throughput => Kind::BytesPerSecond,
            Self::Memory => Kind::Bytes,
            Self::Busy => Kind::Share,
            _ => Kind::Count,
        }
    }

    /// Whether more of it is better.
    pub(crate) const fn higher_is_better(self) -> bool {
        matches!(self, Self::Rate | Self::Throughput)
    }

    /// The value, or why there is none.
    pub(crate) fn of(self, report: &Report) -> Result<f64, &'static str> {
        let faults = report.faults;
        let server = report.server.as_ref().ok_or("the server's process was not watched (--pid)");
        let value = match self {
            Self::Time(times, point) => point.of(distribution(report, times)?),
            Self::Rate => rate(report)?,
            Self::Throughput => per_second(report, as_f64(report.received.bytes))?,
            Self::Errors => as_f64(total(report.errors.values())),
            Self::Failed => as_f64(report.connections.failed),
            Self::Closes => as_f64(total(report.closes.values())),
            Self::Lost => as_f64(faults.lost),
            Self::Duplicated => as_f64(faults.duplicated),
            Self::Reordered => as_f64(faults.reordered),
            Self::Corrupted => as_f64(faults.corrupted),
            Self::Faults => {
                as_f64(total([faults.lost, faults.duplicated, faults.reordered, faults.corrupted].iter()))
            }
            Self::Cpu => server?.cpu_per_message_ns.ok_or("no message came back to share the CPU time")?,
            Self::Memory => {
                server?.bytes_per_connection.ok_or("no connection was held to share the memory")?
            }
            Self::Busy => report.generator.busiest,
        };
        Ok(value)
    }

    /// What its 100 % are: the rate asked for, messages sent, or connections tried.
    pub(crate) fn whole(self, report: &Report) -> Result<f64, &'static str> {
        let connections = &report.connections;
        match self {
            Self::Rate => report.load.rate.ok_or("no --rate was asked for that could be 100 %"),
            Self::Errors | Self::Failed | Self::Closes => {
                let tried = connections.opened.saturating_add(connections.failed);
                if tried == 0 { Err("no connection was tried") } else { Ok(as_f64(tried)) }
            }
            Self::Busy => Ok(1.0),
            _ if report.sent.messages == 0 => Err("no message was sent"),
            _ => Ok(as_f64(report.sent.messages)),
        }
    }

    /// Whether a bound can be a share of [`Self::whole`].
    pub(crate) const fn takes_percent(self) -> bool {
        matches!(self.kind(), Kind::Count | Kind::Rate | Kind::Share)
    }

    /// `value` in its unit.
    pub(crate) fn show(self, value: f64) -> String {
        match self.kind() {
            Kind::Time => units::time(value),
            Kind::Rate => units::rate(value),
            Kind::BytesPerSecond => format!("{}/s", units::bytes(value)),
            Kind::Count => units::whole(value),
            Kind::Bytes => units::bytes(value),
            Kind::Share => units::percent(value),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(times, point) => {
                let prefix = TIMES.iter().find(|(_, known)| known == times).map_or("", |(prefix, _)| prefix);
                write!(f, "{prefix}{}", point.name())
            }
            other => {
                f.write_str(OTHERS.iter().find(|(_, known)| known == other).map_or("", |(name, _)| name))
            }
        }
    }
}

/// What the load's `rate` counts, as it came about: echo counts what came back, broadcast what was published.
pub(crate) fn achieved(report: &Report) -> Result<f64, &'static str> {
    match report.load.mode {
        Mode::Broadcast => per_second(report, as_f64(report.sent.messages)),
        _ => rate(report),
    }
}

/// Of the rate asked for, the share that came about where that is too little. A message more or less is the rounding of
/// a short run.
pub(crate) fn missed_rate(report: &Report, asked: f64) -> Option<f64> {
    let achieved = achieved(report).ok()?;
    let is_short = achieved < asked * ENOUGH && (asked - achieved) * report.elapsed_s > 1.0;
    is_short.then_some(achieved / asked)
}

/// Less of the asked rate than this is not the asked rate.
const ENOUGH: f64 = 0.95;

fn rate(report: &Report) -> Result<f64, &'static str> {
    let counted = match report.load.mode {
        Mode::Connect => report.connections.opened,
        _ => report.received.messages,
    };
    per_second(report, as_f64(counted))
}

/// `amount` over the measured time.
pub(crate) fn per_second(report: &Report, amount: f64) -> Result<f64, &'static str> {
    if report.elapsed_s > 0.0 { Ok(amount / report.elapsed_s) } else { Err("no time was measured") }
}

fn distribution(report: &Report, times: Times) -> Result<&Distribution, &'static str> {
    let connections = &report.connections;
    let (found, missing) = match times {
        Times::Latency => (&report.latency, "no latency was measured: no message came back"),
        Times::Service => (&report.service, "service times are measured in echo mode with --rate"),
        Times::Connect => (&connections.total, "no connection was opened"),
        Times::Dial => (&connections.dial, "no connection was dialled"),
        Times::Tls => (&connections.tls, "no TLS handshake was measured: is the URL wss://?"),
        Times::Upgrade => (&connections.upgrade, "no opening handshake was measured"),
    };
    found.as_ref().filter(|times| times.count > 0).ok_or(missing)
}

/// A sum that stays in range whatever a file says.
pub(crate) fn total<'n>(numbers: impl Iterator<Item = &'n u64>) -> u64 {
    numbers.fold(0, |sum, number| sum.saturating_add(*number))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn every_name_is_listed_and_read() {
        for word in NAMES.split([' ', ',']).filter(|word| !word.is_empty() && !word.ends_with('.')) {
            if ["the", "same", "with", "or", "before"].contains(&word) {
                continue;
            }
            assert_eq!(Metric::named(word).map(|metric| metric.to_string()).as_deref(), Some(word));
        }
        for (name, _) in OTHERS {
            assert!(NAMES.contains(name), "{name} is not listed");
        }
        assert_eq!(Metric::named("connect.p99.9"), Some(Metric::Time(Times::Connect, Point::P999)));
        assert_eq!(Metric::named("connect.rate"), None);
        assert_eq!(Metric::named("p98"), None);
    }

    #[test]
    fn a_missing_value_says_why() {
        let empty = sample::empty();
        for (name, why) in [
            ("p99", "no latency"),
            ("service.p99", "--rate"),
            ("tls.max", "wss://"),
            ("rate", "no time"),
            ("cpu", "--pid"),
            ("memory", "--pid"),
        ] {
            let error = Metric::named(name).unwrap().of(&empty).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
        assert_eq!(Metric::Errors.of(&empty), Ok(0.0));
        assert!(Metric::Lost.whole(&empty).is_err());
    }

    #[test]
    fn rates_count_what_the_mode_counts() {
        let mut report = sample::echo();
        assert_eq!(Metric::Rate.of(&report), Ok(184_220.0));
        report.load.mode = Mode::Connect;
        assert_eq!(achieved(&report), Ok(10.0));
        report.load.mode = Mode::Broadcast;
        report.sent.messages = 100;
        assert_eq!(achieved(&report), Ok(10.0));
        assert_eq!(Metric::Rate.of(&report), Ok(184_220.0));
    }
}

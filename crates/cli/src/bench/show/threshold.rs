//! `--threshold 'p99<20ms'`: a condition, and whether a report fulfils it.

use super::metric::{Kind, Metric, NAMES};
use super::units::{self, clipped};
use crate::bench::report::Report;
use crate::ui::style::Palette;
use std::fmt::{self, Write as _};

/// The exit status when a threshold failed.
pub(crate) const STATUS: u8 = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Longer ones first: `<` begins `<=`.
const OPERATORS: [(&str, Operator); 4] =
    [("<=", Operator::AtMost), (">=", Operator::AtLeast), ("<", Operator::Less), (">", Operator::Greater)];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    metric: Metric,
    operator: Operator,
    /// In the metric's unit; a share of its whole where `relative`.
    bound: f64,
    relative: bool,
    text: String,
}

/// A condition against a report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) holds: bool,
    /// The value as people read it, or why there is none.
    pub(crate) measured: String,
}

/// Reads a condition: a metric's name, an operator and a bound with its unit.
///
/// # Errors
/// What is wrong, and what could stand there.
pub(crate) fn condition(text: &str) -> Result<Condition, String> {
    let at = text.find(['<', '>', '=', '!']).ok_or_else(|| {
        format!("expected METRIC < VALUE, such as p99<20ms or rate>=100k; metrics: {NAMES}")
    })?;
    let (name, rest) = text.split_at(at);
    let name = name.trim();
    let metric = Metric::named(name)
        .ok_or_else(|| format!("there is no metric \"{}\"; metrics: {NAMES}", clipped(name, 30)))?;
    let (sign, operator) = OPERATORS
        .iter()
        .find(|(sign, _)| rest.starts_with(sign))
        .filter(|(sign, _)| !rest[sign.len()..].starts_with(['<', '>', '=']))
        .ok_or("the operator is one of < <= > >=")?;
    let (bound, relative) = bound(metric, rest[sign.len()..].trim())?;
    let text = format!("{metric} {sign} {}", rest[sign.len()..].trim());
    Ok(Condition { metric, operator: *operator, bound, relative, text })
}

fn bound(metric: Metric, text: &str) -> Result<(f64, bool), String> {
    let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let (number, unit) = text.split_at(digits);
    let number: f64 = number
        .parse()
        .map_err(|_| format!("{metric} needs a number to be compared with, such as {}", example(metric)))?;
    let unit = unit.trim();
    if unit == "%" && metric.takes_percent() {
        return Ok((number / 100.0, true));
    }
    let factor = match (metric.kind(), unit) {
        (Kind::Time, "ns") | (Kind::Rate | Kind::Count | Kind::Share, "") => 1.0,
        (Kind::Time, "us" | "µs" | "μs") | (Kind::Rate | Kind::Count, "k") => 1e3,
        (Kind::Time, "ms") | (Kind::Rate | Kind::Count, "M") => 1e6,
        (Kind::Time, "s") => 1e9,
        // As sizes are read everywhere in this program.
        (Kind::Bytes | Kind::BytesPerSecond, unit) => match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1.0,
            "k" | "kib" => 1024.0,
            "m" | "mib" => 1_048_576.0,
            "g" | "gib" => 1_073_741_824.0,
            "kb" => 1e3,
            "mb" => 1e6,
            "gb" => 1e9,
            _ => return Err(unknown_unit(metric, unit)),
        },
        _ => return Err(unknown_unit(metric, unit)),
    };
    Ok((number * factor, false))
}

fn unknown_unit(metric: Metric, unit: &str) -> String {
    let possible = match metric.kind() {
        Kind::Time => "a time with ns, us, µs, ms or s",
        Kind::Rate => "a number a second, also with k or M, or % of --rate",
        Kind::Count => "a number, also with k or M, or %",
        Kind::Bytes | Kind::BytesPerSecond => "bytes, also with k, M, G, kB, MB or GB",
        Kind::Share => "a share such as 0.9 or 90%",
    };
    let given = match unit {
        "" => "without a unit".to_string(),
        unit => format!("with the unit \"{}\"", clipped(unit, 20)),
    };
    format!("{metric} can't be compared with a number {given}: give {possible}, such as {}", example(metric))
}

const fn example(metric: Metric) -> &'static str {
    match metric.kind() {
        Kind::Time => "20ms",
        Kind::Rate => "100k",
        Kind::BytesPerSecond => "100MB",
        Kind::Count => "1",
        Kind::Bytes => "4k",
        Kind::Share => "90%",
    }
}

impl Condition {
    pub(crate) fn metric(&self) -> Metric {
        self.metric
    }

    /// Judges a report. What was not measured does not hold.
    pub(crate) fn judge(&self, report: &Report) -> Verdict {
        let value = self.metric.of(report).and_then(|value| {
            if !self.relative || self.metric.kind() == Kind::Share {
                return Ok((value, self.metric.show(value)));
            }
            let share = value / self.metric.whole(report)?;
            Ok((share, format!("{} ({})", units::percent(share), self.metric.show(value))))
        });
        match value {
            Ok((value, measured)) => Verdict { holds: self.operator.holds(value, self.bound), measured },
            Err(why) => Verdict { holds: false, measured: why.into() },
        }
    }
}

impl Operator {
    fn holds(self, value: f64, bound: f64) -> bool {
        match self {
            Self::Less => value < bound,
            Self::AtMost => value <= bound,
            Self::Greater => value > bound,
            Self::AtLeast => value >= bound,
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A line for each condition, and whether all of them hold.
pub(crate) fn render(conditions: &[Condition], report: &Report, palette: &Palette) -> (String, bool) {
    let (mut text, mut all) = (String::new(), true);
    let width = conditions.iter().map(|condition| condition.text.chars().count()).max().unwrap_or(0);
    for (index, condition) in conditions.iter().enumerate() {
        let verdict = condition.judge(report);
        all &= verdict.holds;
        let name = if index == 0 { "thresholds" } else { "" };
        palette.key.paint_into(&mut text, name);
        text.push_str(&" ".repeat(13 - name.len()));
        let (style, word) = if verdict.holds { (palette.sent, "ok    ") } else { (palette.error, "FAILED") };
        style.paint_into(&mut text, word);
        writeln!(text, "  {:<width$}  {}", condition.text, verdict.measured)
            .expect("a String takes every write");
    }
    (text, all)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn units_and_spaces_are_read() {
        for (text, bound) in [
            ("p99<20ms", 20e6),
            (" p99.99 <= 1.5 s", 1.5e9),
            ("max<100us", 1e5),
            ("mean<7µs", 7e3),
            ("cpu<900ns", 900.0),
            ("rate>=100k", 1e5),
            ("rate>1.5M", 1.5e6),
            ("errors<=0", 0.0),
            ("memory<1k", 1024.0),
            ("memory<1.5kB", 1500.0),
            ("throughput>10MB", 1e7),
            ("busy<90%", 0.9),
            ("connect.p99<1s", 1e9),
        ] {
            assert_eq!(condition(text).map(|found| found.bound), Ok(bound), "{text}");
        }
        assert!(condition("lost<0.1%").unwrap().relative);
        assert_eq!(condition("p99<20ms").unwrap().to_string(), "p99 < 20ms");
    }

    #[test]
    fn what_cant_be_read_names_what_can() {
        for (text, words) in [
            ("", "expected METRIC < VALUE"),
            ("p99", "expected METRIC < VALUE"),
            ("p98<1ms", "there is no metric \"p98\"; metrics: p50"),
            ("<1ms", "there is no metric \"\""),
            ("p99=1ms", "one of < <= > >="),
            ("p99!=1ms", "one of < <= > >="),
            ("p99<<1ms", "one of < <= > >="),
            ("p99=<1ms", "one of < <= > >="),
            ("p99<", "p99 needs a number to be compared with, such as 20ms"),
            ("p99<-1ms", "needs a number"),
            ("p99<1.2.3ms", "needs a number"),
            ("p99<20", "without a unit: give a time with ns, us, µs, ms or s"),
            ("p99<20min", "with the unit \"min\""),
            ("p99<20%", "with the unit \"%\""),
            ("rate>1ms", "% of --rate"),
            ("memory<1%", "with the unit \"%\": give bytes"),
            ("\x1b[2J<1", "there is no metric \"␛[2J\""),
        ] {
            let error = condition(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn bounds_are_part_of_at_most_and_at_least() {
        let report = sample::echo();
        for (text, holds) in [
            ("p50<512us", false),
            ("p50<=512us", true),
            ("p50>512us", false),
            ("p50>=512us", true),
            ("busy<75%", true),
            ("busy<0.7", false),
            ("lost<=0%", true),
            ("memory<1.1kB", true),
        ] {
            assert_eq!(condition(text).unwrap().judge(&report).holds, holds, "{text}");
        }
    }

    #[test]
    fn shares_are_of_what_was_tried() {
        let report = sample::troubled();
        let judge = |text| condition(text).unwrap().judge(&report);
        assert_eq!(judge("rate>=95%"), Verdict { holds: false, measured: "92.1 % (184,220/s)".into() });
        assert_eq!(judge("failed<11%"), Verdict { holds: true, measured: "10.7 % (12)".into() });
        assert!(judge("lost<0.01%").holds);
    }

    #[test]
    fn each_is_printed_with_what_was_measured() {
        let mut report = sample::echo();
        report.server = None;
        let conditions = ["p99<20ms", "rate>=200k", "cpu<3us"].map(|text| condition(text).unwrap());
        let (text, all) = render(&conditions, &report, &Palette::plain());
        assert!(!all);
        assert_eq!(
            text,
            "\
thresholds   ok      p99 < 20ms    1.08 ms
             FAILED  rate >= 200k  184,220/s
             FAILED  cpu < 3us     the server's process was not watched (--pid)
"
        );
        assert_eq!(render(&[], &report, &Palette::plain()), (String::new(), true));
    }
}

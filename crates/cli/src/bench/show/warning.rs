//! What stands between a report and the conclusions drawn from it.

use super::metric;
use super::units::percent;
use crate::bench::report::Report;

/// A thread this busy may be what limits.
const BUSY: f64 = 0.9;

/// Whether the figures may be those of the generator.
pub(crate) fn generator_limits(report: &Report) -> bool {
    report.generator.busiest > BUSY
}

/// In whole sentences.
pub(crate) fn of(report: &Report) -> Vec<String> {
    let mut found = Vec::new();
    if generator_limits(report) {
        found.push(format!(
            "the generator was {} busy: what was measured may be its limit and not the server's. Give it \
             more --threads or a core of its own, or ask for fewer connections or a lower --rate.",
            percent(report.generator.busiest)
        ));
    }
    if let Some(share) = report.load.rate.and_then(|asked| metric::missed_rate(report, asked)) {
        found.push(format!(
            "{} of the asked rate was reached: the times are those of an overloaded server or generator, and \
             grow with the length of the run.",
            percent(share)
        ));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_busy_generator_and_a_missed_rate_are_told() {
        let mut report = sample::echo();
        assert!(of(&report).is_empty());
        report.generator.busiest = 0.9;
        assert!(of(&report).is_empty());
        report.generator.busiest = 0.91;
        assert!(of(&report)[0].contains("91.0 % busy") && of(&report)[0].contains("--threads"));
        report.generator.busiest = 0.5;
        report.load.rate = Some(200_000.0);
        assert!(of(&report)[0].starts_with("92.1 % of the asked rate"));
        report.load.rate = Some(190_000.0);
        assert!(of(&report).is_empty());
        // Nothing was due in the time.
        report.load.rate = Some(0.5);
        (report.elapsed_s, report.received.messages) = (0.1, 0);
        assert!(of(&report).is_empty());
    }
}

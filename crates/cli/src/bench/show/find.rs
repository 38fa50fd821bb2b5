//! `--find-rate 'p99<10ms'`: the highest rate at which a condition holds.

use super::metric;
use super::threshold::Condition;
use super::units;
use crate::bench::report::Report;
use std::fmt;

/// How close the highest rate that holds and the lowest that does not come to each other.
const CLOSE: f64 = 1.05;
/// No search is longer.
const RUNS: usize = 60;
/// Below a message in this many seconds nothing can be measured in a sensible time.
const SLOWEST: f64 = 0.1;
const FASTEST: f64 = 1e9;

/// A run of the search.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) number: usize,
    pub(crate) rate: f64,
    pub(crate) held: bool,
    /// What the condition's metric came to, or why the run does not count as one at this rate.
    pub(crate) measured: String,
}

/// What the search came to.
#[derive(Debug)]
pub(crate) struct Found {
    /// The highest rate that held, in most of its runs; none where nothing held.
    pub(crate) rate: Option<f64>,
    /// Its last run that held.
    pub(crate) report: Option<Report>,
    /// What the rate is worth.
    pub(crate) end: End,
    pub(crate) steps: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It held in two runs, and a rate at most 5 % above failed in two.
    Bracketed,
    /// No rate held.
    NothingHolds,
    /// Every rate held, as far as the search goes.
    EverythingHolds,
    /// Runs differ so much that the search was given up.
    Unsteady,
}

/// A rate and its runs so far.
#[derive(Debug)]
struct Trial {
    rate: f64,
    held: usize,
    failed: usize,
    /// The last run that held.
    report: Option<Report>,
}

impl Trial {
    fn holds(&self) -> bool {
        self.held > self.failed
    }

    /// Whether one lucky or unlucky run can't have decided.
    fn is_settled(&self) -> bool {
        self.held.max(self.failed) >= 2
    }
}

enum Next {
    Try(f64),
    End(End),
}

/// Searches from `start` (messages per second): doubles or halves until the limit is bracketed, bisects to 5 %, then
/// repeats both ends until two runs of each agree. A run that reaches less than 95 % of its rate counts as failed.
///
/// # Errors
/// The first one of `run`.
pub(crate) fn find<E>(
    condition: &Condition,
    start: f64,
    run: &mut dyn FnMut(f64) -> Result<Report, E>,
    tell: &mut dyn FnMut(&Step),
) -> Result<Found, E> {
    let mut trials: Vec<Trial> = Vec::new();
    let mut rate = start.clamp(SLOWEST, FASTEST);
    let mut steps = 0;
    let end = loop {
        steps += 1;
        let report = run(rate)?;
        let (held, measured) = judge(condition, rate, &report);
        tell(&Step { number: steps, rate, held, measured });
        let index =
            trials.iter().position(|trial| trial.rate.to_bits() == rate.to_bits()).unwrap_or_else(|| {
                trials.push(Trial { rate, held: 0, failed: 0, report: None });
                trials.len() - 1
            });
        let trial = &mut trials[index];
        if held {
            trial.held += 1;
            trial.report = Some(report);
        } else {
            trial.failed += 1;
        }
        rate = match next(&trials) {
            Next::Try(_) if steps == RUNS => break End::Unsteady,
            Next::Try(rate) => rate,
            Next::End(end) => break end,
        };
    };
    let limit = lowest_failed(&trials).map_or(f64::INFINITY, |trial| trial.rate);
    let best = trials
        .into_iter()
        .filter(|trial| trial.holds() && trial.rate < limit)
        .max_by(|a, b| a.rate.total_cmp(&b.rate));
    Ok(match best {
        Some(trial) => Found { rate: Some(trial.rate), report: trial.report, end, steps },
        None => Found { rate: None, report: None, end, steps },
    })
}

fn lowest_failed(trials: &[Trial]) -> Option<&Trial> {
    trials.iter().filter(|trial| !trial.holds()).min_by(|a, b| a.rate.total_cmp(&b.rate))
}

/// What the runs so far ask for.
fn next(trials: &[Trial]) -> Next {
    // As many held as failed: a third run decides.
    if let Some(open) = trials.iter().find(|trial| trial.held == trial.failed) {
        return Next::Try(open.rate);
    }
    let failed = lowest_failed(trials);
    let held = trials
        .iter()
        .filter(|trial| trial.holds() && failed.is_none_or(|failed| trial.rate < failed.rate))
        .max_by(|a, b| a.rate.total_cmp(&b.rate));
    match (held, failed) {
        (Some(held), None) if held.rate >= FASTEST => Next::End(End::EverythingHolds),
        (Some(held), None) => Next::Try((held.rate * 2.0).min(FASTEST)),
        (None, Some(failed)) if failed.rate > SLOWEST => Next::Try((failed.rate / 2.0).max(SLOWEST)),
        (None, Some(failed)) if failed.is_settled() => Next::End(End::NothingHolds),
        (None, Some(failed)) => Next::Try(failed.rate),
        (Some(held), Some(failed)) if failed.rate / held.rate > CLOSE => {
            Next::Try(three_digits((held.rate * failed.rate).sqrt()))
        }
        (Some(held), Some(_)) if !held.is_settled() => Next::Try(held.rate),
        (Some(_), Some(failed)) if !failed.is_settled() => Next::Try(failed.rate),
        (Some(_), Some(_)) => Next::End(End::Bracketed),
        (None, None) => unreachable!("the first run has held or failed"),
    }
}

/// A rate that is read easily; nearer than two rates of a bracket ever are.
fn three_digits(rate: f64) -> f64 {
    let step = 10f64.powf(rate.log10().floor() - 2.0);
    let rounded = (rate / step).round() * step;
    if rounded >= 100.0 { rounded.round() } else { rounded }
}

fn judge(condition: &Condition, rate: f64, report: &Report) -> (bool, String) {
    let metric = condition.metric();
    let verdict = condition.judge(report);
    match metric::achieved(report) {
        Err(why) => (false, why.into()),
        Ok(achieved) if achieved <= 0.0 || metric::missed_rate(report, rate).is_some() => {
            (false, format!("only {} reached, {metric} {}", units::rate(achieved), verdict.measured))
        }
        Ok(_) => (verdict.holds, format!("{metric} {}", verdict.measured)),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.held { "holds" } else { "fails" };
        write!(f, "{:>4}  {:>14}  {word}  {}", self.number, units::rate(self.rate), self.measured)
    }
}

impl Found {
    /// The result in a sentence or two.
    pub(crate) fn sentence(&self, condition: &Condition) -> String {
        let runs = units::count(self.steps as u64, "run");
        match (self.rate.map(units::rate), self.end) {
            (Some(rate), End::Bracketed) => format!(
                "{condition} holds up to {rate}: it held there in most runs, and failed 5 % above ({runs})"
            ),
            (Some(rate), End::EverythingHolds) => {
                format!("{condition} holds at every rate that was tried, up to {rate} ({runs})")
            }
            (Some(rate), _) => format!(
                "{condition} held up to {rate}, but the runs differ too much to be sure ({runs}): try a longer --duration"
            ),
            (None, _) => format!("{condition} holds at no rate, down to {} ({runs})", units::rate(SLOWEST)),
        }
    }
}

#[cfg(test)]
#[path = "find_tests.rs"]
mod tests;

//! From a histogram to what a report holds of it.

use super::report::Distribution;
use hdrhistogram::Histogram;

/// Points of the curve for each halving of what is left above it.
const TICKS: u32 = 4;

impl Distribution {
    /// `None` where nothing was recorded.
    pub(crate) fn of(histogram: &Histogram<u64>) -> Option<Self> {
        if histogram.is_empty() {
            return None;
        }
        let at = |quantile| histogram.value_at_quantile(quantile).min(histogram.max());
        Some(Self {
            count: histogram.len(),
            min_ns: histogram.min(),
            mean_ns: histogram.mean(),
            deviation_ns: histogram.stdev(),
            max_ns: histogram.max(),
            p50_ns: at(0.5),
            p75_ns: at(0.75),
            p90_ns: at(0.9),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            p9999_ns: at(0.9999),
            curve: curve(histogram),
            buckets: buckets(histogram),
        })
    }
}

fn curve(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    let mut points: Vec<(f64, u64)> = Vec::new();
    for step in histogram.iter_quantiles(TICKS) {
        let point = (step.quantile(), step.value_iterated_to().min(histogram.max()));
        match points.last_mut() {
            Some(last) if last.1 == point.1 => last.0 = point.0,
            _ => points.push(point),
        }
    }
    points
}

/// Buckets whose ends grow as 1, 2, 5, 10, without the empty ones at either end.
fn buckets(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    let ends = (0..13).flat_map(|power| [1, 2, 5].map(|digit: u64| digit * 10_u64.pow(power)));
    let mut buckets = Vec::new();
    let mut below = 0;
    for end in ends {
        let upto = histogram.count_between(0, end);
        let count = upto - below;
        below = upto;
        if count > 0 || !buckets.is_empty() {
            buckets.push((end, count));
        }
        if below == histogram.len() {
            break;
        }
    }
    buckets
}

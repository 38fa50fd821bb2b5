//! How times spread, as bars of text.

use super::units::{self, as_f64};
use crate::bench::report::Distribution;

/// Rows that are still taken in at a glance.
const ROWS: usize = 12;
/// Columns of the longest bar.
const BAR: usize = 40;
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A line for each row: upper end, bar, share, count.
pub(crate) fn lines(times: &Distribution) -> Vec<String> {
    let table = merged(&times.buckets);
    let most = table.iter().map(|(_, count)| *count).max().unwrap_or(0);
    let total: f64 = table.iter().map(|(_, count)| as_f64(*count)).sum();
    if total == 0.0 {
        return Vec::new();
    }
    table
        .iter()
        .map(|(upper, count)| {
            let share = as_f64(*count) / total;
            format!(
                "  ≤ {:>8}  {:<BAR$}  {:>7}  {:>13}",
                units::time(as_f64(*upper)),
                bar(as_f64(*count) / as_f64(most)),
                units::percent(share),
                units::grouped(*count),
            )
        })
        .collect()
}

/// Buckets in at most [`ROWS`] rows whose upper ends rise by about the same factor; each end is one of a bucket's, so
/// that every count is exact. Empty buckets are cut at both ends, and nowhere else.
fn merged(buckets: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let filled = |bucket: &&(u64, u64)| bucket.1 > 0;
    let first = buckets.iter().position(|bucket| filled(&bucket)).unwrap_or(buckets.len());
    let end = buckets.iter().rposition(|bucket| filled(&bucket)).map_or(first, |last| last + 1);
    let buckets = &buckets[first..end];
    if buckets.len() <= ROWS {
        return buckets.to_vec();
    }
    let (least, greatest) = (as_f64(buckets[0].0.max(1)), as_f64(buckets[buckets.len() - 1].0.max(1)));
    let mut rows: Vec<(u64, u64)> = Vec::with_capacity(ROWS);
    let mut limit = least;
    // Eleven steps lead from the first row's end to the last one's.
    let factor = (greatest / least).powf(1.0 / as_f64(ROWS as u64 - 1));
    for (index, (upper, count)) in buckets.iter().enumerate() {
        let is_last = index + 1 == buckets.len();
        match rows.last_mut() {
            Some(row) if as_f64(*upper) <= limit * 1.000_001 || (is_last && rows_full(limit, greatest)) => {
                row.0 = *upper;
                row.1 = row.1.saturating_add(*count);
            }
            _ => {
                while limit * 1.000_001 < as_f64(*upper) && limit < greatest {
                    limit *= factor;
                }
                rows.push((*upper, *count));
            }
        }
    }
    rows
}

/// Whether the row that ends at `limit` is the last one.
fn rows_full(limit: f64, greatest: f64) -> bool {
    limit >= greatest * 0.999_999
}

/// A bar of `share` of the width; what is not nothing is seen.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a small number")]
fn bar(share: f64) -> String {
    if share <= 0.0 {
        return String::new();
    }
    let eighths = ((share * as_f64(BAR as u64 * 8)).round() as usize).max(1);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn rows_keep_every_value() {
        for count in [1u64, 12, 13, 100, 2000] {
            let buckets: Vec<_> = (1..=count).map(|at| (at * at * 1000, at % 7)).collect();
            let rows = merged(&buckets);
            assert!(rows.len() <= ROWS, "{count}: {rows:?}");
            assert!(rows.is_sorted_by(|a, b| a.0 < b.0));
            let sum = |rows: &[(u64, u64)]| rows.iter().map(|row| row.1).sum::<u64>();
            assert_eq!(sum(&rows), sum(&buckets));
        }
    }

    #[test]
    fn empty_ends_are_cut_and_gaps_stay() {
        assert_eq!(merged(&[(1, 0), (2, 5), (4, 0), (8, 1), (16, 0)]), [(2, 5), (4, 0), (8, 1)]);
        assert_eq!(merged(&[(1, 0)]), []);
        assert_eq!(merged(&[(0, 3)]), [(0, 3)]);
    }

    #[test]
    fn bars() {
        assert_eq!([bar(0.0), bar(1e-9), bar(0.05)], ["", "▏", "██"]);
        assert_eq!(bar(1.0).chars().count(), BAR);
    }

    #[test]
    fn nothing_measured_draws_nothing() {
        let mut times = sample::times(10, 1000);
        times.buckets.clear();
        assert!(lines(&times).is_empty());
        times.buckets = vec![(u64::MAX, u64::MAX)];
        assert_eq!(lines(&times).len(), 1);
        assert!(lines(&times)[0].chars().count() <= 80);
    }
}

//! Medians and spreads, and when two of them are a tie.

use std::fmt;

/// Several measurements of the same thing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    pub(super) count: usize,
}

impl Spread {
    /// `None` where there is nothing.
    pub(super) fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Some(Self { median: f64::midpoint(low, high), least, most, count: values.len() })
    }

    /// `≈` where the ranges overlap or are of fewer than three values, which show no spread; `<` where this one lies below, nothing where it lies above.
    pub(super) fn against(&self, other: &Self) -> &'static str {
        if self.count.min(other.count) < 3 || self.least <= other.most && other.least <= self.most {
            "≈"
        } else if self.median < other.median {
            "<"
        } else {
            ""
        }
    }
}

/// A spread as a cell of a table.
pub(super) struct Cell {
    pub(super) spread: Spread,
    pub(super) digits: usize,
    /// What stands behind it.
    pub(super) mark: &'static str,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spread { median, least, most, .. } = self.spread;
        let digits = self.digits;
        write!(f, "{median:.digits$} [{least:.digits$}–{most:.digits$}]")?;
        if self.mark.is_empty() { Ok(()) } else { write!(f, " {}", self.mark) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn overlapping_ranges_are_a_tie() {
        let ours = spread(&[1.0, 1.2, 1.1]);
        assert_eq!(ours, Spread { median: 1.1, least: 1.0, most: 1.2, count: 3 });
        assert_eq!(spread(&[1.15, 1.4, 1.5]).against(&ours), "≈");
        assert_eq!(spread(&[0.8, 0.9, 0.7]).against(&ours), "<");
        assert_eq!(spread(&[1.3, 1.4, 1.5]).against(&ours), "");
        assert_eq!(spread(&[1.3]).against(&ours), "≈");
        assert_eq!(Cell { spread: ours, digits: 2, mark: "≈" }.to_string(), "1.10 [1.00–1.20] ≈");
        assert_eq!(Spread::of(std::iter::empty()), None);
    }
}

//! From values to places, and the values that are marked.

/// A scale from values to pixels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    log: bool,
    low: f64,
    high: f64,
    /// Pixels of `low` and `high`.
    from: f64,
    to: f64,
}

impl Axis {
    /// Even steps from `low` to `high`.
    pub(crate) fn linear((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        Self { log: false, low, high: if high > low { high } else { low + 1.0 }, from, to }
    }

    /// Even factors; both ends above zero.
    pub(crate) fn log((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        Self { log: true, low, high: if high > low { high } else { low * 2.0 }, from, to }
    }

    /// The pixel of a value; values outside stay at the edge.
    pub(crate) fn at(&self, value: f64) -> f64 {
        let share = if self.log {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.from + share.clamp(0.0, 1.0) * (self.to - self.from)
    }
}

/// Round numbers from zero to at or above `most`, about `wanted` of them.
pub(crate) fn linear_ticks(most: f64, wanted: f64) -> Vec<f64> {
    let most = if most > 0.0 { most.min(1e30) } else { 1.0 };
    let rough = most / wanted;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|step| step * power >= rough).unwrap_or(10.0) * power;
    let mut ticks = vec![0.0];
    while ticks[ticks.len() - 1] < most * 0.999 && ticks.len() < 50 {
        ticks.push(step * f64::from(u32::try_from(ticks.len()).unwrap_or(0)));
    }
    ticks
}

/// 1, 2 and 5 times powers of ten from at or below `low` to at or above `high`; powers only where there are many.
pub(crate) fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let low = low.max(1.0);
    let high = high.max(low);
    let marks: &[f64] = if (high / low).log10() > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let mut ticks: Vec<f64> = Vec::new();
    let mut power = 10f64.powf(low.log10().floor());
    loop {
        for mark in marks {
            let tick = mark * power;
            if tick <= low * 1.000_001 {
                ticks.clear();
            }
            ticks.push(tick);
            if tick >= high * 0.999_999 && ticks.len() > 1 {
                return ticks;
            }
        }
        power *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_near(values: &[f64], expected: &[f64]) {
        let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-9 * b.abs();
        assert!(values.len() == expected.len() && values.iter().zip(expected).all(near), "{values:?}");
    }

    #[test]
    fn values_stand_where_they_belong() {
        let axis = Axis::log((1.0, 100.0), (200.0, 0.0));
        assert_near(&[1.0, 10.0, 100.0].map(|value| axis.at(value)), &[200.0, 100.0, 0.0]);
        assert_near(&[axis.at(0.0), axis.at(1e9)], &[200.0, 0.0]);
        let axis = Axis::linear((0.0, 0.0), (0.0, 10.0));
        assert_near(&[axis.at(0.0), axis.at(f64::MAX)], &[0.0, 10.0]);
    }

    #[test]
    fn ticks_are_round_and_enclose() {
        assert_near(&linear_ticks(187.0, 4.0), &[0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_near(&linear_ticks(0.0, 4.0), &[0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_near(&log_ticks(81e3, 8.9e6), &[5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6, 1e7]);
        assert_near(&log_ticks(0.0, 0.0), &[1.0, 2.0]);
        assert_near(&log_ticks(1000.0, 1000.0), &[1000.0, 2000.0]);
        let huge = log_ticks(1.0, 1.8e19);
        assert!(huge.len() <= 21 && huge[0] <= 1.0 && *huge.last().unwrap() >= 1.8e19);
    }
}

//! Figures for people: three significant digits and a unit, or every digit in groups of three.

use crate::ui::escape;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// Days, so that even the greatest 64-bit number of nanoseconds fits a column.
const TIMES: [(f64, &str); 5] = [(864e11, "d"), (1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns")];
const BYTES: [(f64, &str); 6] =
    [(1e15, "PB"), (1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")];

/// `512 µs`, `1.02 ms`, `61.2 s`.
pub(crate) fn time(ns: f64) -> String {
    // Thousands of seconds stay seconds.
    let units = if ns.abs() < 1e14 { &TIMES[1..] } else { &TIMES[..] };
    scaled(ns, units)
}

/// `125 B`, `1.04 kB`: powers of 1000.
pub(crate) fn bytes(bytes: f64) -> String {
    scaled(bytes, &BYTES)
}

/// `184,220/s`; below ten with decimals.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second < 9.995 {
        format!("{}/s", significant(per_second))
    } else {
        format!("{}/s", whole(per_second))
    }
}

/// A number that counts something: `1,842,203`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "saturates, and no count is negative"
)]
pub(crate) fn whole(number: f64) -> String {
    grouped(number.round() as u64)
}

/// `1,842,203`; from a thousand million on with a power of ten: `1.84e19`.
pub(crate) fn grouped(number: u64) -> String {
    if number >= 1_000_000_000_000 {
        return format!("{:.2e}", as_f64(number));
    }
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + 4);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A share of one: `74 %`, `0.31 %`, `<0.01 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        0.0 => "0 %".into(),
        _ if percent > 0.0 && percent < 0.01 => "<0.01 %".into(),
        // What is not all does not read as all.
        _ if percent < 100.0 && percent > 99.99 => ">99.9 %".into(),
        _ if percent < 1.0 => format!("{percent:.2} %"),
        _ if percent < 100.0 => format!("{:.1} %", percent.min(99.9)),
        _ if percent < 1e5 => format!("{percent:.0} %"),
        _ => format!("{percent:.0e} %"),
    }
}

/// As much of a number as a figure needs.
#[expect(clippy::cast_precision_loss, reason = "figures are shown with three digits")]
pub(crate) fn as_f64(number: u64) -> f64 {
    number as f64
}

/// `1 message`, `2,000 messages`.
pub(crate) fn count(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A number without needless digits: `20`, `0.5`, `1.2345`.
pub(crate) fn plain(number: f64) -> String {
    if number.abs() >= 1e12 { format!("{number:.3e}") } else { format!("{number}") }
}

/// One line of a stranger's text, made safe and at most `width` columns wide.
pub(crate) fn clipped(text: &str, width: usize) -> String {
    let text = escape::line(text);
    let (mut used, mut end) = (0, 0);
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used < width {
            end = at + c.len_utf8();
        } else if used > width || at + c.len_utf8() < text.len() {
            return format!("{}…", &text[..end]);
        }
    }
    text.into_owned()
}

/// `text` and spaces up to `width` columns.
pub(crate) fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let rounded = round(value);
    let (factor, unit) = units
        .iter()
        .find(|(factor, _)| rounded.abs() >= factor * 0.999_999)
        .or(units.last())
        .expect("there are units");
    format!("{} {unit}", significant(value / factor))
}

/// Three significant digits; whole numbers above, and powers of ten where no unit is great enough.
fn significant(value: f64) -> String {
    let value = round(value);
    match value.abs() {
        0.0 => "0".into(),
        size if size >= 1e6 => format!("{value:.0e}"),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn round(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() || value.abs() >= 1e15 {
        return value;
    }
    let step = 10f64.powf((value.abs().log10().floor() - 2.0).min(0.0));
    (value / step).round() * step
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_three_digits() {
        for (ns, text) in [
            (0.0, "0 ns"),
            (0.414, "0.41 ns"),
            (31.0, "31.0 ns"),
            (999.6, "1.00 µs"),
            (1_024_000.0, "1.02 ms"),
            (9_996.0, "10.0 µs"),
            (61.2e9, "61.2 s"),
            (4_711e9, "4711 s"),
            (as_f64(u64::MAX), "213504 d"),
            (f64::MAX, "2e294 d"),
        ] {
            assert_eq!(time(ns), text);
        }
    }

    #[test]
    fn sizes_rates_and_counts() {
        assert_eq!([bytes(125.0), bytes(1_040.0), bytes(999_999.0)], ["125 B", "1.04 kB", "1.00 MB"]);
        assert_eq!([rate(0.0), rate(2.5), rate(184_219.6)], ["0/s", "2.50/s", "184,220/s"]);
        assert_eq!([grouped(7), grouped(1234), grouped(u64::MAX)], ["7", "1,234", "1.84e19"]);
        assert_eq!([percent(0.0), percent(0.742), percent(1.0)], ["0 %", "74.2 %", "100 %"]);
        assert_eq!([percent(0.000_01), percent(0.999_99), percent(0.29)], ["<0.01 %", ">99.9 %", "29.0 %"]);
        assert_eq!([count(1, "message"), count(2000, "message")], ["1 message", "2,000 messages"]);
    }

    #[test]
    fn a_strangers_text_is_safe_and_fits() {
        assert_eq!(clipped("refused", 7), "refused");
        assert_eq!(clipped("refused!", 7), "refuse…");
        assert_eq!(clipped("\x1b[2J\r", 20), "␛[2J␍");
        assert_eq!(clipped("日本語", 5), "日本…");
        assert_eq!(clipped("日本", 4), "日本");
    }
}

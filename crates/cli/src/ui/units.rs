//! Times and sizes in few digits, with a unit.

use std::time::Duration;

/// Three or four digits and a unit; from a minute on, two units.
pub(crate) fn duration(time: Duration) -> String {
    let (seconds, whole) = (time.as_secs_f64(), time.as_secs());
    let two = |unit: u64, name: &str, part: u64, part_name: &str| {
        format!("{} {name} {} {part_name}", whole / unit, whole % unit / part)
    };
    match whole {
        _ if seconds < 0.001 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        0..60 => format!("{seconds:.2} s"),
        60..3600 => two(60, "min", 1, "s"),
        3600..86_400 => two(3600, "h", 60, "min"),
        86_400.. => two(86_400, "d", 3600, "h"),
    }
}

/// Whole microseconds.
pub(crate) fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// `999 B`, `9.4 MB`: powers of 1000.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    if tenths < 1000 {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    } else {
        format!("{} {}", tenths / 10, UNITS[unit])
    }
}

/// `1 message`, `2 messages`.
pub(crate) fn count(number: u64, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_suits_them() {
        for (time, text) in [
            (Duration::from_nanos(1500), "2 µs"),
            (Duration::from_micros(1500), "1.5 ms"),
            (Duration::from_millis(59_994), "59.99 s"),
            (Duration::from_millis(60_001), "1 min 0 s"),
            (Duration::from_secs(3599), "59 min 59 s"),
            (Duration::from_mins(125), "2 h 5 min"),
            (Duration::from_secs(200_000), "2 d 7 h"),
        ] {
            assert_eq!(duration(time), text);
        }
    }

    #[test]
    fn sizes_have_the_unit_that_suits_them() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (9_437_184, "9.4 MB"),
            (99_999, "99.9 kB"),
            (999_999, "999 kB"),
            (1_000_000, "1.0 MB"),
            (u64::MAX, "18.4 EB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!((count(1, "message"), count(0, "message")), ("1 message".into(), "0 messages".into()));
    }
}

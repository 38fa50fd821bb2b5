//! How far a run is: in a terminal one line that is rewritten in place, elsewhere a line a second.

use super::units::{self, as_f64};
use crate::bench::report::{Mode, Sample};
use crate::bench::watch::Watch;
use std::fmt::Write as _;
use std::io::Write;
use std::time::Duration;

/// Where and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// One line, rewritten.
    Terminal,
    Lines,
    Off,
}

/// To the beginning of the line, and everything behind it away.
const REWRITE: &str = "\r\x1b[K";

/// `clock` tells the time since any moment; it spaces out what is told while connections open.
pub(crate) struct Progress<W: Write, C> {
    out: W,
    clock: C,
    style: Style,
    mode: Mode,
    told: Option<Duration>,
    /// When the last sample was, in seconds of the measured time.
    last_s: f64,
    /// Whether a line stands there to be rewritten.
    dirty: bool,
}

impl<W: Write, C: FnMut() -> Duration> Progress<W, C> {
    pub(crate) fn new(out: W, style: Style, mode: Mode, clock: C) -> Self {
        Self { out, clock, style, mode, told: None, last_s: 0.0, dirty: false }
    }

    fn tell(&mut self, text: &str) {
        // Where stderr is gone there is nobody left to tell, and the measurement goes on.
        let _ = match self.style {
            Style::Terminal => write!(self.out, "{REWRITE}{text}"),
            Style::Lines => writeln!(self.out, "{text}"),
            Style::Off => return,
        };
        let _ = self.out.flush();
        self.dirty = self.style == Style::Terminal;
    }
}

impl<W: Write, C: FnMut() -> Duration> Watch for Progress<W, C> {
    fn opening(&mut self, opened: u64, wanted: u64) {
        let pause = match self.style {
            Style::Terminal => Duration::from_millis(100),
            Style::Lines => Duration::from_secs(1),
            Style::Off => return,
        };
        let now = (self.clock)();
        if self.told.is_some_and(|told| now.saturating_sub(told) < pause) {
            return;
        }
        // What opens at once needs no line in a log.
        if self.told.replace(now).is_some() || self.style == Style::Terminal {
            self.tell(&format!(
                "opening: {} of {}",
                units::grouped(opened),
                units::count(wanted, "connection")
            ));
        }
    }

    fn sample(&mut self, sample: &Sample) {
        let interval = sample.at_s - self.last_s;
        if sample.at_s < self.last_s {
            // Another run has begun.
            self.last_s = 0.0;
        }
        let interval = if interval > 0.0 { interval } else { sample.at_s };
        self.last_s = sample.at_s;
        self.tell(&line(self.mode, sample, interval));
    }
}

impl<W: Write, C> Drop for Progress<W, C> {
    fn drop(&mut self) {
        if self.dirty {
            let _ = write!(self.out, "{REWRITE}");
            let _ = self.out.flush();
        }
    }
}

/// `   12 s      100 conn     184,220 msg/s  p50  512 µs  p99 1.02 ms  max 8.91 ms`.
///
/// In connect mode a sample's `received` are the handshakes.
fn line(mode: Mode, sample: &Sample, interval: f64) -> String {
    let rate = if interval > 0.0 { as_f64(sample.received) / interval } else { 0.0 };
    let mut text = format!("{:>5.0} s  {:>7} conn", sample.at_s, units::grouped(sample.connections));
    match mode {
        Mode::Echo | Mode::Broadcast => write!(text, "  {:>10} msg/s", units::whole(rate)),
        Mode::Connect => write!(text, "  {:>10} new/s", units::whole(rate)),
        Mode::Idle => Ok(()),
    }
    .expect("a String takes every write");
    for (name, value) in [("p50", sample.p50_ns), ("p99", sample.p99_ns), ("max", sample.max_ns)] {
        if let Some(ns) = value {
            write!(text, "  {name} {:>7}", units::time(as_f64(ns))).expect("a String takes every write");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: Sample = Sample {
        at_s: 1.0,
        connections: 100,
        sent: 184_230,
        received: 184_220,
        p50_ns: Some(512_000),
        p99_ns: Some(1_024_000),
        max_ns: None,
    };

    /// What is written when each call comes 400 ms after the one before.
    fn told(style: Style, script: impl FnOnce(&mut dyn Watch)) -> String {
        let mut out = Vec::new();
        let mut now = Duration::ZERO;
        let mut progress = Progress::new(&mut out, style, Mode::Echo, || {
            now += Duration::from_millis(400);
            now
        });
        script(&mut progress);
        drop(progress);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_has_one_line_which_leaves_nothing_behind() {
        let text = told(Style::Terminal, |watch| {
            watch.opening(40, 100);
            watch.sample(&SAMPLE);
        });
        assert_eq!(
            text,
            "\r\x1b[Kopening: 40 of 100 connections\
             \r\x1b[K    1 s      100 conn     184,220 msg/s  p50  512 µs  p99 1.02 ms\r\x1b[K"
        );
        assert_eq!(told(Style::Terminal, |_| ()), "");
    }

    #[test]
    fn a_pipe_has_a_line_a_second() {
        let text = told(Style::Lines, |watch| {
            for opened in 1..=7 {
                watch.opening(opened, 1);
            }
            watch.sample(&SAMPLE);
            watch.sample(&Sample { at_s: 3.0, p50_ns: None, p99_ns: None, ..SAMPLE });
        });
        assert_eq!(
            text,
            "\
opening: 4 of 1 connection
opening: 7 of 1 connection
    1 s      100 conn     184,220 msg/s  p50  512 µs  p99 1.02 ms
    3 s      100 conn      92,110 msg/s
"
        );
    }

    #[test]
    fn quiet_is_quiet_and_the_widest_line_fits() {
        assert_eq!(told(Style::Off, |watch| watch.sample(&SAMPLE)), "");
        let wide = Sample {
            at_s: 86_399.0,
            connections: 999_999,
            received: 99_999_999,
            max_ns: Some(u64::MAX),
            ..SAMPLE
        };
        assert!(line(Mode::Echo, &wide, 1.0).chars().count() <= 80, "{}", line(Mode::Echo, &wide, 1.0));
        assert!(line(Mode::Echo, &Sample { at_s: 0.0, ..SAMPLE }, 0.0).contains(" 0 msg/s"));
    }

    #[test]
    fn each_mode_tells_what_it_measures() {
        let bare = Sample { p50_ns: None, p99_ns: None, ..SAMPLE };
        assert_eq!(line(Mode::Connect, &bare, 1.0), "    1 s      100 conn     184,220 new/s");
        assert_eq!(line(Mode::Idle, &bare, 1.0), "    1 s      100 conn");
    }
}

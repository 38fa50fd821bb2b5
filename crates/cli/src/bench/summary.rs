//! All that was counted in a run, put together from its threads and intervals.

use super::report::{
    Connections, Distribution, FORMAT, Faults, Flow, Generator, Machine, Mode, Report, Sample, Target,
};
use super::tally::{Found, Tally, Times, histogram};
use super::usage::{self, Cpu, Process};
use super::worker::{Run, lock};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

/// What a thread counted between two orders, and the processor time it had used by then.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) worker: usize,
    pub(crate) tally: Box<Tally>,
    pub(crate) cpu: Cpu,
}

type Merged = Option<Histogram<u64>>;

/// Grows with each interval.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Connections are what is measured, not what it takes.
    storm: bool,
    sent: Flow,
    received: Flow,
    latency: Merged,
    service: Merged,
    /// Dialling, TLS, upgrade, all together.
    opening: [Merged; 4],
    opened: u64,
    failed: u64,
    faults: Found,
    closes: BTreeMap<u16, u64>,
    errors: BTreeMap<String, u64>,
    series: Vec<Sample>,
    /// By thread, when measuring began and at the last order within it.
    cpu: BTreeMap<usize, (Cpu, Cpu)>,
}

impl Summary {
    pub(crate) fn new(mode: Mode) -> Self {
        Self { storm: mode == Mode::Connect, ..Self::default() }
    }

    /// What was counted while connections were opened.
    pub(crate) fn opening(&mut self, frames: Vec<Frame>) {
        for frame in frames {
            self.events(*frame.tally);
        }
    }

    /// Measuring begins: messages before are left out, but not what went wrong with them.
    ///
    /// Where nothing was `warmed` up, all of it came of the first messages: one thread begins before the other.
    pub(crate) fn begin(&mut self, frames: Vec<Frame>, warmed: bool) {
        for frame in frames {
            self.cpu.insert(frame.worker, (frame.cpu, frame.cpu));
            if !warmed {
                let mut tally = frame.tally;
                self.sent.join(tally.sent);
                self.received.join(tally.received);
                merge(&mut self.latency, std::mem::replace(&mut tally.latency, Times::new()));
                self.events(*tally);
                continue;
            }
            let mut tally = Tally { latency: Times::new(), service: Times::new(), ..*frame.tally };
            if self.storm {
                (tally.opened, tally.failed) = (0, 0);
                for times in [&mut tally.dial, &mut tally.tls, &mut tally.upgrade, &mut tally.total] {
                    *times = Times::new();
                }
            }
            self.events(tally);
        }
    }

    /// An interval of the measured time, which ended at `at`.
    pub(crate) fn interval(&mut self, frames: Vec<Frame>, at: Duration, alive: u64) -> Sample {
        let (mut sent, mut received, mut opened) = (0, 0, 0);
        let mut times: Merged = None;
        for frame in frames {
            if let Some((_, last)) = self.cpu.get_mut(&frame.worker) {
                *last = frame.cpu;
            }
            let Frame { mut tally, .. } = frame;
            sent += tally.sent.messages;
            received += tally.received.messages;
            opened += tally.opened;
            self.sent.join(tally.sent);
            self.received.join(tally.received);
            merge(&mut times, std::mem::replace(&mut tally.latency, Times::new()));
            self.events(*tally);
        }
        if self.storm {
            (sent, received) = (opened, opened);
        }
        let quantile =
            |quantile| times.as_ref().map(|times| times.value_at_quantile(quantile).min(times.max()));
        let sample = Sample {
            at_s: at.as_secs_f64(),
            connections: alive,
            sent,
            received,
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
            max_ns: times.as_ref().map(Histogram::max),
        };
        if let Some(times) = times {
            add(&mut self.latency, &times);
        }
        self.series.push(sample);
        sample
    }

    /// What came behind the measured time: too late for the throughput; `timed` where its latencies belong to it
    /// nevertheless. Without them a server that stalls at the end would seem to answer at once.
    pub(crate) fn rest(&mut self, frames: Vec<Frame>, timed: bool) {
        for frame in frames {
            let mut tally = frame.tally;
            if self.storm {
                tally.opened = 0;
            }
            let latency = std::mem::replace(&mut tally.latency, Times::new());
            let service = std::mem::replace(&mut tally.service, Times::new());
            if timed {
                merge(&mut self.latency, latency);
                merge(&mut self.service, service);
            }
            self.events(*tally);
        }
    }

    /// Messages that were waited for in vain.
    pub(crate) fn lost(&mut self, count: u64) {
        self.faults.lost += i64::try_from(count).unwrap_or(i64::MAX);
    }

    /// Something that no thread saw.
    pub(crate) fn error(&mut self, kind: &str) {
        *self.errors.entry(kind.into()).or_default() += 1;
    }

    fn events(&mut self, tally: Tally) {
        merge(&mut self.service, tally.service);
        for (into, times) in self.opening.iter_mut().zip([tally.dial, tally.tls, tally.upgrade, tally.total])
        {
            merge(into, times);
        }
        self.opened += tally.opened;
        self.failed += tally.failed;
        self.faults.lost += tally.faults.lost;
        self.faults.duplicated += tally.faults.duplicated;
        self.faults.reordered += tally.faults.reordered;
        self.faults.corrupted += tally.faults.corrupted;
        for (code, count) in tally.closes {
            *self.closes.entry(code).or_default() += count;
        }
        for (kind, count) in tally.errors {
            *self.errors.entry(kind).or_default() += count;
        }
    }

    /// The whole run.
    pub(crate) fn report(
        self,
        run: &Run,
        started: SystemTime,
        elapsed: Duration,
        cut_short: Option<String>,
        used: Cpu,
        server: Option<(Process, Option<Cpu>, Option<u64>)>,
    ) -> Report {
        let of = |times: &Merged| times.as_ref().and_then(Distribution::of);
        let [dial, tls, upgrade, total] = &self.opening;
        let work = if run.plan.mode == Mode::Connect { self.opened } else { self.received.messages };
        let alive = self.series.last().map_or(0, |sample| sample.connections);
        let count = |count: i64| u64::try_from(count).unwrap_or_default();
        let ramp = lock(&run.ramp).map_or(0, |(first, last)| last - first);
        Report {
            format: FORMAT,
            tidewire: env!("CARGO_PKG_VERSION").into(),
            started: humantime::format_rfc3339_seconds(started).to_string(),
            machine: machine(),
            target: target(run),
            load: run.plan.load(),
            elapsed_s: elapsed.as_secs_f64(),
            cut_short,
            connections: Connections {
                opened: self.opened,
                failed: self.failed,
                peak: run.totals.peak.load(Ordering::Relaxed),
                ramp_s: Duration::from_nanos(ramp).as_secs_f64(),
                dial: of(dial),
                tls: of(tls),
                upgrade: of(upgrade),
                total: of(total),
            },
            sent: self.sent,
            received: self.received,
            latency: of(&self.latency),
            service: of(&self.service),
            faults: Faults {
                lost: count(self.faults.lost),
                duplicated: self.faults.duplicated,
                reordered: self.faults.reordered,
                corrupted: self.faults.corrupted,
            },
            generator: self.generator(elapsed, used, work),
            closes: self.closes,
            errors: self.errors,
            server: server
                .and_then(|(process, used, resident)| Some(process.report(used?, work, alive, resident?))),
            series: self.series,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a number of threads")]
    fn generator(&self, elapsed: Duration, used: Cpu, work: u64) -> Generator {
        let shares: Vec<f64> = self
            .cpu
            .values()
            .map(|(before, after)| after.since(*before).total().as_secs_f64() / elapsed.as_secs_f64())
            .collect();
        Generator {
            user_s: used.user.as_secs_f64(),
            system_s: used.system.as_secs_f64(),
            busy: shares.iter().sum::<f64>() / shares.len().max(1) as f64,
            busiest: shares.iter().copied().fold(0.0, f64::max),
            cpu_per_message_ns: usage::per(used.total(), work),
        }
    }
}

impl Flow {
    fn join(&mut self, other: Self) {
        self.messages += other.messages;
        self.bytes += other.bytes;
    }
}

fn merge(into: &mut Merged, times: Times) {
    if let Some(times) = times.finish() {
        add(into, &times);
    }
}

fn add(into: &mut Merged, times: &Histogram<u64>) {
    into.get_or_insert_with(histogram).add(times).expect("histograms of the same bounds");
}

fn target(run: &Run) -> Target {
    let handshake = lock(&run.handshake);
    let handshake = handshake.as_ref();
    let tls = handshake.and_then(|handshake| handshake.dial()?.tls_info.as_ref());
    Target {
        url: run.plan.url.clone(),
        tls: tls.map(|tls| format!("{} {}", tls.version, tls.cipher_suite)),
        extension: handshake.map(tidewire::Handshake::extensions).filter(|text| !text.is_empty()),
        subprotocol: handshake.and_then(|handshake| handshake.subprotocol()).map(str::to_owned),
    }
}

fn machine() -> Machine {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let model = read("/proc/cpuinfo").and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(": ")?.1.to_owned())
    });
    let release = read("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = [std::env::consts::OS, release.trim(), std::env::consts::ARCH];
    Machine {
        processor: model.unwrap_or_else(|| std::env::consts::ARCH.into()),
        cores: read("/sys/devices/system/cpu/online")
            .and_then(|text| cores(text.trim()))
            .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
            .unwrap_or(1),
        system: system.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
    }
}

/// How many `0-1,4` are.
fn cores(ranges: &str) -> Option<usize> {
    ranges
        .split(',')
        .map(|part| {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            Some(last.parse::<usize>().ok()?.checked_sub(first.parse().ok()?)? + 1)
        })
        .sum()
}

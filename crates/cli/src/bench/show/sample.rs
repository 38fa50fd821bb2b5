//! Reports to test with.

use super::units::as_f64;
use crate::bench::report::{
    Connections, Distribution, FORMAT, Faults, Flow, Generator, Load, Machine, Mode, Payload, Report, Sample,
    ServerProcess, Target,
};
use std::collections::BTreeMap;

/// Times around `p50` nanoseconds, as round trips spread.
pub(crate) fn times(count: u64, p50: u64) -> Distribution {
    let at = |hundredths: u64| p50 * hundredths / 100;
    let (p75, p90, p99, p999, p9999, max) = (at(107), at(122), at(210), at(460), at(820), at(1740));
    let shares =
        [(18, 5), (30, 20), (45, 60), (60, 400), (72, 2100), (85, 14_000), (95, 24_000), (100, 9_800)];
    let tail = [(107, 25_000), (122, 14_600), (160, 8_000), (210, 1_000), (330, 700), (460, 250), (820, 60)];
    let mut buckets: Vec<_> =
        shares.iter().chain(&tail).map(|(share, weight)| (at(*share), count * weight / 100_000)).collect();
    let counted: u64 = buckets.iter().map(|(_, number)| number).sum();
    buckets.push((max, count - counted));
    Distribution {
        count,
        min_ns: at(16),
        mean_ns: 1.02 * as_f64(p50),
        deviation_ns: 0.17 * as_f64(p50),
        max_ns: max,
        p50_ns: p50,
        p75_ns: p75,
        p90_ns: p90,
        p99_ns: p99,
        p999_ns: p999,
        p9999_ns: p9999,
        curve: vec![
            (0.0, at(16)),
            (0.01, at(60)),
            (0.1, at(82)),
            (0.25, at(92)),
            (0.5, p50),
            (0.75, p75),
            (0.9, p90),
            (0.95, at(140)),
            (0.99, p99),
            (0.995, at(270)),
            (0.999, p999),
            (0.9995, at(560)),
            (0.9999, p9999),
            (0.99999, at(1500)),
            (1.0, max),
        ],
        buckets,
    }
}

/// Ten seconds of round trips over a hundred connections.
pub(crate) fn echo() -> Report {
    let rates = [181, 184, 186, 185, 183, 187, 172, 186, 188, 190];
    let samples = rates.iter().zip(1u32..).map(|(rate, second)| Sample {
        at_s: f64::from(second),
        connections: 100,
        sent: rate * 1000,
        received: rate * 1000 - 7,
        p50_ns: Some(95_000_000 / rate),
        p99_ns: Some(200_000_000 / rate),
        max_ns: Some(1_500_000),
    });
    Report {
        format: FORMAT,
        tidewire: "0.1.0".into(),
        started: "2026-11-20T12:00:00Z".into(),
        machine: Machine {
            processor: "AMD EPYC 7763 64-Core Processor".into(),
            cores: 2,
            system: "linux 6.18.5 x86_64".into(),
        },
        target: Target { url: "ws://127.0.0.1:9876/".into(), tls: None, extension: None, subprotocol: None },
        load: Load {
            mode: Mode::Echo,
            connections: 100,
            depth: 1,
            rate: None,
            payload: Payload { kind: "text".into(), bytes: 125.0, file: None },
            duration_s: Some(10.0),
            count: None,
            warm_up_s: 1.0,
            threads: 1,
        },
        elapsed_s: 10.0,
        cut_short: None,
        connections: Connections {
            opened: 100,
            failed: 0,
            peak: 100,
            ramp_s: 0.0123,
            dial: Some(times(100, 45_100)),
            tls: None,
            upgrade: Some(times(100, 71_300)),
            total: Some(times(100, 118_000)),
        },
        sent: Flow { messages: 1_842_300, bytes: 230_287_500 },
        received: Flow { messages: 1_842_200, bytes: 230_275_000 },
        latency: Some(times(1_842_200, 512_000)),
        service: None,
        faults: Faults::default(),
        closes: BTreeMap::new(),
        errors: BTreeMap::new(),
        generator: Generator {
            user_s: 2.1,
            system_s: 5.3,
            busy: 0.742,
            busiest: 0.742,
            cpu_per_message_ns: Some(4_017.0),
        },
        server: Some(ServerProcess {
            pid: 4711,
            name: "tidewire".into(),
            user_s: 1.9,
            system_s: 6.4,
            cpu_per_message_ns: Some(4_505.0),
            resident_before: 3_100_000,
            resident_after: 3_204_000,
            bytes_per_connection: Some(1_040.0),
        }),
        series: samples.collect(),
    }
}

/// Over TLS, with compression and a rate; things went wrong, and strangers' words are hostile.
pub(crate) fn troubled() -> Report {
    let mut report = echo();
    report.target = Target {
        url: "wss://example.org/\x1b[2J?token=0123456789012345678901234567890123456789012345678901234567890"
            .into(),
        tls: Some("TLSv1.3 TLS13_AES_128_GCM_SHA256".into()),
        extension: Some("permessage-deflate; client_no_context_takeover".into()),
        subprotocol: Some("chat\u{202e}v2".into()),
    };
    report.load.rate = Some(200_000.0);
    report.load.threads = 2;
    report.cut_short = Some("interrupted".into());
    report.connections.failed = 12;
    report.connections.tls = Some(times(100, 810_000));
    report.service = Some(times(1_842_200, 388_000));
    report.faults = Faults { lost: 93, duplicated: 0, reordered: 7, corrupted: 1 };
    report.closes = BTreeMap::from([(1001, 3), (1006, 12)]);
    report.errors = BTreeMap::from([
        ("connection refused".into(), 12),
        ("\x1b]0;owned\x07 reset\r\nby peer".into(), 1204),
        ("x".repeat(300), 1),
    ]);
    report.generator.busiest = 0.97;
    report.server = None;
    report
}

/// Nothing came about.
pub(crate) fn empty() -> Report {
    let mut report = echo();
    report.elapsed_s = 0.0;
    report.connections = Connections { failed: 100, ..Connections::default() };
    (report.sent, report.received) = (Flow::default(), Flow::default());
    (report.latency, report.server) = (None, None);
    report.series.clear();
    report.errors = BTreeMap::new();
    report.generator =
        Generator { user_s: 0.0, system_s: 0.0, busy: 0.0, busiest: 0.0, cpu_per_message_ns: None };
    report
}

/// One publisher, a thousand deliveries of each message.
pub(crate) fn broadcast() -> Report {
    let mut report = echo();
    report.load = Load { mode: Mode::Broadcast, connections: 1001, rate: Some(50.0), ..report.load };
    report.connections = Connections { opened: 1001, peak: 1001, ..report.connections };
    (report.sent, report.received) =
        (Flow { messages: 500, bytes: 62_500 }, Flow { messages: 500_000, bytes: 62_500_000 });
    report.latency = Some(times(500_000, 2_100_000));
    report
}

/// A storm of handshakes, over TLS.
pub(crate) fn connect() -> Report {
    let mut report = echo();
    report.load = Load { mode: Mode::Connect, ..report.load };
    report.connections.opened = 64_210;
    report.connections.tls = Some(times(64_210, 810_000));
    report.connections.total = Some(times(64_210, 931_000));
    (report.sent, report.received, report.latency) = (Flow::default(), Flow::default(), None);
    report.closes.insert(1006, 3);
    report
}

/// Connections that are held.
pub(crate) fn idle() -> Report {
    let mut report = echo();
    report.load = Load { mode: Mode::Idle, connections: 15_000, warm_up_s: 0.0, ..report.load };
    report.connections = Connections { opened: 15_000, peak: 15_000, ramp_s: 2.71, ..report.connections };
    (report.sent, report.received, report.latency) = (Flow::default(), Flow::default(), None);
    if let Some(server) = &mut report.server {
        server.cpu_per_message_ns = None;
        (server.user_s, server.system_s) = (0.01, 0.02);
        server.resident_after = 18_700_000;
    }
    (report.generator.user_s, report.generator.system_s) = (0.02, 0.01);
    report.generator.cpu_per_message_ns = None;
    report.generator.busiest = 0.003;
    report
}

/// The greatest figures that a file can hold.
pub(crate) fn extreme() -> Report {
    let mut report = troubled();
    let most = Distribution {
        count: u64::MAX,
        min_ns: u64::MAX,
        mean_ns: f64::MAX,
        deviation_ns: f64::MAX,
        max_ns: u64::MAX,
        p50_ns: u64::MAX,
        p75_ns: u64::MAX,
        p90_ns: u64::MAX,
        p99_ns: u64::MAX,
        p999_ns: u64::MAX,
        p9999_ns: u64::MAX,
        curve: vec![(f64::MAX, u64::MAX)],
        buckets: vec![(0, u64::MAX), (u64::MAX, u64::MAX)],
    };
    let long = "🦀\u{1b}]".repeat(500);
    report.started.clone_from(&long);
    report.tidewire.clone_from(&long);
    report.cut_short = Some(long.clone());
    report.machine = Machine { processor: long.clone(), cores: usize::MAX, system: long.clone() };
    report.target = Target {
        url: long.clone(),
        tls: Some(long.clone()),
        extension: Some(long.clone()),
        subprotocol: Some(long.clone()),
    };
    report.load.rate = Some(f64::MAX);
    report.load.payload = Payload { kind: long.clone(), bytes: f64::MAX, file: Some(long.clone()) };
    report.load.connections = usize::MAX;
    (report.load.duration_s, report.load.count) = (Some(f64::MAX), Some(u64::MAX));
    report.elapsed_s = 1e-300;
    report.connections = Connections {
        opened: u64::MAX,
        failed: u64::MAX,
        peak: 0,
        ramp_s: f64::MAX,
        dial: Some(most.clone()),
        tls: Some(most.clone()),
        upgrade: Some(most.clone()),
        total: Some(most.clone()),
    };
    let flow = Flow { messages: u64::MAX, bytes: u64::MAX };
    (report.sent, report.received) = (flow, flow);
    (report.latency, report.service) = (Some(most.clone()), Some(most));
    report.faults = Faults { lost: u64::MAX, duplicated: u64::MAX, reordered: u64::MAX, corrupted: u64::MAX };
    report.closes = (1000..1020).map(|code| (code, u64::MAX)).collect();
    report.errors = (0..20).map(|kind| (format!("{kind}{long}"), u64::MAX)).collect();
    report.generator = Generator {
        user_s: f64::MAX,
        system_s: f64::MAX,
        busy: f64::MAX,
        busiest: f64::MAX,
        cpu_per_message_ns: Some(f64::MAX),
    };
    report.server = Some(ServerProcess {
        pid: u32::MAX,
        name: long,
        user_s: f64::MAX,
        system_s: f64::MAX,
        cpu_per_message_ns: Some(f64::MAX),
        resident_before: u64::MAX,
        resident_after: u64::MAX,
        bytes_per_connection: Some(f64::MAX),
    });
    for sample in &mut report.series {
        (sample.sent, sample.received, sample.max_ns) = (u64::MAX, u64::MAX, Some(u64::MAX));
    }
    report
}

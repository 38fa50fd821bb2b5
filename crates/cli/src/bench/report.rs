//! What one run has measured: printed, written as JSON, compared with another.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The `format` of a report as this version writes it; a reader refuses a greater one.
pub(crate) const FORMAT: u32 = 1;

/// One run. Durations are nanoseconds where their name ends in `_ns`, seconds where it ends in `_s`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) format: u32,
    /// The version of the program that wrote it.
    pub(crate) tidewire: String,
    /// When the measured time began (RFC 3339, UTC).
    pub(crate) started: String,
    pub(crate) machine: Machine,
    pub(crate) target: Target,
    pub(crate) load: Load,
    /// The measured time, without warm-up and ramp.
    pub(crate) elapsed_s: f64,
    /// Why it ended before its time or count, such as `interrupted`.
    pub(crate) cut_short: Option<String>,
    pub(crate) connections: Connections,
    pub(crate) sent: Flow,
    pub(crate) received: Flow,
    /// Echo: the round trip. Broadcast: from publishing to each receiver. With a rate, from the intended time; then, in
    /// connect mode, to the open connection; what the connections took no more of by the end counts with the time that it
    /// had waited, and among `errors`. Idle: of this end's pings.
    pub(crate) latency: Option<Distribution>,
    /// Echo with a rate: from the time it was really sent.
    pub(crate) service: Option<Distribution>,
    pub(crate) faults: Faults,
    /// Connections that the server ended, by close code (`1006` where no close frame came).
    pub(crate) closes: BTreeMap<u16, u64>,
    /// Everything else that went wrong, by kind, such as `connection refused`.
    pub(crate) errors: BTreeMap<String, u64>,
    pub(crate) generator: Generator,
    pub(crate) server: Option<ServerProcess>,
    /// About one a second, oldest first.
    pub(crate) series: Vec<Sample>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    /// Such as `linux 6.18.5 x86_64`.
    pub(crate) system: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) url: String,
    /// Such as `TLSv1.3 TLS13_AES_128_GCM_SHA256`.
    pub(crate) tls: Option<String>,
    /// The extension as the server agreed to it.
    pub(crate) extension: Option<String>,
    pub(crate) subprotocol: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Round trips.
    Echo,
    /// From one publisher to all others.
    Broadcast,
    /// One opening handshake after the other.
    Connect,
    /// Connections that are held.
    Idle,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    pub(crate) mode: Mode,
    pub(crate) connections: usize,
    /// Messages of a connection that are on their way at a time (closed loop).
    pub(crate) depth: usize,
    /// Messages per second over all connections (open loop); in connect mode handshakes per second.
    pub(crate) rate: Option<f64>,
    pub(crate) payload: Payload,
    pub(crate) duration_s: Option<f64>,
    pub(crate) count: Option<u64>,
    pub(crate) warm_up_s: f64,
    pub(crate) threads: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Payload {
    /// `text` or `binary`.
    pub(crate) kind: String,
    /// Bytes of a message; the mean where they come from a file of several.
    pub(crate) bytes: f64,
    /// The file they come from.
    pub(crate) file: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Connections {
    pub(crate) opened: u64,
    pub(crate) failed: u64,
    /// Most at a time.
    pub(crate) peak: u64,
    /// From the first to the last opened.
    pub(crate) ramp_s: f64,
    pub(crate) dial: Option<Distribution>,
    pub(crate) tls: Option<Distribution>,
    pub(crate) upgrade: Option<Distribution>,
    pub(crate) total: Option<Distribution>,
}

/// Whole messages and their payload bytes, in the measured time. In idle mode the server's pings count as received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flow {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

/// Messages that did not come back as they were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Faults {
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupted: u64,
}

/// Times, in nanoseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Distribution {
    pub(crate) count: u64,
    pub(crate) min_ns: u64,
    pub(crate) mean_ns: f64,
    pub(crate) deviation_ns: f64,
    pub(crate) max_ns: u64,
    pub(crate) p50_ns: u64,
    pub(crate) p75_ns: u64,
    pub(crate) p90_ns: u64,
    pub(crate) p99_ns: u64,
    pub(crate) p999_ns: u64,
    pub(crate) p9999_ns: u64,
    /// The whole curve: (share of all values at or below, value), both rising.
    pub(crate) curve: Vec<(f64, u64)>,
    /// Values by magnitude for a histogram: (upper end of the bucket, count), rising.
    pub(crate) buckets: Vec<(u64, u64)>,
}

/// What generating the load cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Generator {
    pub(crate) user_s: f64,
    pub(crate) system_s: f64,
    /// Used share of the time that its threads had, 0 to 1.
    pub(crate) busy: f64,
    /// The busiest thread's share: above 0.9 the generator may be what limits.
    pub(crate) busiest: f64,
    pub(crate) cpu_per_message_ns: Option<f64>,
}

/// What the server's process (`--pid`) used in the measured time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServerProcess {
    pub(crate) pid: u32,
    pub(crate) name: String,
    pub(crate) user_s: f64,
    pub(crate) system_s: f64,
    /// Per message that came back; in connect mode per handshake.
    pub(crate) cpu_per_message_ns: Option<f64>,
    /// Resident bytes before the first connection, and at the end of the measured time.
    pub(crate) resident_before: u64,
    pub(crate) resident_after: u64,
    pub(crate) bytes_per_connection: Option<f64>,
}

/// A second of the run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Since the measured time began.
    pub(crate) at_s: f64,
    pub(crate) connections: u64,
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) p50_ns: Option<u64>,
    pub(crate) p99_ns: Option<u64>,
    pub(crate) max_ns: Option<u64>,
}

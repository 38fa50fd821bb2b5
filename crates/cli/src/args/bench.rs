//! `tidewire bench`.

use super::opening::OpeningArgs;
use super::values;
use crate::bench::report::Mode;
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  tidewire bench -c 64 :9876
      Round trips on 64 connections, one message in flight on each
  tidewire bench -c 64 --depth 16 --size 1k ws://127.0.0.1:9876
      Sixteen in flight on each: throughput
  tidewire bench -c 200 --rate 20000 wss://example.org/echo
      20,000 messages a second, whether the server keeps up or not; latency from the intended time
  tidewire bench --mode broadcast -c 1000 --rate 50 ws://127.0.0.1:9000/room
      One connection publishes, all others receive
  tidewire bench --mode connect -c 32 --duration 30s ws://127.0.0.1:9876
      One opening handshake after the other
  tidewire bench --mode idle -c 20000 --source 127.1.0.1-5 --pid $(pidof server) ws://127.0.0.1:9876
      Held connections, and the memory that each costs
  tidewire bench -c 64 tcp://127.0.0.1:7777
      The same bytes against a bare TCP echo: the limit";

/// Measure a WebSocket server: round trips, broadcast, handshakes, idle connections
///
/// Every reply is checked: its length, its content, its order. With --rate latency counts from the time at which a
/// message was meant to be sent, so that a server that stalls can't hide what it delayed.
#[derive(Args, Clone, Debug)]
#[command(after_help = EXAMPLES)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct BenchArgs {
    /// As for connect, or tcp://HOST:PORT: a bare TCP echo, with the bytes that a WebSocket client would send
    #[arg(value_name = "URL")]
    pub(crate) url: String,

    /// What is measured
    #[arg(long, value_name = "MODE", value_enum, default_value = "echo", help_heading = "Load")]
    pub(crate) mode: Mode,

    /// Connections; with --mode connect, handshakes at a time
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=999_999), help_heading = "Load")]
    pub(crate) connections: u32,

    /// Messages in flight on each connection; those that can leave together do, in one write
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = "Load")]
    pub(crate) depth: u32,

    /// Messages per second over all connections (handshakes with --mode connect), sent when they are due
    #[arg(long, value_name = "PER-SECOND", value_parser = rate, conflicts_with = "depth", help_heading = "Load")]
    pub(crate) rate: Option<f64>,

    /// Connections that publish, with --mode broadcast; all others receive
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1024), help_heading = "Load")]
    pub(crate) publishers: u32,

    /// How long to measure [default: 10s]
    #[arg(short, long, value_name = "TIME", value_parser = values::limit, help_heading = "Load")]
    pub(crate) duration: Option<Duration>,

    /// Measure this many messages (handshakes) instead
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Load")]
    pub(crate) count: Option<u64>,

    /// Time under load before measuring begins [default: 1s; 0 with --count and in idle mode]
    #[arg(long, value_name = "TIME", value_parser = values::duration, help_heading = "Load")]
    pub(crate) warm_up: Option<Duration>,

    /// Spread the opening of connections over this time; by default as fast as it goes
    #[arg(long, value_name = "TIME", default_value = "0", hide_default_value = true, value_parser = values::duration, help_heading = "Load")]
    pub(crate) ramp: Duration,

    /// Ping the server this often, and measure its pongs
    #[arg(long, value_name = "TIME", value_parser = values::limit, help_heading = "Load")]
    pub(crate) ping_interval: Option<Duration>,

    /// Bytes of a message; from 16 on each carries a number
    #[arg(short, long, value_name = "SIZE", default_value = "125", value_parser = values::size, help_heading = "Messages")]
    pub(crate) size: usize,

    /// What messages are made of
    #[arg(long, value_name = "WHAT", value_enum, default_value = "ascii", help_heading = "Messages")]
    pub(crate) payload: Characters,

    /// Send the content of this file
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["size", "payload"], help_heading = "Messages")]
    pub(crate) file: Option<PathBuf>,

    /// Each line of the file is a message
    #[arg(long, requires = "file", help_heading = "Messages")]
    pub(crate) lines: bool,

    /// Send text (default)
    #[arg(long, help_heading = "Messages")]
    pub(crate) text: bool,

    /// Send binary messages
    #[arg(short, long, conflicts_with_all = ["text", "payload"], help_heading = "Messages")]
    pub(crate) binary: bool,

    /// Offer compression (permessage-deflate)
    #[arg(long, help_heading = "Messages")]
    pub(crate) deflate: bool,

    /// Connect from these addresses of this machine in turn: 127.0.0.1,127.0.0.2 or 127.1.0.1-20. Each has about 28,000 ports
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', help_heading = "This end")]
    pub(crate) source: Vec<String>,

    /// Threads that generate load; by default one for each core that this process may use
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024), help_heading = "This end")]
    pub(crate) threads: Option<u16>,

    /// The server's process on this machine: its processor time per message, its memory per connection (Linux)
    #[arg(long, value_name = "PID", help_heading = "This end")]
    pub(crate) pid: Option<u32>,

    #[command(flatten)]
    pub(crate) opening: OpeningArgs,

    /// Write the report as JSON to stdout
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

/// What generated messages are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Characters {
    /// Letters and digits
    #[default]
    Ascii,
    /// Text of characters with one to four bytes
    Utf8,
    /// JSON objects that differ a little
    Json,
}

fn rate(text: &str) -> Result<f64, String> {
    let (number, factor) = match text.strip_suffix(['k', 'K']) {
        Some(number) => (number, 1e3),
        None => (
            text.strip_suffix(['m', 'M']).unwrap_or(text),
            if text.ends_with(['m', 'M']) { 1e6 } else { 1.0 },
        ),
    };
    let number = number.parse().map(|number: f64| number * factor);
    number
        .ok()
        .filter(|rate| *rate > 0.0 && *rate <= 1e9)
        .ok_or_else(|| "expected a number per second such as 0.5, 20000 or 20k".into())
}

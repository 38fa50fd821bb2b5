//! `tidewire serve`.

use super::values::{self, Optional};
use crate::ui::style::ColorChoice;
use clap::{Args, ValueEnum};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Serve WebSocket connections: echo, with a console page at /
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  tidewire serve
      Echo on 127.0.0.1:9876, and a page to try it at http://127.0.0.1:9876/
  tidewire serve --address 0.0.0.0 --port 80 --static web/
      Your own pages beside it, for every machine that can reach this one
  tidewire serve --tls-cert cert.pem --tls-key key.pem --port 9443
      https and wss
  tidewire serve --origin https://app.example.org
      Let in pages of another site")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct ServeArgs {
    /// The address to listen on; 0.0.0.0 or :: for every one of this machine
    #[arg(short, long, value_name = "IP", default_value = "127.0.0.1", help_heading = "Listening")]
    pub(crate) address: IpAddr,

    /// The port to listen on; 0 for any free one
    #[arg(short, long, value_name = "PORT", default_value_t = 9876, help_heading = "Listening")]
    pub(crate) port: u16,

    /// Listen on a Unix socket instead
    #[arg(long, value_name = "PATH", conflicts_with_all = ["address", "port", "reuse_port"], help_heading = "Listening")]
    pub(crate) unix: Option<PathBuf>,

    /// Let several processes listen on this port (SO_REUSEPORT)
    #[arg(long, help_heading = "Listening")]
    pub(crate) reuse_port: bool,

    /// Worker threads; by default one for each core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Listening")]
    pub(crate) workers: Option<u16>,

    /// Connections at one time; more are answered with 503
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "Listening")]
    pub(crate) max_connections: Option<u32>,

    /// Certificate chain, PEM; with --tls-key, serves https and wss
    #[arg(long, value_name = "FILE", requires = "tls_key", help_heading = "TLS")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert", help_heading = "TLS")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Serve the files of this directory to plain requests; those whose name begins with a dot (.well-known excepted) and links that lead out of it are left out
    #[arg(long = "static", value_name = "DIR", help_heading = "Pages")]
    pub(crate) static_dir: Option<PathBuf>,

    /// Leave the console page out
    #[arg(long, help_heading = "Pages")]
    pub(crate) no_console: bool,

    /// Let in pages of this origin, such as https://app.example.org; * for any. Repeatable
    ///
    /// Pages of the same host (on any port) and requests without Origin are always let in.
    #[arg(long = "origin", value_name = "ORIGIN", help_heading = "Pages")]
    pub(crate) origins: Vec<String>,

    /// A subprotocol to accept, the preferred one first. Repeatable
    #[arg(long = "subprotocol", visible_alias = "protocol", value_name = "NAME", value_parser = values::subprotocol, help_heading = "Protocol")]
    pub(crate) subprotocols: Vec<String>,

    /// Compression (permessage-deflate, RFC 7692)
    #[arg(long, value_name = "MODE", value_enum, default_value_t, help_heading = "Protocol")]
    pub(crate) deflate: DeflateMode,

    /// No compression: --deflate off
    #[arg(long, conflicts_with = "deflate", help_heading = "Protocol")]
    pub(crate) no_deflate: bool,

    /// The largest message taken, also after inflating; above it the connection is closed with 1009
    #[arg(long, value_name = "SIZE", default_value = "16MiB", value_parser = values::message_size, help_heading = "Protocol")]
    pub(crate) max_message: usize,

    /// Ask a silent peer for a sign of life this often, or off
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = values::time_or_off, help_heading = "Times")]
    pub(crate) ping_interval: Optional,

    /// How long an answer to a ping may take
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = values::limit, help_heading = "Times")]
    pub(crate) ping_timeout: Duration,

    /// Close a connection that carried no message for this long, or off
    #[arg(long, value_name = "TIME", default_value = "off", value_parser = values::time_or_off, help_heading = "Times")]
    pub(crate) idle_timeout: Optional,

    /// How long a peer may take to answer a close
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = values::limit, help_heading = "Times")]
    pub(crate) close_timeout: Duration,

    /// How long a client may take over its request
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::limit, help_heading = "Times")]
    pub(crate) handshake_timeout: Duration,

    /// How the access log is written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Log")]
    pub(crate) log_format: LogFormat,

    /// What is logged
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t, help_heading = "Log")]
    pub(crate) log_level: LogLevel,

    /// Only errors: --log-level error
    #[arg(short, long, conflicts_with = "log_level", help_heading = "Log")]
    pub(crate) quiet: bool,

    /// When to colour
    #[arg(long, value_name = "WHEN", value_enum, default_value_t, help_heading = "Log")]
    pub(crate) color: ColorChoice,
}

/// How much memory compression may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DeflateMode {
    /// No compression
    Off,
    /// Compressors shared by all connections, no context takeover: no memory per connection
    #[default]
    Shared,
    /// One compressor per connection with context takeover, within a memory budget
    Dedicated,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people
    #[default]
    Human,
    /// A JSON object a line
    Json,
}

/// What is logged; each level includes those above it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum LogLevel {
    /// Nothing
    Off,
    /// What stops the server or a connection by its fault
    Error,
    /// Refused requests, with the option that would let them in
    Warn,
    /// A line when a connection opens and one when it closes
    #[default]
    Info,
    /// Each message
    Debug,
}

impl ServeArgs {
    /// The mode of compression, from both options.
    pub(crate) const fn deflate_mode(&self) -> DeflateMode {
        if self.no_deflate { DeflateMode::Off } else { self.deflate }
    }

    /// What to log, from both options.
    pub(crate) const fn level(&self) -> LogLevel {
        if self.quiet { LogLevel::Error } else { self.log_level }
    }
}

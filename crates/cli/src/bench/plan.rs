//! The command line's options, and what they come to together.

use super::failure::Failure;
use super::payload::{NUMBERED, Payloads};
use super::report::{Load, Mode, Payload};
use super::sources;
use crate::args::BenchArgs;
use crate::connect::url::{self, target};
use crate::connect::{network, plan as connecting};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;
use tidewire::dial::Target;
use tidewire::proto::deflate::DeflateConfig;
use tidewire::{Client, Kind};

const DURATION: Duration = Duration::from_secs(10);
const WARM_UP: Duration = Duration::from_secs(1);

/// All that a run needs to know.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// As it is told of, without credentials.
    pub(crate) url: String,
    pub(crate) server: Server,
    pub(crate) mode: Mode,
    pub(crate) connections: usize,
    pub(crate) publishers: usize,
    pub(crate) depth: u32,
    /// Per second, over all connections.
    pub(crate) rate: Option<f64>,
    /// `None` where a count ends the run.
    pub(crate) duration: Option<Duration>,
    pub(crate) count: Option<u64>,
    pub(crate) warm_up: Duration,
    pub(crate) ramp: Duration,
    pub(crate) payloads: Arc<Payloads>,
    pub(crate) threads: usize,
    pub(crate) pid: Option<u32>,
    pub(crate) sources: Vec<IpAddr>,
    /// The file that messages come from.
    pub(crate) file: Option<String>,
}

/// What is measured.
#[derive(Clone, Debug)]
pub(crate) enum Server {
    /// Clients with one source address each, to be used in turn.
    WebSocket { clients: Vec<Client>, url: String, unix: bool },
    /// A bare TCP echo.
    Bare { address: SocketAddr, sources: Vec<IpAddr> },
}

impl Plan {
    /// # Errors
    /// One sentence: what can't be used.
    pub(crate) fn new(args: &BenchArgs) -> Result<Self, Failure> {
        let payloads = payloads(args).map_err(Failure::usage)?;
        let sources = sources::parse(&args.source).map_err(Failure::usage)?;
        let (server, told) = server(args, &payloads, &sources).map_err(Failure::usage)?;
        let connections = args.connections as usize;
        let publishers = if args.mode == Mode::Broadcast { args.publishers as usize } else { 0 };
        if publishers >= connections && args.mode == Mode::Broadcast {
            return Err(Failure::usage(format!(
                "with {publishers} publishing nobody is left to receive: --connections has to be more than --publishers"
            )));
        }
        if args.mode == Mode::Broadcast && !payloads.is_numbered() {
            return Err(Failure::usage(format!(
                "a broadcast is recognised by its number: --size has to be {NUMBERED} or more, without --file"
            )));
        }
        if matches!(server, Server::Bare { .. }) && args.mode != Mode::Echo {
            return Err(Failure::usage("a bare TCP server can only echo: tcp:// goes with --mode echo"));
        }
        if args.count.is_some() && args.mode == Mode::Idle {
            return Err(Failure::usage("idle connections send no messages to --count: give a --duration"));
        }
        let available = std::thread::available_parallelism().map_or(1, usize::from);
        let warm_up = args.warm_up.unwrap_or(match args.mode {
            Mode::Idle => Duration::ZERO,
            _ if args.count.is_some() => Duration::ZERO,
            _ => WARM_UP,
        });
        Ok(Self {
            url: told,
            server,
            mode: args.mode,
            connections,
            publishers,
            depth: args.depth,
            rate: args.rate,
            duration: args.count.is_none().then(|| args.duration.unwrap_or(DURATION)),
            count: args.count,
            warm_up,
            ramp: args.ramp,
            payloads: Arc::new(payloads),
            threads: args.threads.map_or(available, usize::from).min(connections),
            pid: args.pid,
            sources,
            file: args.file.as_ref().map(|path| path.display().to_string()),
        })
    }

    /// Whether a warm-up comes before a count: what is sent in it is then left out to the message.
    pub(crate) const fn is_count_warmed_up(&self) -> bool {
        self.count.is_some() && !self.warm_up.is_zero()
    }

    /// Connections that send.
    pub(crate) const fn senders(&self) -> usize {
        match self.mode {
            Mode::Broadcast => self.publishers,
            _ => self.connections,
        }
    }

    /// For the report.
    pub(crate) fn load(&self) -> Load {
        Load {
            mode: self.mode,
            connections: self.connections,
            depth: self.depth as usize,
            rate: self.rate,
            payload: Payload {
                kind: if self.payloads.kind() == Kind::Text { "text" } else { "binary" }.into(),
                bytes: self.payloads.mean(),
                file: self.file.clone(),
            },
            duration_s: self.duration.map(|time| time.as_secs_f64()),
            count: self.count,
            warm_up_s: self.warm_up.as_secs_f64(),
            threads: self.threads,
        }
    }
}

fn payloads(args: &BenchArgs) -> Result<Payloads, String> {
    let kind = if args.binary { Kind::Binary } else { Kind::Text };
    match &args.file {
        Some(path) => Payloads::of_file(path, kind, args.lines),
        None => Ok(Payloads::generated(kind, args.payload, args.size)),
    }
}

fn server(args: &BenchArgs, payloads: &Payloads, sources: &[IpAddr]) -> Result<(Server, String), String> {
    // The command line has one unless it compares.
    let url = args.url.as_deref().unwrap_or_default();
    if let Some(address) = url.strip_prefix("tcp://") {
        let address = address.trim_end_matches('/');
        let mut found = address.to_socket_addrs().map_err(|error| format!("tcp://{address}: {error}"))?;
        let address = found.next().ok_or_else(|| format!("tcp://{address} has no address"))?;
        return Ok((Server::Bare { address, sources: sources.to_vec() }, url.to_owned()));
    }
    let url::Target { url, credentials, socket } = target(url)?;
    let (given, headers) = connecting::secrets(&args.opening)?;
    let credentials = given.or(credentials);
    let largest = payloads.largest().max(16 << 20);
    let deflate = if args.deflate { DeflateConfig::default() } else { DeflateConfig::disabled() };
    let unix = socket.is_some();
    let client = network::client(&args.opening, &headers, credentials.as_ref())?
        .max_message(largest)
        .ping_interval(args.ping_interval)
        .deflate(deflate)
        .target(socket.map(Target::Unix));
    let clients = match sources {
        [] => vec![client],
        sources => sources.iter().map(|source| client.clone().local_address(*source)).collect(),
    };
    Ok((Server::WebSocket { clients, url: url.clone(), unix }, url))
}

//! `tidewire serve`: echo, with the console page.

mod banner;
mod echo;
mod files;
mod inspect;
mod lines;
mod log;
pub(crate) mod page;
mod pages;

use crate::{
    FAILURE, SUCCESS,
    args::{DeflateMode, ServeArgs},
    ui::{self, style::Palette},
};
use banner::Banner;
use echo::Echo;
use inspect::Inspections;
use log::AccessLog;
use pages::Pages;
use std::{
    io::{self, IsTerminal as _},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};
use tidewire::{
    Listener, Request, Server, Verdict,
    proto::{deflate::DeflateConfig, handshake::OriginPolicy},
};

/// How long connections may take to close on Ctrl-C.
const GRACE: Duration = Duration::from_secs(5);

/// Runs `tidewire serve`.
pub(crate) fn run(args: &ServeArgs) -> u8 {
    raise_descriptor_limit();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("the system gives no event loop: {error}")),
    };
    match runtime.block_on(serve(args)) {
        Ok(()) => SUCCESS,
        Err(text) => fail(&text),
    }
}

fn fail(text: &str) -> u8 {
    ui::error(text);
    FAILURE
}

async fn serve(args: &ServeArgs) -> Result<(), String> {
    let origins = origins(args)?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => {
            let (certificate, key) = (certificate.as_path(), key.as_path());
            Some(tidewire::tls::server_config(certificate, key).map_err(|error| error.to_string())?)
        }
        _ => None,
    };
    let listener = listen(args).await?;
    let inspections = Arc::new(Inspections::default());
    let pages = Pages::new(args, Arc::clone(&inspections))?;
    let banner = Banner::new(&listener, tls.is_some(), args);
    let palette = Palette::new(args.color.enabled(io::stdout().is_terminal()));
    let log = AccessLog::new(args.log_format, args.level(), palette)
        .map_err(|error| format!("the log can't be written: {error}"))?;
    let mut server = Server::on(listener)
        .config(|config| configure(args, config))
        .origins(origins)
        .handshake_timeout(args.handshake_timeout)
        .on_request(choose_subprotocol(args.subprotocols.clone()))
        .observe(log.clone())
        .fallback(pages);
    if let Some(tls) = tls {
        server = server.tls(tls);
    }
    if let Some(count) = args.workers {
        server = server.workers(count.into());
    }
    if let Some(count) = args.max_connections {
        server = server.max_connections(count as usize);
    }
    let handle = server.stop_handle();
    // Before the banner: who reads it may stop the server at once.
    let mut signals = StopSignals::listen().map_err(|error| format!("signals can't be heard: {error}"))?;
    tokio::spawn(async move {
        if signals.next().await.is_ok() {
            handle.stop(GRACE);
        }
        if signals.next().await.is_ok() {
            std::process::exit(130);
        }
    });
    banner.print(&log);
    let access = log.clone();
    let run = server.handle(move |opened| Echo::new(inspections.begin(opened), access.opened(opened))).await;
    log.stopped();
    run.map_err(|error| format!("the server can't run: {error}"))
}

fn configure(args: &ServeArgs, config: &mut tidewire::config::Config) {
    config.limits.message = args.max_message;
    config.limits.frame = args.max_message;
    config.timing.ping_interval = args.ping_interval.0;
    config.timing.pong_timeout = args.ping_timeout;
    config.timing.idle_timeout = args.idle_timeout.0;
    config.timing.close_timeout = args.close_timeout;
    config.deflate = match args.deflate_mode() {
        DeflateMode::Off => DeflateConfig::disabled(),
        DeflateMode::Shared => DeflateConfig::default(),
        DeflateMode::Dedicated => DeflateConfig {
            server_no_context_takeover: false,
            client_no_context_takeover: false,
            ..DeflateConfig::default()
        },
    };
}

fn origins(args: &ServeArgs) -> Result<OriginPolicy, String> {
    args.origins
        .iter()
        .try_fold(OriginPolicy::default(), |policy, entry| policy.allow(entry))
        .map_err(|error| format!("--origin: {error}"))
}

fn choose_subprotocol(ours: Vec<String>) -> impl Fn(&Request) -> Verdict + Send + Sync {
    move |request| match ours.iter().find(|name| request.subprotocols().contains(name)) {
        Some(name) => Verdict::accept().subprotocol(name),
        None => Verdict::accept(),
    }
}

async fn listen(args: &ServeArgs) -> Result<Listener, String> {
    #[cfg(unix)]
    if let Some(path) = &args.unix {
        return Listener::unix(path).map_err(|error| {
            let path = path.display();
            match error.kind() {
                io::ErrorKind::AddrInUse => format!(
                    "{path} is in use, or is a file that is no socket: choose another path, or remove it if nothing listens there"
                ),
                io::ErrorKind::PermissionDenied => {
                    format!("{path} can't be made: you may not write in its folder")
                }
                io::ErrorKind::NotFound => format!("{path} can't be made: its folder does not exist"),
                _ => format!("{path} can't be listened on: {error}"),
            }
        });
    }
    let address = SocketAddr::new(args.address, args.port);
    let listening =
        if args.reuse_port { Listener::tcp_reuse_port(address).await } else { Listener::tcp(address).await };
    listening.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse if args.reuse_port => format!(
            "port {} of {} is in use by a program that does not share it: start that one with --reuse-port too (as the same user), or choose another port",
            args.port, args.address
        ),
        io::ErrorKind::AddrInUse => format!(
            "port {} of {} is in use by another program: stop that, or choose another with --port (0 for any free one)",
            args.port, args.address
        ),
        io::ErrorKind::PermissionDenied => format!(
            "port {} may not be listened on: ports below 1024 need root or CAP_NET_BIND_SERVICE; choose one above with --port",
            args.port
        ),
        io::ErrorKind::AddrNotAvailable => format!(
            "{} is no address of this machine: give one that is with --address, or 0.0.0.0 for all",
            args.address
        ),
        _ => format!("{address} can't be listened on: {error}"),
    })
}

/// Ctrl-C, and SIGTERM where there is such a thing.
#[cfg(unix)]
struct StopSignals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl StopSignals {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> io::Result<()> {
        tokio::select! {
            _ = self.interrupt.recv() => Ok(()),
            _ = self.terminate.recv() => Ok(()),
        }
    }
}

/// Ctrl-C.
#[cfg(windows)]
struct StopSignals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl StopSignals {
    fn listen() -> io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) -> io::Result<()> {
        self.0.recv().await.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// Each connection takes a descriptor; many systems start a process with 1024 though it may have more.
fn raise_descriptor_limit() {
    #[cfg(unix)]
    {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
            && soft < hard
        {
            // Where the system refuses, the server runs with what it has.
            let _refused = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
        }
    }
}

//! The opening handshake on a stream.

use super::{
    Shared,
    launch::Launch,
    listen::{Accepted, Arrival, Peer, Registered},
    observe::Refused,
    request::{Opened, Request, Verdict},
    task::{Life, Place},
};
use crate::{clock, outcome::panicked};
use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};
use tidewire_proto::{
    Connection, Role,
    config::Config,
    deflate::{Compressor, DeflateConfig, Window},
    handshake::{self, Choice, HeadScanner, Refusal, RequestHead, RequestView, Switching},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What a head is read into at first; most fit.
const FIRST: usize = 1024;

/// How long a refused peer may take to read why.
const LINGER: Duration = Duration::from_secs(1);

/// Carries a connection from its first byte to a running driver, or to its end.
pub(crate) async fn serve<L: Launch>(
    socket: Registered,
    shared: Arc<Shared<L>>,
    place: Place,
) -> Option<Life> {
    match socket {
        Registered::Tcp(stream, peer) => {
            let arrival = Arrival::tcp(&stream, peer);
            #[cfg(feature = "tls")]
            if let Some(tls) = shared.tls.clone() {
                return serve_tls(stream, tls, arrival, shared, place).await;
            }
            serve_stream(stream, arrival, shared, place).await
        }
        #[cfg(unix)]
        Registered::Unix(stream) => serve_stream(stream, Arrival::unix(), shared, place).await,
    }
}

#[cfg(feature = "tls")]
async fn serve_tls<L: Launch>(
    stream: tokio::net::TcpStream,
    tls: Arc<rustls::ServerConfig>,
    arrival: Arrival,
    shared: Arc<Shared<L>>,
    place: Place,
) -> Option<Life> {
    match tokio::time::timeout(shared.handshake_timeout, crate::tls::accept(tls, stream)).await {
        Ok(Ok(stream)) => serve_stream(stream, Arrival { tls: true, ..arrival }, shared, place).await,
        Ok(Err(error)) => {
            shared.observer.refused(&Refused { peer: &arrival.peer, status: None, why: &error.to_string() });
            None
        }
        Err(_) => {
            let why = "the TLS handshake took too long";
            shared.observer.refused(&Refused { peer: &arrival.peer, status: None, why });
            None
        }
    }
}

async fn serve_stream<IO, L>(
    mut io: IO,
    arrival: Arrival,
    shared: Arc<Shared<L>>,
    place: Place,
) -> Option<Life>
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    L: Launch,
{
    let mut bytes = Vec::with_capacity(FIRST);
    let head = tokio::select! {
        head = tokio::time::timeout(shared.handshake_timeout, read_head(&mut io, &mut bytes, &shared)) => head,
        () = place.registry().stopping() => return None,
    };
    let late = || Refusal::new(408, "The head of the request took too long.");
    let (head, end) = match head.unwrap_or_else(|_| Err(late())) {
        Ok(found) => found?,
        Err(refusal) => {
            refuse(&mut io, &arrival.peer, &refusal, &shared).await;
            return None;
        }
    };
    if !handshake::is_websocket(head.headers()) {
        super::fallback::serve(io, bytes, arrival, shared, place).await;
        return None;
    }
    match decide(head, &arrival, &shared) {
        Ok((switching, opened)) => {
            let written = async {
                io.write_all(&switching.to_bytes()).await?;
                io.flush().await
            };
            let written = tokio::time::timeout(shared.handshake_timeout, written).await;
            if !written.is_ok_and(|written| written.is_ok()) {
                return None;
            }
            // Nothing of the handshake's memory is carried along.
            let early = bytes[end..].to_vec();
            Some(launch(io, early, opened, &shared, place))
        }
        Err(refusal) => {
            refuse(&mut io, &arrival.peer, &refusal, &shared).await;
            None
        }
    }
}

/// Reads up to the end of a request's head; `None` where the peer left before it sent one.
async fn read_head<IO: AsyncRead + Unpin, L>(
    io: &mut IO,
    bytes: &mut Vec<u8>,
    shared: &Shared<L>,
) -> Result<Option<(RequestHead, usize)>, Refusal> {
    let mut scanner = HeadScanner::new();
    loop {
        match io.read_buf(bytes).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(_) => {}
        }
        if scanner.find(bytes, &shared.head_limits)?.is_some() {
            return Ok(RequestHead::parse(bytes, &shared.head_limits)?);
        }
    }
}

/// Judges a request and asks the application.
pub(super) fn decide<L>(
    head: RequestHead,
    arrival: &Arrival,
    shared: &Shared<L>,
) -> Result<(Switching, Opened), Refusal> {
    let accepted = handshake::check(&RequestView::try_from(&head)?, &shared.policy(arrival))?;
    let offer = accepted.offer.clone();
    let request = Request { head, offer, peer: arrival.peer.clone(), tls: arrival.tls };
    let Verdict(verdict) =
        catch_unwind(AssertUnwindSafe(|| (shared.on_request)(&request))).map_err(|panic| Refusal {
            log: format!("on_request failed: {}", panicked(panic.as_ref())),
            ..unable()
        })?;
    let terms = verdict.map_err(|refusal| *refusal)?;
    let deflate = affordable(&shared.config);
    let choice =
        Choice { subprotocol: terms.subprotocol.as_deref(), deflate: Some(&deflate), headers: terms.headers };
    // The application's mistake: the client is told nothing of it, the log all.
    let switching = accepted.respond(&choice).map_err(|error| Refusal {
        log: format!("on_request answered what can't be sent: {error}"),
        ..unable()
    })?;
    let opened = Opened {
        request,
        subprotocol: switching.agreed.subprotocol.clone(),
        deflate: switching.agreed.deflate,
    };
    Ok((switching, opened))
}

fn unable() -> Refusal {
    Refusal::new(500, "The server can't answer this request.")
}

/// The deflate settings, without context takeover where the budget has no room for it.
fn affordable(config: &Config) -> DeflateConfig {
    let deflate = config.deflate.clone();
    let needed = Window::footprint(15) + Compressor::footprint(15, 9);
    match &config.budget {
        Some(budget) if budget.left() < needed => {
            DeflateConfig { server_no_context_takeover: true, client_no_context_takeover: true, ..deflate }
        }
        _ => deflate,
    }
}

pub(super) fn launch<IO, L>(
    io: IO,
    early: Vec<u8>,
    opened: Opened,
    shared: &Arc<Shared<L>>,
    place: Place,
) -> Life
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    L: Launch,
{
    let connection = Connection::new(Role::Server, Arc::clone(&shared.config), opened.deflate, clock::now());
    shared.launch.launch(io, connection, early, opened, &shared.observer, place)
}

/// Answers, and lets the answer reach the peer: what it still sends is read and thrown away for a while, since a reset
/// would take the answer with it.
async fn refuse<IO, L>(io: &mut IO, peer: &Peer, refusal: &Refusal, shared: &Shared<L>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    report(peer, refusal, shared);
    let answer = async {
        io.write_all(&refusal.to_bytes()).await?;
        io.shutdown().await?;
        let mut thrown_away = [0; 1024];
        while io.read(&mut thrown_away).await? > 0 {}
        io::Result::Ok(())
    };
    // A peer that is gone, or that goes on sending, is not told.
    let _told = tokio::time::timeout(LINGER.min(shared.config.timing.close_timeout), answer).await;
}

pub(super) fn report<L>(peer: &Peer, refusal: &Refusal, shared: &Shared<L>) {
    shared.observer.refused(&Refused { peer, status: Some(refusal.status), why: &refusal.log });
}

/// Answers a request that is no upgrade, where there is no service for it.
pub(super) async fn no_service<IO, L>(mut io: IO, peer: &Peer, shared: &Shared<L>)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    refuse(&mut io, peer, &Refusal::only_websockets(), shared).await;
}

/// Answers a connection above the most that are let in.
pub(super) async fn turn_away<L>(accepted: Accepted, shared: &Shared<L>) {
    let refusal = Refusal::new(503, "The server has as many connections as it takes: try again later.");
    #[cfg(feature = "tls")]
    if shared.tls.is_some() {
        // An answer would cost a handshake first.
        return shared.observer.refused(&Refused { peer: &accepted.peer(), status: None, why: &refusal.log });
    }
    // Those that are turned away hold descriptors too: most are let go without an answer.
    let Ok(_answered) = shared.turned_away.try_acquire() else { return };
    match accepted.register() {
        Ok(Registered::Tcp(mut stream, peer)) => {
            refuse(&mut stream, &Peer::Tcp(peer), &refusal, shared).await;
        }
        #[cfg(unix)]
        Ok(Registered::Unix(mut stream)) => refuse(&mut stream, &Peer::Unix, &refusal, shared).await,
        Err(error) => shared.observer.accept_failed(&error),
    }
}

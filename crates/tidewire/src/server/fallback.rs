//! Requests that are no upgrade.

use super::{Shared, launch::Launch, listen::Peer, opening, task::Place};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(feature = "http")]
pub(crate) use service::Fallback;

/// Answers the request whose first bytes are `bytes`, and those that follow it on the connection.
pub(super) async fn serve<IO, L>(
    io: IO,
    bytes: Vec<u8>,
    peer: Peer,
    tls: bool,
    shared: Arc<Shared<L>>,
    place: Place,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    L: Launch,
{
    #[cfg(feature = "http")]
    if shared.fallback.is_some() {
        return service::serve(io, bytes, peer, tls, shared, place).await;
    }
    let _ = (bytes, tls, place);
    opening::no_service(io, &peer, &shared).await;
}

#[cfg(feature = "http")]
mod service {
    use super::super::{Shared, launch::Launch, listen::Peer, opening, registry::Stage, task::Place};
    use crate::http::{Body, Prefixed, Service, request_head};
    use hyper::{body::Incoming, server::conn::http1, service::service_fn};
    use hyper_util::rt::{TokioIo, TokioTimer};
    use std::{convert::Infallible, fmt, sync::Arc, time::Duration};
    use tidewire_proto::handshake::{self, Refusal, RequestView};
    use tokio::io::{AsyncRead, AsyncWrite};

    /// How long a connection of plain HTTP may wait for its next request's head.
    const IDLE: Duration = Duration::from_secs(30);

    /// A service that answers requests which are no upgrade.
    #[derive(Clone)]
    pub(crate) struct Fallback(Arc<dyn Service>);

    impl Fallback {
        pub(crate) fn new<S, B>(service: S) -> Self
        where
            S: tower_service::Service<http::Request<Body>, Response = http::Response<B>>
                + Clone
                + Send
                + Sync
                + 'static,
            S::Error: fmt::Display,
            S::Future: Send,
            B: http_body::Body<Data = bytes::Bytes> + Send + 'static,
            B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
        {
            Self(Arc::new(crate::http::Tower(service)))
        }
    }

    pub(super) async fn serve<IO, L>(
        io: IO,
        bytes: Vec<u8>,
        peer: Peer,
        tls: bool,
        shared: Arc<Shared<L>>,
        place: Place,
    ) where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        L: Launch,
    {
        let place = Arc::new(place);
        let counted = Arc::clone(&place);
        let service = {
            let shared = Arc::clone(&shared);
            service_fn(move |request| {
                let (shared, peer, place) = (Arc::clone(&shared), peer.clone(), Arc::clone(&counted));
                async move { Ok::<_, Infallible>(answer(request, peer, tls, shared, place).await) }
            })
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .max_headers(shared.head_limits.headers)
            .max_buf_size(shared.head_limits.bytes.max(8192))
            .serve_connection(TokioIo::new(Prefixed::new(bytes, io)), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        // A client that leaves in mid-request is its own affair.
        tokio::select! {
            _ = connection.as_mut() => {}
            () = place.registry().stopping() => {
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    _ = connection => {}
                    () = place.registry().reached(Stage::Ending) => {}
                }
            }
        }
    }

    async fn answer<L: Launch>(
        mut request: hyper::Request<Incoming>,
        peer: Peer,
        tls: bool,
        shared: Arc<Shared<L>>,
        place: Arc<Place>,
    ) -> hyper::Response<Body> {
        if handshake::is_websocket(&crate::http::HeaderMap(request.headers())) {
            let upgrade = hyper::upgrade::on(&mut request);
            let decided = request_head(&request)
                .map_err(Refusal::from)
                .and_then(|head| opening::decide(head, peer.clone(), tls, &shared));
            let (switching, opened) = match decided {
                Ok(decided) => decided,
                Err(refusal) => {
                    opening::report(&peer, &refusal, &shared);
                    return crate::http::refusal(&refusal);
                }
            };
            tokio::spawn(async move {
                if let Ok(upgraded) = upgrade.await {
                    let Some(place) = place.again() else { return };
                    opening::launch(TokioIo::new(upgraded), Vec::new(), opened, &shared, place);
                }
            });
            return crate::http::switching(&switching.headers);
        }
        let view = RequestView {
            method: request.method().as_str(),
            version: handshake::Version::Http11,
            authority: request.uri().authority().map(http::uri::Authority::as_str),
            headers: &crate::http::HeaderMap(request.headers()),
        };
        // DNS rebinding, and pages of other hosts, reach plain HTTP too.
        if let Err(refusal) = handshake::check_origin(&view, &shared.policy) {
            opening::report(&peer, &refusal, &shared);
            return crate::http::refusal(&refusal);
        }
        let Some(Fallback(service)) = &shared.fallback else { return http::Response::default() };
        service.call(request.map(Body::new)).await
    }
}

//! Requests that are no upgrade.

use super::{Shared, launch::Launch, listen::Arrival, opening, task::Place};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

#[cfg(feature = "http")]
pub(crate) use service::Fallback;

/// Answers the request whose first bytes are `bytes`, and those that follow it on the connection.
pub(super) async fn serve<IO, L>(
    io: IO,
    bytes: Vec<u8>,
    arrival: Arrival,
    shared: Arc<Shared<L>>,
    place: Place,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    L: Launch,
{
    #[cfg(feature = "http")]
    if shared.fallback.is_some() {
        return service::serve(io, bytes, arrival, shared, place).await;
    }
    let _ = (bytes, place);
    opening::no_service(io, &arrival.peer, &shared).await;
}

#[cfg(feature = "http")]
mod service {
    use super::super::{Shared, launch::Launch, listen::Arrival, opening, registry::Stage, task::Place};
    use crate::http::{Body, Patient, Prefixed, Service, request_head};
    use hyper::{body::Incoming, server::conn::http1, service::service_fn};
    use hyper_util::rt::{TokioIo, TokioTimer};
    use std::{convert::Infallible, fmt, sync::Arc, time::Duration};
    use tidewire_proto::handshake::{self, Refusal, RequestView};
    use tokio::io::{AsyncRead, AsyncWrite};

    /// How long a peer of plain HTTP may read nothing of its answer.
    const STALLED: Duration = Duration::from_secs(30);

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
        arrival: Arrival,
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
                let (shared, arrival, place) = (Arc::clone(&shared), arrival.clone(), Arc::clone(&counted));
                async move { Ok::<_, Infallible>(answer::<IO, L>(request, arrival, shared, place).await) }
            })
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(shared.handshake_timeout)
            .max_headers(shared.head_limits.headers)
            .max_buf_size(shared.head_limits.bytes.max(8192))
            .serve_connection(TokioIo::new(Patient::new(Prefixed::new(bytes, io), STALLED)), service)
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

    async fn answer<IO, L>(
        mut request: hyper::Request<Incoming>,
        arrival: Arrival,
        shared: Arc<Shared<L>>,
        place: Arc<Place>,
    ) -> hyper::Response<Body>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        L: Launch,
    {
        if handshake::is_websocket(&crate::http::HeaderMap(request.headers())) {
            let upgrade = hyper::upgrade::on(&mut request);
            let decided = request_head(&request)
                .map_err(Refusal::from)
                .and_then(|head| opening::decide(head, &arrival, &shared));
            let (switching, opened) = match decided {
                Ok(decided) => decided,
                Err(refusal) => {
                    opening::report(&arrival.peer, &refusal, &shared);
                    return crate::http::refusal(&refusal);
                }
            };
            tokio::spawn(async move {
                let Ok(upgraded) = upgrade.await else { return };
                let Some(place) = place.again() else { return };
                // The stream as it was, without what HTTP needed around it, and what came behind the request.
                if let Ok(parts) = upgraded.downcast::<TokioIo<Patient<Prefixed<IO>>>>() {
                    let stream = parts.io.into_inner().into_inner().into_inner();
                    opening::launch(stream, parts.read_buf.into(), opened, &shared, place).await;
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
        if let Err(refusal) = handshake::check_origin(&view, &shared.policy(&arrival)) {
            opening::report(&arrival.peer, &refusal, &shared);
            return crate::http::refusal(&refusal);
        }
        let Some(Fallback(service)) = &shared.fallback else { return http::Response::default() };
        service.call(request.map(Body::new)).await
    }
}

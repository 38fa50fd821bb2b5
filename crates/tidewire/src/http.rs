//! Where the library meets HTTP services: bodies, headers, and a stream whose first bytes were read already.

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tidewire_proto::handshake::{HeaderView, Refusal};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a request or response.
pub struct Body(UnsyncBoxBody<Bytes, BoxError>);

impl Body {
    /// A body of another kind, behind one type.
    pub fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self(body.map_err(Into::into).boxed_unsync())
    }
}

impl Default for Body {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Pin::new(&mut self.0).poll_frame(task)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// Headers of the `http` crate, as the handshake's rules look at them.
pub(crate) struct HeaderMap<'a>(pub(crate) &'a ::http::HeaderMap);

impl HeaderView for HeaderMap<'_> {
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0.get_all(name).iter().map(::http::HeaderValue::as_bytes)
    }
}

/// A service that was given to a server, behind one type.
pub(crate) trait Service: Send + Sync {
    fn call(
        &self,
        request: ::http::Request<Body>,
    ) -> Pin<Box<dyn Future<Output = ::http::Response<Body>> + Send + '_>>;
}

/// A tower service.
pub(crate) struct Tower<S>(pub(crate) S);

impl<S, B> Service for Tower<S>
where
    S: tower_service::Service<::http::Request<Body>, Response = ::http::Response<B>> + Clone + Send + Sync,
    S::Error: fmt::Display,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn call(
        &self,
        request: ::http::Request<Body>,
    ) -> Pin<Box<dyn Future<Output = ::http::Response<Body>> + Send + '_>> {
        let mut service = self.0.clone();
        Box::pin(async move {
            if let Err(error) = poll_fn(|task| service.poll_ready(task)).await {
                return failed(&error);
            }
            let result = service.call(request).await;
            match result {
                Ok(response) => response.map(Body::new),
                Err(error) => failed(&error),
            }
        })
    }
}

fn failed(error: &impl fmt::Display) -> ::http::Response<Body> {
    refusal(&Refusal::new(500, format!("The service failed: {error}")))
}

/// A refusal as a response of the `http` crate.
pub(crate) fn refusal(refusal: &Refusal) -> ::http::Response<Body> {
    let mut response = ::http::Response::new(Body::from(refusal.body.clone()));
    *response.status_mut() = ::http::StatusCode::from_u16(refusal.status)
        .ok()
        .filter(|status| !status.is_informational())
        .unwrap_or(::http::StatusCode::INTERNAL_SERVER_ERROR);
    let text = [
        ("content-type", "text/plain; charset=utf-8"),
        ("x-content-type-options", "nosniff"),
        ("connection", "close"),
    ];
    let text = text.into_iter().map(|(name, value)| (name, value.as_bytes()));
    for (name, value) in text.chain(refusal.headers.iter()) {
        append(response.headers_mut(), name, value);
    }
    response
}

/// The 101 as a response of the `http` crate.
pub(crate) fn switching(headers: &tidewire_proto::handshake::Fields) -> ::http::Response<Body> {
    let mut response = ::http::Response::new(Body::default());
    *response.status_mut() = ::http::StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in headers.iter() {
        append(response.headers_mut(), name, value);
    }
    response
}

fn append(headers: &mut ::http::HeaderMap, name: &str, value: &[u8]) {
    // `Fields` holds only what can stand in a header, so both conversions succeed.
    if let (Ok(name), Ok(value)) =
        (::http::HeaderName::from_bytes(name.as_bytes()), ::http::HeaderValue::from_bytes(value))
    {
        headers.append(name, value);
    }
}

/// The head of a request that another library read.
pub(crate) fn request_head<B>(
    request: &::http::Request<B>,
) -> Result<tidewire_proto::handshake::RequestHead, tidewire_proto::handshake::HeadError> {
    use tidewire_proto::handshake::{HeadError, HeadLimits, RequestHead};
    let version = if request.version() == ::http::Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" };
    let mut head = format!("{} {} {version}\r\n", request.method(), request.uri()).into_bytes();
    for (name, value) in request.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    // The other library has limits of its own; this one is only not to be in its way.
    let limits = HeadLimits { bytes: head.len(), headers: request.headers().len().max(1) };
    RequestHead::parse(&head, &limits)?.map(|(head, _)| head).ok_or(HeadError::StartLine)
}

/// A stream that ends with an error when the peer reads nothing for a while, though there is something to read.
pub(crate) struct Patient<IO> {
    io: IO,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<IO> Patient<IO> {
    pub(crate) fn new(io: IO, patience: Duration) -> Self {
        Self { io, patience, waiting: None }
    }

    pub(crate) fn into_inner(self) -> IO {
        self.io
    }

    /// Passes progress on, and counts the time without it.
    fn wait<T>(&mut self, progress: Poll<io::Result<T>>, task: &mut Context<'_>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.waiting = None;
            return progress;
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        waiting.as_mut().poll(task).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Patient<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(task, buffer)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Patient<IO> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.io).poll_write(task, bytes);
        self.wait(progress, task)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let progress = Pin::new(&mut self.io).poll_write_vectored(task, slices);
        self.wait(progress, task)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.io).poll_flush(task);
        self.wait(progress, task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let progress = Pin::new(&mut self.io).poll_shutdown(task);
        self.wait(progress, task)
    }
}

/// A stream whose first bytes were read before.
pub(crate) struct Prefixed<IO> {
    prefix: Bytes,
    io: IO,
}

impl<IO> Prefixed<IO> {
    pub(crate) fn new(prefix: Vec<u8>, io: IO) -> Self {
        Self { prefix: prefix.into(), io }
    }

    /// The stream, once its first bytes are used up, as they are when HTTP has read a whole request.
    pub(crate) fn into_inner(self) -> IO {
        debug_assert!(self.prefix.is_empty());
        self.io
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Prefixed<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.prefix.is_empty() {
            return Pin::new(&mut self.io).poll_read(task, buffer);
        }
        let count = self.prefix.len().min(buffer.remaining());
        buffer.put_slice(&self.prefix.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Prefixed<IO> {
    fn poll_write(mut self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(task, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(task, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(task)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt;

    /// A peer that reads something now and then is waited for; one that reads nothing is not.
    #[tokio::test(start_paused = true)]
    async fn patience_ends_without_progress() {
        const PATIENCE: Duration = Duration::from_secs(30);
        let (end, mut peer) = tokio::io::duplex(10);
        let mut stream = Patient::new(end, PATIENCE);
        let reader = tokio::spawn(async move {
            for _ in 0..3 {
                tokio::time::sleep(PATIENCE * 9 / 10).await;
                tokio::io::AsyncReadExt::read_exact(&mut peer, &mut [0; 10]).await.unwrap();
            }
            peer
        });
        stream.write_all(&[1; 40]).await.unwrap();
        let began = tokio::time::Instant::now();
        let stalled = stream.write_all(&[1; 10]).await.unwrap_err();
        assert_eq!((stalled.kind(), began.elapsed()), (io::ErrorKind::TimedOut, PATIENCE));
        drop(reader);
    }
}

//! The byte stream under a connection: TCP, Unix, TLS, or what a proxy tunnels.

use bytes::{Buf, Bytes};
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

#[cfg(feature = "tls")]
use crate::tls::{TlsInfo, TlsStream};

/// A connected byte stream, of a client or of a server.
///
/// With TLS, written bytes wait in a buffer until the stream is flushed.
#[derive(Debug)]
#[non_exhaustive]
pub enum Stream {
    /// TCP, straight to the peer.
    Tcp(TcpStream),
    /// A Unix domain socket.
    #[cfg(unix)]
    Unix(UnixStream),
    /// TLS over another stream.
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
    /// A stream of which some bytes were read before it was handed on.
    Early(Box<Early>),
}

/// A [`Stream`] with the bytes that were read from it too early; they are read again first.
#[derive(Debug)]
pub struct Early {
    bytes: Bytes,
    stream: Stream,
}

impl Stream {
    /// A stream whose reader gets `bytes` first. Without bytes it is `stream` itself.
    #[must_use]
    pub fn with_early_bytes(stream: Self, bytes: Bytes) -> Self {
        if bytes.is_empty() { stream } else { Self::Early(Box::new(Early { bytes, stream })) }
    }

    /// Whether TLS is the outer layer. Where a client goes to a `ws` server through an `https` proxy, it is the TLS
    /// with the proxy.
    pub fn is_tls(&self) -> bool {
        match self {
            #[cfg(feature = "tls")]
            Self::Tls(_) => true,
            Self::Early(early) => early.stream.is_tls(),
            _ => false,
        }
    }

    /// What the handshake of that TLS agreed on.
    #[cfg(feature = "tls")]
    pub fn tls_info(&self) -> Option<TlsInfo> {
        match self {
            Self::Tls(stream) => Some(stream.info()),
            Self::Early(early) => early.stream.tls_info(),
            _ => None,
        }
    }

    /// The address of the TCP peer, which may be a proxy; `None` for a Unix socket.
    pub fn peer_addr(&self) -> Option<SocketAddr> {
        self.tcp().and_then(|tcp| tcp.peer_addr().ok())
    }

    /// The local address of the TCP connection; `None` for a Unix socket.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        self.tcp().and_then(|tcp| tcp.local_addr().ok())
    }

    /// The TCP stream at the bottom; `None` for a Unix socket.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match self {
            Self::Tcp(stream) => Some(stream),
            #[cfg(unix)]
            Self::Unix(_) => None,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.under().tcp(),
            Self::Early(early) => early.stream.tcp(),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

#[cfg(unix)]
impl From<UnixStream> for Stream {
    fn from(stream: UnixStream) -> Self {
        Self::Unix(stream)
    }
}

/// Calls the method on the stream that the variant holds.
macro_rules! forward {
    ($self:expr, $stream:ident => $call:expr) => {
        match $self {
            Stream::Tcp($stream) => $call,
            #[cfg(unix)]
            Stream::Unix($stream) => $call,
            #[cfg(feature = "tls")]
            Stream::Tls($stream) => $call,
            Stream::Early(early) => {
                let $stream = &mut early.stream;
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Self::Early(early) = this
            && early.bytes.has_remaining()
        {
            let count = early.bytes.len().min(buffer.remaining());
            buffer.put_slice(&early.bytes.split_to(count));
            return Poll::Ready(Ok(()));
        }
        forward!(this, stream => Pin::new(stream).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        forward!(self.get_mut(), stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        forward!(self.get_mut(), stream => Pin::new(stream).poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Tcp(stream) => stream.is_write_vectored(),
            #[cfg(unix)]
            Self::Unix(stream) => stream.is_write_vectored(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.is_write_vectored(),
            Self::Early(early) => early.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self.get_mut(), stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        forward!(self.get_mut(), stream => Pin::new(stream).poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (Stream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (far, _) = listener.accept().await.unwrap();
        (near.into(), far)
    }

    #[tokio::test]
    async fn early_bytes_come_first_however_they_are_read() {
        let (near, mut far) = pair().await;
        far.write_all(b"later").await.unwrap();
        far.shutdown().await.unwrap();
        let mut near = Stream::with_early_bytes(near, Bytes::from_static(b"early"));
        let mut two = [0; 2];
        near.read_exact(&mut two).await.unwrap();
        let mut rest = Vec::new();
        near.read_to_end(&mut rest).await.unwrap();
        assert_eq!((&two, &rest[..]), (b"ea", &b"rlylater"[..]));
    }

    #[tokio::test]
    async fn a_vectored_write_is_one_write() {
        let (near, mut far) = pair().await;
        let mut near = Stream::with_early_bytes(near, Bytes::from_static(b"x"));
        assert!(near.is_write_vectored());
        let slices = [IoSlice::new(b"head"), IoSlice::new(b"body")];
        assert_eq!(near.write_vectored(&slices).await.unwrap(), 8);
        let mut got = [0; 8];
        far.read_exact(&mut got).await.unwrap();
        assert_eq!(&got, b"headbody");
    }

    #[tokio::test]
    async fn without_early_bytes_there_is_no_wrapper() {
        let (near, _far) = pair().await;
        assert!(matches!(Stream::with_early_bytes(near, Bytes::new()), Stream::Tcp(_)));
    }
}

//! TLS over a [`Stream`].

use super::error::{TlsError, TlsPeer};
use crate::dial::Stream;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A TLS session, of a client or of a server. Written bytes wait until it is flushed; shutting down sends
/// `close_notify`.
///
/// A TCP stream that ends without `close_notify` ends this one too, without an error. TLS would report a possible
/// truncation there (RFC 8446 §6.1), but a WebSocket is complete when its close frames have gone both ways, and many
/// programs just close the socket then; an end before that is an abnormal closure (1006) in either case.
#[derive(Debug)]
pub struct TlsStream {
    inner: tokio_rustls::TlsStream<Stream>,
}

/// What a TLS handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: String,
    /// The cipher suite, in rustls's spelling.
    pub cipher_suite: String,
    /// The application protocol; `None` where the server chose none.
    pub alpn: Option<String>,
}

impl TlsStream {
    pub(super) fn new(inner: tokio_rustls::TlsStream<Stream>) -> Self {
        Self { inner }
    }

    /// The stream that carries the session.
    pub(crate) fn under(&self) -> &Stream {
        self.inner.get_ref().0
    }

    /// What the handshake agreed on.
    pub fn info(&self) -> TlsInfo {
        let session = self.inner.get_ref().1;
        TlsInfo {
            version: match session.protocol_version() {
                Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
                Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
                other => format!("{other:?}"),
            },
            cipher_suite: session
                .negotiated_cipher_suite()
                .map_or_else(String::new, |suite| format!("{:?}", suite.suite())),
            alpn: session.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned()),
        }
    }

    /// An error of the running session, in words: with TLS 1.3 a server refuses a client certificate only then.
    fn explain(&self, error: io::Error) -> io::Error {
        let peer = match self.inner {
            tokio_rustls::TlsStream::Client(_) => TlsPeer::Server(String::new()),
            tokio_rustls::TlsStream::Server(_) => TlsPeer::Client,
        };
        match error.get_ref() {
            Some(inner) if inner.is::<rustls::Error>() => {
                io::Error::new(error.kind(), TlsError::from_handshake(error, &peer))
            }
            _ => error,
        }
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(match ready!(Pin::new(&mut self.inner).poll_read(cx, buffer)) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
            Err(error) => Err(self.explain(error)),
            Ok(()) => Ok(()),
        })
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

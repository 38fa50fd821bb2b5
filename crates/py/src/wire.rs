//! What a connection reads from and writes to, without blocking.

use crate::carrier::Carrier;
use mio::{Interest, Registry, Token, event::Event};
use pyo3::prelude::*;
use std::{
    io::{self, IoSlice, Read as _, Write as _},
    net::{Shutdown, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A socket of the reactor's, or a transport of asyncio's.
pub(crate) enum Raw {
    Tcp(mio::net::TcpStream),
    #[cfg(unix)]
    Unix(mio::net::UnixStream),
    Transport(Box<Carrier>),
}

/// What the operating system said of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ready {
    pub(crate) readable: bool,
    pub(crate) ended: bool,
}

impl From<&Event> for Ready {
    fn from(event: &Event) -> Self {
        Self {
            readable: event.is_readable() || event.is_error() || event.is_read_closed(),
            ended: event.is_read_closed() || event.is_error(),
        }
    }
}

/// A transport and what still has to be written ahead of all frames: a handshake's head.
pub(crate) struct Wire {
    raw: Raw,
    ready: Ready,
    first: Vec<u8>,
}

impl Wire {
    /// A wire that is read from at once: whether there is something is found out by reading.
    pub(crate) fn new(raw: Raw) -> Self {
        Self { raw, ready: Ready { readable: true, ended: false }, first: Vec::new() }
    }

    pub(crate) fn register(&mut self, registry: &Registry, key: usize) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        match &mut self.raw {
            Raw::Tcp(stream) => registry.register(stream, Token(key), interest),
            #[cfg(unix)]
            Raw::Unix(stream) => registry.register(stream, Token(key), interest),
            Raw::Transport(_) => Ok(()),
        }
    }

    pub(crate) fn note(&mut self, ready: Ready) {
        self.ready.readable |= ready.readable;
        self.ready.ended |= ready.ended;
    }

    pub(crate) fn carrier(&self) -> Option<&Carrier> {
        match &self.raw {
            Raw::Transport(carrier) => Some(carrier),
            _ => None,
        }
    }

    pub(crate) fn carrier_mut(&mut self) -> Option<&mut Carrier> {
        match &mut self.raw {
            Raw::Transport(carrier) => Some(carrier),
            _ => None,
        }
    }

    /// Writes `bytes` ahead of everything else, now or when there is room.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.first.extend_from_slice(bytes);
        self.push_on()
    }

    /// As [`push`](Self::push), from any thread: transports of asyncio's are written to by the loop's alone, at its next
    /// turn. While they are written to, Python runs, and what comes would find the connection taken.
    pub(crate) fn push_from(&mut self, bytes: &[u8], is_own_thread: bool) -> io::Result<()> {
        if is_own_thread || self.carrier().is_none() {
            return self.push(bytes);
        }
        self.first.extend_from_slice(bytes);
        Ok(())
    }

    /// Bytes pushed that are not written yet.
    pub(crate) fn pushed(&self) -> usize {
        self.first.len()
    }

    /// Goes on with what was pushed.
    pub(crate) fn push_on(&mut self) -> io::Result<()> {
        while !self.first.is_empty() {
            match write_raw(&mut self.raw, &self.first)? {
                Some(0) => return Err(io::ErrorKind::WriteZero.into()),
                Some(count) => drop(self.first.drain(..count)),
                None => return Ok(()),
            }
        }
        if self.first.capacity() > 0 {
            self.first = Vec::new();
        }
        Ok(())
    }

    /// Reads into `buffer`: `None` where nothing is there, 0 at the end.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        let read = match &mut self.raw {
            Raw::Transport(carrier) => return carrier.read(buffer),
            _ if !self.ready.readable => return Ok(None),
            Raw::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Raw::Unix(stream) => stream.read(buffer),
        };
        match read {
            Ok(count) => {
                // Edge-triggered: a short read has emptied the socket, unless its end is behind it.
                self.ready.readable = count == buffer.len() || self.ready.ended;
                Ok(Some(count))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.ready.readable = false;
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends our side of the transport.
    pub(crate) fn shutdown(&mut self) -> io::Result<()> {
        match &mut self.raw {
            Raw::Tcp(stream) => stream.shutdown(Shutdown::Write),
            #[cfg(unix)]
            Raw::Unix(stream) => stream.shutdown(Shutdown::Write),
            Raw::Transport(carrier) => Python::attach(|py| carrier.shutdown(py)).map_err(io::Error::other),
        }
    }

    /// Our address and the peer's, as Python's sockets give them; `None` for a transport, which knows them itself.
    pub(crate) fn addresses(&self, py: Python<'_>) -> PyResult<Option<(Py<PyAny>, Py<PyAny>)>> {
        match &self.raw {
            Raw::Tcp(stream) => {
                let own = stream.local_addr().ok();
                let peer = stream.peer_addr().ok();
                Ok(Some((address(py, own)?, address(py, peer)?)))
            }
            #[cfg(unix)]
            Raw::Unix(stream) => {
                let path = |address: io::Result<std::os::unix::net::SocketAddr>| -> PyResult<Py<PyAny>> {
                    let path = address
                        .ok()
                        .and_then(|address| address.as_pathname().map(std::path::Path::to_path_buf));
                    let text = path.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
                    Ok(text.into_pyobject(py)?.into_any().unbind())
                };
                Ok(Some((path(stream.local_addr())?, path(stream.peer_addr())?)))
            }
            Raw::Transport(_) => Ok(None),
        }
    }

    /// The socket's descriptor.
    pub(crate) fn descriptor(&self) -> Option<i32> {
        use std::os::fd::AsRawFd as _;
        match &self.raw {
            Raw::Tcp(stream) => Some(stream.as_raw_fd()),
            #[cfg(unix)]
            Raw::Unix(stream) => Some(stream.as_raw_fd()),
            Raw::Transport(_) => None,
        }
    }

    /// Closes a transport of asyncio's, which a drop does not.
    pub(crate) fn close(&mut self, py: Python<'_>, cut: bool) -> PyResult<()> {
        match &mut self.raw {
            Raw::Transport(carrier) => carrier.close(py, cut),
            _ => Ok(()),
        }
    }
}

fn address(py: Python<'_>, address: Option<SocketAddr>) -> PyResult<Py<PyAny>> {
    Ok(match address {
        None => py.None(),
        Some(SocketAddr::V4(address)) => {
            (address.ip().to_string(), address.port()).into_pyobject(py)?.into_any().unbind()
        }
        Some(SocketAddr::V6(address)) => {
            let (host, port) = (address.ip().to_string(), address.port());
            (host, port, address.flowinfo(), address.scope_id()).into_pyobject(py)?.into_any().unbind()
        }
    })
}

fn write_raw(raw: &mut Raw, bytes: &[u8]) -> io::Result<Option<usize>> {
    none_if_blocked(match raw {
        Raw::Tcp(stream) => stream.write(bytes),
        #[cfg(unix)]
        Raw::Unix(stream) => stream.write(bytes),
        Raw::Transport(carrier) => return carrier.write(bytes),
    })
}

fn none_if_blocked(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(count) => Ok(Some(count)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn poll(result: io::Result<Option<usize>>) -> Poll<io::Result<usize>> {
    match result {
        Ok(Some(count)) => Poll::Ready(Ok(count)),
        Ok(None) => Poll::Pending,
        Err(error) => Poll::Ready(Err(error)),
    }
}

// The reactor polls whoever is ready again: no waker is kept.
impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // A head that the transport did not take at once: the driver knows of frames only.
        self.push_on()?;
        let target = buffer.initialize_unfilled();
        let count = std::task::ready!(poll(self.read(target)))?;
        buffer.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.push_on()?;
        if self.pushed() > 0 {
            return Poll::Pending;
        }
        poll(write_raw(&mut self.raw, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.push_on()?;
        if self.pushed() > 0 {
            return Poll::Pending;
        }
        poll(match &mut self.raw {
            Raw::Tcp(stream) => none_if_blocked(stream.write_vectored(slices)),
            #[cfg(unix)]
            Raw::Unix(stream) => none_if_blocked(stream.write_vectored(slices)),
            Raw::Transport(carrier) => carrier.write(&slices[0]),
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.push_on()?;
        if self.pushed() > 0 { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown())
    }
}

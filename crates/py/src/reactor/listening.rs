//! Sockets that others connect to, and sockets that Python hands over.

use super::{Entry, Reactor, What};
use crate::{
    connection::Connection,
    handler::is_fatal,
    wire::{Raw, Wire},
};
use mio::{Interest, Token};
use pyo3::prelude::*;
use std::{
    io,
    os::fd::{FromRawFd as _, OwnedFd, RawFd},
    time::Duration,
};
use tidewire::driver::now;

/// Connections accepted in one turn of a listener.
const ACCEPTED: usize = 64;
/// How long a listener rests after accepting failed (descriptors used up, mostly).
const REST: Duration = Duration::from_millis(100);
/// How often that is told.
const QUIET: Duration = Duration::from_secs(10);

pub(super) enum Listening {
    Tcp(mio::net::TcpListener),
    Unix(mio::net::UnixListener),
}

impl Reactor {
    /// Takes in those that connect.
    pub(super) fn accept(this: &Bound<'_, Self>, key: usize) -> PyResult<()> {
        let py = this.py();
        for _ in 0..ACCEPTED {
            let (accepted, factory) = {
                let table = this.get().table(py);
                let Some(Entry { what: What::Listener(listener, factory), .. }) = table.entries.get(key)
                else {
                    return Ok(());
                };
                let accepted = match listener {
                    Listening::Tcp(listener) => listener.accept().map(|(stream, _)| Raw::Tcp(stream)),
                    Listening::Unix(listener) => listener.accept().map(|(stream, _)| Raw::Unix(stream)),
                };
                (accepted, factory.clone_ref(py))
            };
            match accepted {
                Ok(raw) => {
                    if let Raw::Tcp(stream) = &raw {
                        // A socket that is gone already says so when it is read.
                        let _nodelay = stream.set_nodelay(true);
                    }
                    let made = factory.call0(py).and_then(|made| {
                        let connection = made.bind(py).cast::<Connection>()?.clone();
                        Connection::carry(&connection, this, Wire::new(raw))
                    });
                    if let Err(error) = made {
                        let raised = if is_fatal(py, &error) {
                            Err(error)
                        } else {
                            this.get().report(py, "tidewire: a connection could not be taken in", error)
                        };
                        if raised.is_err() {
                            // Those behind it are told of once only.
                            return Self::again(this, key).and(raised);
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted
                    ) => {}
                Err(error) => {
                    let at = now();
                    let before = this.get().table(py).told;
                    if before.is_none_or(|before| at.since(before) >= QUIET) {
                        this.get().table(py).told = Some(at);
                        this.get().report(
                            py,
                            "tidewire: accepting failed, and is tried again",
                            error.into(),
                        )?;
                    }
                    return Self::arm(this, key, at.after(REST));
                }
            }
        }
        Self::again(this, key)
    }
}

#[pymethods]
impl Reactor {
    /// Accepts on a listening socket, which is the reactor's from here on.
    fn listen(this: &Bound<'_, Self>, descriptor: RawFd, factory: Py<PyAny>) -> PyResult<usize> {
        let py = this.py();
        let (owned, unix) = own(descriptor)?;
        let mut listener = if unix {
            let listener = std::os::unix::net::UnixListener::from(owned);
            listener.set_nonblocking(true)?;
            Listening::Unix(mio::net::UnixListener::from_std(listener))
        } else {
            let listener = std::net::TcpListener::from(owned);
            listener.set_nonblocking(true)?;
            Listening::Tcp(mio::net::TcpListener::from_std(listener))
        };
        Self::watch(this)?;
        let key = this.get().table(py).entries.vacant_key();
        let registered = this.get().with_registry(py, |registry| match &mut listener {
            Listening::Tcp(listener) => registry.register(listener, Token(key), Interest::READABLE),
            Listening::Unix(listener) => registry.register(listener, Token(key), Interest::READABLE),
        });
        if let Err(error) = registered {
            this.get().unwatch(py)?;
            return Err(error.into());
        }
        this.get().table(py).entries.insert(Entry { what: What::Listener(listener, factory), at: None });
        Ok(key)
    }

    /// Stops accepting.
    fn unlisten(this: &Bound<'_, Self>, key: usize) -> PyResult<()> {
        let py = this.py();
        let is_listener =
            matches!(this.get().table(py).entries.get(key), Some(Entry { what: What::Listener(..), .. }));
        if is_listener { Self::leave(this, key) } else { Ok(()) }
    }

    /// Carries a connection over a connected socket, which is the reactor's from here on.
    fn adopt(this: &Bound<'_, Self>, descriptor: RawFd, connection: &Bound<'_, Connection>) -> PyResult<()> {
        let (owned, unix) = own(descriptor)?;
        let raw = if unix {
            let stream = std::os::unix::net::UnixStream::from(owned);
            stream.set_nonblocking(true)?;
            Raw::Unix(mio::net::UnixStream::from_std(stream))
        } else {
            let stream = std::net::TcpStream::from(owned);
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            Raw::Tcp(mio::net::TcpStream::from_std(stream))
        };
        Connection::carry(connection, this, Wire::new(raw))
    }
}

/// Takes a descriptor over that Python gave away; whether it is a Unix socket.
#[expect(unsafe_code, reason = "a descriptor that Python gives away has no owner in Rust yet")]
fn own(descriptor: RawFd) -> PyResult<(OwnedFd, bool)> {
    if descriptor < 0 {
        return Err(pyo3::exceptions::PyValueError::new_err("the descriptor is closed"));
    }
    // SAFETY: the caller gives the open descriptor away (socket.detach()), as the method's contract says.
    let owned = unsafe { OwnedFd::from_raw_fd(descriptor) };
    let family = socket2::SockRef::from(&owned).local_addr()?.family();
    Ok((owned, i32::from(family) == i32::from(socket2::Domain::UNIX)))
}

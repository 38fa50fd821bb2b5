//! Where a server listens.

use socket2::{Domain, Protocol, Socket, Type};
use std::{
    fmt, io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
#[cfg(unix)]
use tokio::net::{UnixListener, UnixStream};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// A socket that listens.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    #[cfg(unix)]
    Unix(UnixListener, PathBuf, Option<Identity>),
}

/// Which file a path led to: device and inode.
#[cfg(unix)]
type Identity = (u64, u64);

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    std::fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Where a connection comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Peer {
    /// An address of TCP.
    Tcp(SocketAddr),
    /// A Unix socket, which has no address.
    Unix,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

pub(crate) enum Accepted {
    Tcp(std::net::TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
}

impl Listener {
    /// Listens on the first of the addresses that can be had. Port 0 picks a free one.
    ///
    /// # Errors
    /// None of the addresses can be had.
    pub async fn tcp(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::first_of(address, false).await
    }

    /// As [`tcp`](Self::tcp), on a port that several processes share: the kernel spreads the connections.
    ///
    /// # Errors
    /// As [`tcp`](Self::tcp), or where the system can't share ports.
    pub async fn tcp_reuse_port(address: impl ToSocketAddrs) -> io::Result<Self> {
        Self::first_of(address, true).await
    }

    /// Listens on a Unix socket. A socket that nobody listens on any more is replaced; the file goes away with the listener.
    ///
    /// # Errors
    /// The path can't be had: somebody listens there, it is no socket, or its folder can't be written.
    #[cfg(unix)]
    pub fn unix(path: impl AsRef<Path>) -> io::Result<Self> {
        use std::os::unix::fs::FileTypeExt;
        let path = path.as_ref();
        let stale = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket())
            && matches!(std::os::unix::net::UnixStream::connect(path),
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused);
        if stale {
            std::fs::remove_file(path)?;
        }
        let listener = UnixListener::bind(path)?;
        Ok(Self(Kind::Unix(listener, path.to_owned(), identity(path))))
    }

    /// A listener that somebody else opened.
    ///
    /// # Errors
    /// The socket can't be made non-blocking.
    pub fn from_std(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self(Kind::Tcp(TcpListener::from_std(listener)?)))
    }

    async fn first_of(address: impl ToSocketAddrs, reuse_port: bool) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::InvalidInput, "the name has no address");
        for address in tokio::net::lookup_host(address).await? {
            match bind(address, reuse_port) {
                Ok(listener) => return Ok(Self(Kind::Tcp(listener))),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// The address, where it is one of TCP.
    pub fn local_addr(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Tcp(listener) => listener.local_addr().ok(),
            #[cfg(unix)]
            Kind::Unix(..) => None,
        }
    }

    /// The path, where it is a Unix socket.
    pub fn unix_path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Tcp(_) => None,
            #[cfg(unix)]
            Kind::Unix(_, path, _) => Some(path),
        }
    }

    pub(crate) async fn accept(&self) -> io::Result<Accepted> {
        match &self.0 {
            Kind::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok(Accepted::Tcp(stream.into_std()?, peer))
            }
            #[cfg(unix)]
            Kind::Unix(listener, ..) => Ok(Accepted::Unix(listener.accept().await?.0.into_std()?)),
        }
    }
}

#[cfg(unix)]
impl Drop for Listener {
    fn drop(&mut self) {
        if let Kind::Unix(_, path, bound) = &self.0
            // Another server may have taken the path over.
            && identity(path) == *bound
        {
            // Gone already is as good.
            let _removed = std::fs::remove_file(path);
        }
    }
}

/// How a connection came.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) peer: Peer,
    /// It came to a loopback address, as from a browser of this machine: the Host header must name the machine, or a name
    /// that leads here would open its door to other pages (DNS rebinding).
    pub(crate) loopback: bool,
    pub(crate) tls: bool,
}

impl Arrival {
    pub(crate) fn tcp(stream: &TcpStream, peer: SocketAddr) -> Self {
        let loopback = stream.local_addr().is_ok_and(|address| match address.ip() {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        });
        Self { peer: Peer::Tcp(peer), loopback, tls: false }
    }

    #[cfg(unix)]
    pub(crate) const fn unix() -> Self {
        Self { peer: Peer::Unix, loopback: false, tls: false }
    }
}

/// A connection on the worker's own reactor.
pub(crate) enum Registered {
    Tcp(TcpStream, SocketAddr),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Accepted {
    #[cfg(feature = "tls")]
    pub(crate) fn peer(&self) -> Peer {
        match self {
            Self::Tcp(_, peer) => Peer::Tcp(*peer),
            #[cfg(unix)]
            Self::Unix(_) => Peer::Unix,
        }
    }

    pub(crate) fn register(self) -> io::Result<Registered> {
        Ok(match self {
            Self::Tcp(stream, peer) => Registered::Tcp(TcpStream::from_std(stream)?, peer),
            #[cfg(unix)]
            Self::Unix(stream) => Registered::Unix(UnixStream::from_std(stream)?),
        })
    }
}

fn bind(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    #[cfg(unix)]
    {
        socket.set_reuse_address(true)?;
        if reuse_port {
            socket.set_reuse_port(true)?;
        }
    }
    #[cfg(not(unix))]
    if reuse_port {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this system can't share a port between processes",
        ));
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

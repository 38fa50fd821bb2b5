//! The steps of one connection, in their order, under one deadline.

use super::dialer::{DialInfo, Dialer};
use super::error::{DialError, Phase, ProxyError};
use super::proxy::{Proxy, ProxyKind};
use super::socks5::Destination;
use super::stream::Stream;
use super::target::{Target, authority};
use super::{connect_tunnel, happy, socks5};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

/// A connection in the making.
pub(super) struct Route<'a> {
    dialer: &'a Dialer,
    deadline: Option<Instant>,
    info: DialInfo,
}

impl<'a> Route<'a> {
    pub(super) fn new(dialer: &'a Dialer) -> Self {
        // A time too long to be added to the clock never comes.
        let deadline = dialer.timeout.and_then(|limit| Instant::now().checked_add(limit));
        Self { dialer, deadline, info: DialInfo::default() }
    }

    pub(super) async fn connect(
        mut self,
        target: &Target,
        server_name: Option<&str>,
    ) -> Result<(Stream, DialInfo), DialError> {
        let tls = server_name.is_some();
        let mut stream = match target {
            Target::Unix(path) => {
                self.prepare_tls(tls, &target.to_string()).await?;
                self.unix(path).await?
            }
            Target::Tcp { host, port } => {
                let proxy = self.dialer.proxy_for(tls, host, *port)?;
                let tls_to_proxy = proxy.as_ref().is_some_and(|proxy| proxy.kind() == ProxyKind::Https);
                self.prepare_tls(tls || tls_to_proxy, &target.to_string()).await?;
                match &proxy {
                    None => self.tcp(host, *port).await?.into(),
                    Some(proxy) => self.tunnel(proxy, host, *port).await?,
                }
            }
        };
        if let Some(name) = server_name {
            let begin = Instant::now();
            stream = self.secure(stream, name, &target.to_string()).await?;
            self.info.tls = begin.elapsed();
            #[cfg(feature = "tls")]
            {
                self.info.tls_info = stream.tls_info();
            }
        }
        self.info.peer = stream.peer_addr();
        self.info.local = stream.local_addr();
        Ok((stream, self.info))
    }

    /// Runs a step until the deadline.
    async fn within<T>(
        &self,
        phase: Phase,
        target: &str,
        step: impl Future<Output = Result<T, DialError>>,
    ) -> Result<T, DialError> {
        match self.deadline {
            None => step.await,
            Some(deadline) => match timeout_at(deadline, step).await {
                Ok(result) => result,
                Err(_) => Err(self.timed_out(phase, target, Vec::new())),
            },
        }
    }

    fn timed_out(&self, phase: Phase, target: &str, attempts: Vec<happy::Attempt>) -> DialError {
        let limit = self.dialer.timeout.unwrap_or_default();
        DialError::Timeout { phase, target: target.to_owned(), limit, attempts }
    }

    /// Finds the faults of the TLS settings before anyone is connected to.
    #[cfg(feature = "tls")]
    async fn prepare_tls(&self, needed: bool, target: &str) -> Result<(), DialError> {
        if needed {
            let config = async { Ok(self.dialer.client_config().await?) };
            self.within(Phase::Setup, target, config).await?;
        }
        Ok(())
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "called as its namesake with TLS is")]
    async fn prepare_tls(&self, needed: bool, _target: &str) -> Result<(), DialError> {
        if needed { Err(DialError::TlsMissing) } else { Ok(()) }
    }

    #[cfg(feature = "tls")]
    async fn secure(&self, stream: Stream, name: &str, target: &str) -> Result<Stream, DialError> {
        let handshake =
            async { Ok(crate::tls::connect(self.dialer.client_config().await?, name, stream).await?) };
        self.within(Phase::Tls, target, handshake).await
    }

    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_async, reason = "called as its namesake with TLS is")]
    async fn secure(&self, _stream: Stream, _name: &str, _target: &str) -> Result<Stream, DialError> {
        Err(DialError::TlsMissing)
    }

    #[cfg(unix)]
    async fn unix(&self, path: &Path) -> Result<Stream, DialError> {
        let connect = async {
            match tokio::net::UnixStream::connect(path).await {
                Ok(stream) => Ok(stream.into()),
                Err(error) => Err(DialError::Unix { path: path.to_owned(), error }),
            }
        };
        self.within(Phase::Connect, &path.display().to_string(), connect).await
    }

    #[cfg(not(unix))]
    #[expect(clippy::unused_async, reason = "called as its namesake on Unix is")]
    async fn unix(&self, path: &Path) -> Result<Stream, DialError> {
        let error = std::io::ErrorKind::Unsupported.into();
        Err(DialError::Unix { path: path.to_owned(), error })
    }

    /// The addresses of `host`: at least one.
    async fn resolve(&mut self, host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        let begin = Instant::now();
        let resolving = async {
            let found = self.dialer.resolver.resolve(host, port).await;
            found.map_err(|error| DialError::Dns { host: host.to_owned(), error })
        };
        let addresses = self.within(Phase::Dns, host, resolving).await?;
        self.info.dns += begin.elapsed();
        if addresses.is_empty() {
            return Err(DialError::NoAddress { host: host.to_owned(), local: None });
        }
        Ok(addresses)
    }

    async fn tcp(&mut self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let mut addresses = self.resolve(host, port).await?;
        let local = self.dialer.local;
        if let Some(local) = local {
            addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
            if addresses.is_empty() {
                return Err(DialError::NoAddress { host: host.to_owned(), local: Some(local) });
            }
        }
        let begin = Instant::now();
        let connected = happy::connect(&addresses, local, self.deadline).await;
        self.info.tcp += begin.elapsed();
        connected.map_err(|failed| {
            let target = authority(host, port);
            if failed.timed_out {
                self.timed_out(Phase::Connect, &target, failed.attempts)
            } else {
                DialError::Connect { target, attempts: failed.attempts }
            }
        })
    }

    /// A stream to `host` through `proxy`.
    async fn tunnel(&mut self, proxy: &Proxy, host: &str, port: u16) -> Result<Stream, DialError> {
        self.info.proxy = Some(proxy.clone());
        let address = host.parse().ok().map(|ip| SocketAddr::new(ip, port));
        match (proxy.kind(), address) {
            (ProxyKind::Http | ProxyKind::Https, _) => {
                let mut stream = self.reach(proxy).await?;
                let ask = connect_tunnel::connect(&mut stream, host, port, proxy.login());
                let early = self.ask(proxy, host, port, ask).await?;
                Ok(Stream::with_early_bytes(stream, early))
            }
            (ProxyKind::Socks5 | ProxyKind::Socks5h, Some(address)) => {
                self.socks(proxy, host, port, Destination::Address(address)).await
            }
            (ProxyKind::Socks5h, None) => self.socks(proxy, host, port, Destination::Name(host, port)).await,
            (ProxyKind::Socks5, None) => {
                let mut order = happy::interleave(&self.resolve(host, port).await?).into_iter().peekable();
                while let Some(address) = order.next() {
                    let result = self.socks(proxy, host, port, Destination::Address(address)).await;
                    match &result {
                        Err(DialError::Proxy { error: ProxyError::Socks(reply), .. })
                            if reply.is_about_the_address() && order.peek().is_some() => {}
                        _ => return result,
                    }
                }
                Err(DialError::NoAddress { host: host.to_owned(), local: None })
            }
        }
    }

    async fn socks(
        &mut self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        destination: Destination<'_>,
    ) -> Result<Stream, DialError> {
        let mut stream = self.reach(proxy).await?;
        let ask = socks5::connect(&mut stream, destination, proxy.login());
        self.ask(proxy, host, port, ask).await?;
        Ok(stream)
    }

    /// A stream to the proxy itself.
    async fn reach(&mut self, proxy: &Proxy) -> Result<Stream, DialError> {
        let unreachable =
            |error| DialError::ProxyUnreachable { proxy: proxy.to_string(), error: Box::new(error) };
        let stream = self.tcp(proxy.host(), proxy.port()).await.map_err(unreachable)?.into();
        if proxy.kind() != ProxyKind::Https {
            return Ok(stream);
        }
        let begin = Instant::now();
        let secured = self.secure(stream, proxy.host(), &proxy.to_string()).await.map_err(unreachable);
        self.info.tunnel += begin.elapsed();
        secured
    }

    /// Lets the proxy make the tunnel.
    async fn ask<T>(
        &mut self,
        proxy: &Proxy,
        host: &str,
        port: u16,
        asking: impl Future<Output = Result<T, ProxyError>>,
    ) -> Result<T, DialError> {
        let begin = Instant::now();
        let failed =
            |error| DialError::Proxy { proxy: proxy.to_string(), target: authority(host, port), error };
        let asking = async { asking.await.map_err(failed) };
        let result = self.within(Phase::Proxy, &proxy.to_string(), asking).await;
        self.info.tunnel += begin.elapsed();
        result
    }
}

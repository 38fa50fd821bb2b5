//! The settings of a client's connections, and what is told of one.

use super::error::DialError;
use super::proxy::{BadProxy, Proxy};
use super::resolve::{Resolve, SystemResolver};
use super::route::Route;
use super::stream::Stream;
use super::target::Target;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "tls")]
use {
    crate::tls::{TlsError, TlsOptions},
    rustls::ClientConfig,
    std::sync::OnceLock,
};

/// Makes connections: resolves names, races addresses (RFC 8305), goes through proxies, speaks TLS.
///
/// The default gives up after 10 s, takes the proxy that the environment names, and trusts the system's
/// authorities. Clones are cheap and share the TLS configuration.
///
/// ```no_run
/// # async fn example() -> Result<(), tidewire::dial::DialError> {
/// use std::time::Duration;
/// use tidewire::dial::Dialer;
///
/// let dialer = Dialer::new().timeout(Duration::from_secs(5));
/// let (stream, info) = dialer.dial("example.com", 443, true).await?;
/// println!("{:?}: TCP {:?}, TLS {:?}", info.peer, info.tcp, info.tls);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Dialer {
    pub(super) timeout: Option<Duration>,
    pub(super) local: Option<IpAddr>,
    pub(super) resolver: Arc<dyn Resolve>,
    proxy: ProxyChoice,
    #[cfg(feature = "tls")]
    tls: Arc<TlsSource>,
}

#[derive(Clone, Debug)]
enum ProxyChoice {
    Environment,
    Direct,
    Through(Proxy),
}

/// The options, and the configuration made of them when it is first needed.
#[cfg(feature = "tls")]
#[derive(Default)]
struct TlsSource {
    options: TlsOptions,
    config: OnceLock<Arc<ClientConfig>>,
}

/// How a connection came about.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DialInfo {
    /// The address that was connected to, the proxy's where there is one; `None` for a Unix socket.
    pub peer: Option<SocketAddr>,
    /// The local address; `None` for a Unix socket.
    pub local: Option<SocketAddr>,
    /// The proxy that was gone through.
    pub proxy: Option<Proxy>,
    /// How long names took to resolve; zero for addresses.
    pub dns: Duration,
    /// How long TCP took to connect.
    pub tcp: Duration,
    /// How long the proxy took to make the tunnel, TLS to the proxy included.
    pub tunnel: Duration,
    /// How long the TLS handshake with the server took.
    pub tls: Duration,
    /// What the TLS handshake with the server agreed on; `None` without TLS to the server.
    #[cfg(feature = "tls")]
    pub tls_info: Option<crate::tls::TlsInfo>,
}

impl Default for Dialer {
    fn default() -> Self {
        Self {
            timeout: Some(Duration::from_secs(10)),
            local: None,
            resolver: Arc::new(SystemResolver),
            proxy: ProxyChoice::Environment,
            #[cfg(feature = "tls")]
            tls: Arc::default(),
        }
    }
}

impl Dialer {
    /// The same as [`Dialer::default`].
    pub fn new() -> Self {
        Self::default()
    }

    /// How long all steps together may take; `None` for as long as the system tries.
    #[must_use]
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Self {
        self.timeout = limit.into();
        self
    }

    /// Connects from this address of the machine; only servers (or proxies) of its family are reached then.
    #[must_use]
    pub fn local_address(mut self, address: impl Into<Option<IpAddr>>) -> Self {
        self.local = address.into();
        self
    }

    /// Resolves names with `resolver`.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Resolve + 'static) -> Self {
        self.resolver = Arc::new(resolver);
        self
    }

    /// Goes through `proxy`, to every host.
    #[must_use]
    pub fn proxy(mut self, proxy: Proxy) -> Self {
        self.proxy = ProxyChoice::Through(proxy);
        self
    }

    /// Goes through no proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(mut self) -> Self {
        self.proxy = ProxyChoice::Direct;
        self
    }

    /// Goes through the proxy that the environment names when a connection is made; see [`Proxy::from_env`].
    #[must_use]
    pub fn proxy_from_env(mut self) -> Self {
        self.proxy = ProxyChoice::Environment;
        self
    }

    /// What TLS trusts and shows. Files are read at the first connection with TLS, and once.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.tls = Arc::new(TlsSource { options, config: OnceLock::new() });
        self
    }

    /// A TLS configuration of the caller's own making, taken as it is. Let its ALPN be `http/1.1` or empty.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Arc::new(TlsSource { options: TlsOptions::new(), config: OnceLock::from(config) });
        self
    }

    /// Connects to `host`, a name or an address with or without brackets, and speaks TLS where `tls` is set.
    ///
    /// Dropping the future gives everything up: no socket stays open.
    pub async fn dial(&self, host: &str, port: u16, tls: bool) -> Result<(Stream, DialInfo), DialError> {
        self.dial_target(&Target::tcp(host, port)?, tls.then_some(host)).await
    }

    /// Connects to `target`; with a `server_name`, TLS is spoken, and the certificate must bear that name. Unix
    /// sockets are reached without a proxy.
    pub async fn dial_target(
        &self,
        target: &Target,
        server_name: Option<&str>,
    ) -> Result<(Stream, DialInfo), DialError> {
        Route::new(self).connect(target, server_name).await
    }

    /// The proxy on the way to `host`.
    pub(super) fn proxy_for(&self, tls: bool, host: &str, port: u16) -> Result<Option<Proxy>, BadProxy> {
        let proxy = match &self.proxy {
            ProxyChoice::Direct => None,
            ProxyChoice::Through(proxy) => Some(proxy.clone()),
            ProxyChoice::Environment => Proxy::from_env(tls, host, port, |name| {
                Some(std::env::var_os(name)?.to_string_lossy().into_owned())
            })?,
        };
        proxy.as_ref().map_or(Ok(()), Proxy::check_credentials)?;
        Ok(proxy)
    }

    /// The TLS configuration, made on a blocking thread where it is not there yet: it takes reading files.
    #[cfg(feature = "tls")]
    pub(super) async fn client_config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        if let Some(config) = self.tls.config.get() {
            return Ok(Arc::clone(config));
        }
        let source = Arc::clone(&self.tls);
        let build = move || {
            let config = source.options.build()?;
            Ok(Arc::clone(source.config.get_or_init(|| config)))
        };
        match tokio::task::spawn_blocking(build).await {
            Ok(config) => config,
            Err(failed) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down: this task is never polled again.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer")
            .field("timeout", &self.timeout)
            .field("local", &self.local)
            .field("proxy", &self.proxy)
            .finish_non_exhaustive()
    }
}

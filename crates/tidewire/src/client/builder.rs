//! The settings of a client.

use super::ConnectError;
use crate::{
    dial::{Dialer, Proxy, Resolve, Target},
    tools::entropy,
};
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};
use tidewire_proto::{
    config::Config,
    deflate::DeflateConfig,
    handshake::{ClientHandshake, HeadLimits, SetupError},
};

#[cfg(feature = "tls")]
use crate::tls::{Pem, TlsOptions};

/// Opens connections. Settings are chained; what is wrong with one of them, [`connect`](Self::connect) tells, before
/// anything is sent. Clones are cheap, and share the TLS configuration.
///
/// ```no_run
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tidewire::Client;
///
/// let client = Client::new()
///     .header("X-Trace", "7")
///     .subprotocol("chat.v2")
///     .bearer("secret")
///     .connect_timeout(Duration::from_secs(3))
///     .config(|config| config.limits.message = 1 << 20);
/// let ws = client.connect("wss://example.com/live").await?;
/// println!("{:?}", ws.subprotocol());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    pub(super) dialer: Dialer,
    target: Option<Target>,
    #[cfg(feature = "tls")]
    tls: TlsOptions,
    /// The request, but for its nonce; or what can't be sent.
    template: Result<ClientHandshake, SetupError>,
    subprotocols: Vec<String>,
    pub(super) config: Arc<Config>,
    pub(super) head_limits: HeadLimits,
    pub(super) handshake_timeout: Duration,
    pub(super) max_redirects: usize,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            dialer: Dialer::default(),
            target: None,
            #[cfg(feature = "tls")]
            tls: TlsOptions::default(),
            template: Ok(ClientHandshake::new([0; 16])),
            subprotocols: Vec::new(),
            config: Arc::default(),
            head_limits: HeadLimits::default(),
            handshake_timeout: Duration::from_secs(10),
            max_redirects: 5,
        }
    }
}

impl Client {
    /// A client with the defaults: the environment's proxy, the system's authorities, 10 s to connect, 10 s for the
    /// handshake, 5 redirects, permessage-deflate offered.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a header to the request. Host, Origin and Authorization replace what was there. Redirects to other origins
    /// carry Origin and User-Agent, and no other header added here.
    #[must_use]
    pub fn header(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request_with(|request| request.header(name, value))
    }

    /// The Origin that the request names; none by default (RFC 6455 §10.2).
    #[must_use]
    pub fn origin(self, origin: &str) -> Self {
        self.header("Origin", origin)
    }

    /// Logs in with a user and a password (RFC 7617), in place of those of the URL. Redirects to other origins go without.
    #[must_use]
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        self.request_with(|request| request.basic_auth(user, password))
    }

    /// Logs in with a token (RFC 6750). Redirects to other origins go without.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", format!("Bearer {token}"))
    }

    /// Offers a subprotocol, behind those offered before: the first is the most wanted.
    #[must_use]
    pub fn subprotocol(self, name: impl Into<String>) -> Self {
        self.subprotocols([name])
    }

    /// Offers subprotocols, behind those offered before.
    #[must_use]
    pub fn subprotocols(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.subprotocols.extend(names.into_iter().map(Into::into));
        self
    }

    /// What is offered of permessage-deflate (RFC 7692); [`DeflateConfig::disabled`] offers nothing.
    #[must_use]
    pub fn deflate(self, deflate: DeflateConfig) -> Self {
        self.config(|config| config.deflate = deflate)
    }

    /// Changes limits, timing, compression.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let client = tidewire::Client::new()
    ///     .config(|config| config.limits.message = 1 << 20)
    ///     .config(|config| config.timing.ping_interval = Some(Duration::from_secs(5)));
    /// ```
    #[must_use]
    pub fn config(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(Arc::make_mut(&mut self.config));
        self
    }

    /// The largest message that is taken, in bytes, inflated: 16 MiB. It is the limit of a frame too.
    #[must_use]
    pub fn max_message(self, bytes: usize) -> Self {
        self.config(|config| (config.limits.message, config.limits.frame) = (bytes, bytes))
    }

    /// Time between pings; `None` sends none. 20 s.
    #[must_use]
    pub fn ping_interval(self, interval: impl Into<Option<Duration>>) -> Self {
        self.config(|config| config.timing.ping_interval = interval.into())
    }

    /// How long names, TCP, proxy and TLS may take together; `None` for as long as the system tries. 10 s.
    #[must_use]
    pub fn connect_timeout(self, limit: impl Into<Option<Duration>>) -> Self {
        self.dialer_with(|dialer| dialer.timeout(limit))
    }

    /// How long the server may take to answer the opening handshake. 10 s.
    #[must_use]
    pub fn handshake_timeout(mut self, limit: Duration) -> Self {
        self.handshake_timeout = limit;
        self
    }

    /// How many redirects are followed, 5; with 0 a redirect is an error. To another origin they go without
    /// login, cookies and every [`header`](Self::header) but Origin and User-Agent; subprotocols stay. From `wss` they
    /// never go to `ws`.
    #[must_use]
    pub fn max_redirects(mut self, count: usize) -> Self {
        self.max_redirects = count;
        self
    }

    /// The largest response head, with the interim responses before it, and its most headers. 16 KiB, 64.
    #[must_use]
    pub fn head_limits(mut self, limits: HeadLimits) -> Self {
        self.head_limits = limits;
        self
    }

    /// Goes through `proxy`, to every host.
    #[must_use]
    pub fn proxy(self, proxy: Proxy) -> Self {
        self.dialer_with(|dialer| dialer.proxy(proxy))
    }

    /// Goes through no proxy, whatever the environment says.
    #[must_use]
    pub fn no_proxy(self) -> Self {
        self.dialer_with(Dialer::no_proxy)
    }

    /// Goes through the proxy that the environment names; this is the default. See [`Proxy::from_env`].
    #[must_use]
    pub fn proxy_from_env(self) -> Self {
        self.dialer_with(Dialer::proxy_from_env)
    }

    /// Connects from this address of the machine.
    #[must_use]
    pub fn local_address(self, address: impl Into<Option<IpAddr>>) -> Self {
        self.dialer_with(|dialer| dialer.local_address(address))
    }

    /// Resolves names with `resolver`.
    #[must_use]
    pub fn resolver(self, resolver: impl Resolve + 'static) -> Self {
        self.dialer_with(|dialer| dialer.resolver(resolver))
    }

    /// Connects to `target`, whatever host and port the URL names; the request and TLS name the URL's host still. A
    /// redirect to another origin is dialled by its own name.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = tidewire::Client::new().target("unix:/run/app.sock".parse::<tidewire::dial::Target>()?);
    /// let ws = client.connect("ws://app/live").await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn target(mut self, target: impl Into<Option<Target>>) -> Self {
        self.target = target.into();
        self
    }

    /// What TLS trusts and shows, in place of what was set before.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(mut self, options: TlsOptions) -> Self {
        self.dialer = self.dialer.tls(options.clone());
        self.tls = options;
        self
    }

    /// A TLS configuration of the caller's own making. Let its ALPN be `http/1.1` or empty.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls_config(self, config: Arc<rustls::ClientConfig>) -> Self {
        self.dialer_with(|dialer| dialer.tls_config(config))
    }

    /// Takes any certificate from the server: whoever can redirect the connection can read and change it.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn insecure(self) -> Self {
        let options = self.tls.clone().insecure(true);
        self.tls(options)
    }

    /// Trusts the certificates in `pem`, a file or a text, as authorities, beside those of the system.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn authority(self, pem: impl Into<Pem>) -> Self {
        let options = self.tls.clone().authority(pem);
        self.tls(options)
    }

    /// Shows a client certificate to servers that ask for one: the chain, own certificate first, and its private key.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn client_certificate(self, chain: impl Into<Pem>, key: impl Into<Pem>) -> Self {
        let options = self.tls.clone().client_certificate(chain, key);
        self.tls(options)
    }

    /// Where to connect to for `url`, which came of `first` by redirects.
    pub(super) fn target_for(
        &self,
        first: &super::WsUrl,
        url: &super::WsUrl,
    ) -> Result<Target, ConnectError> {
        match &self.target {
            Some(target) if first.same_origin(url) => Ok(target.clone()),
            _ => Ok(Target::tcp(url.host(), url.port()).map_err(crate::dial::DialError::Target)?),
        }
    }

    /// The request, with a nonce of its own.
    pub(super) fn request(&self) -> Result<ClientHandshake, SetupError> {
        let subprotocols = self.subprotocols.iter().map(String::as_str);
        let request = self.template.clone()?.subprotocols(subprotocols)?;
        Ok(request.deflate(self.config.deflate.clone()).nonce(nonce()))
    }

    fn request_with(
        mut self,
        change: impl FnOnce(ClientHandshake) -> Result<ClientHandshake, SetupError>,
    ) -> Self {
        self.template = self.template.and_then(change);
        self
    }

    fn dialer_with(mut self, change: impl FnOnce(Dialer) -> Dialer) -> Self {
        self.dialer = change(self.dialer);
        self
    }
}

/// A nonce that nobody can foresee (RFC 6455 §4.1).
pub(super) fn nonce() -> [u8; 16] {
    let mut nonce = [0; 16];
    entropy(&mut nonce);
    nonce
}

impl fmt::Debug for Client {
    /// Without the headers: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("dialer", &self.dialer)
            .field("target", &self.target)
            .field("subprotocols", &self.subprotocols)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

//! How a connection is opened: the options that `connect` and `bench` share.

use super::values::{self, Secret};
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args, Clone, Debug)]
pub(crate) struct OpeningArgs {
    /// A header field for the handshake, "Name: value". Repeatable
    #[arg(short = 'H', long = "header", value_name = "FIELD", value_parser = values::secret, help_heading = "Handshake")]
    pub(crate) headers: Vec<Secret>,

    /// A subprotocol to offer, the preferred one first. Repeatable
    #[arg(long = "protocol", visible_alias = "subprotocol", value_name = "NAME", help_heading = "Handshake")]
    pub(crate) subprotocols: Vec<String>,

    /// The Origin header, such as https://app.example.org
    #[arg(long, value_name = "ORIGIN", help_heading = "Handshake")]
    pub(crate) origin: Option<String>,

    /// USER:PASSWORD or "Bearer TOKEN" for the Authorization header; never shown
    #[arg(
        long, visible_alias = "basic-auth", value_name = "CREDENTIALS", env = "TIDEWIRE_AUTH", hide_env_values = true,
        value_parser = values::secret, help_heading = "Handshake"
    )]
    pub(crate) auth: Option<Secret>,

    /// Redirects to follow; credentials stay with their origin
    #[arg(short = 'L', long, value_name = "N", default_value_t = 0, default_missing_value = "10", num_args = 0..=1,
        require_equals = true, help_heading = "Handshake")]
    pub(crate) location: u32,

    /// How long opening may take, all steps together
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::limit, help_heading = "Handshake")]
    pub(crate) connect_timeout: Duration,

    /// Take any certificate. The connection is then safe from nobody
    #[arg(short = 'k', long, help_heading = "TLS and proxies")]
    pub(crate) insecure: bool,

    /// Trust the certificates of this PEM file instead of the system's
    #[arg(long, value_name = "FILE", help_heading = "TLS and proxies")]
    pub(crate) ca: Option<PathBuf>,

    /// Client certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "key", help_heading = "TLS and proxies")]
    pub(crate) cert: Option<PathBuf>,

    /// Private key of the client certificate, PEM
    #[arg(long, value_name = "FILE", requires = "cert", help_heading = "TLS and proxies")]
    pub(crate) key: Option<PathBuf>,

    /// Go through http://… or socks5h://…; by default what HTTPS_PROXY, ALL_PROXY and NO_PROXY say
    #[arg(long, value_name = "URL", help_heading = "TLS and proxies")]
    pub(crate) proxy: Option<String>,

    /// Go directly, whatever the environment says
    #[arg(long, conflicts_with = "proxy", help_heading = "TLS and proxies")]
    pub(crate) no_proxy: bool,
}

//! TLS for both ends, by rustls: configurations from PEM files, the handshakes, and errors that say what to do.

mod client;
mod error;
mod insecure;
mod pem;
mod server;
mod stream;

pub use client::{TlsOptions, connect};
pub use error::{CertificateProblem, PemProblem, TlsError, TlsPeer};
pub use pem::Pem;
pub use server::{accept, server_config};
pub use stream::{TlsInfo, TlsStream};

use rustls::crypto::{CryptoProvider, ring};
use std::sync::Arc;

/// The one protocol spoken here inside TLS (RFC 7301).
const ALPN_HTTP1: &[u8] = b"http/1.1";

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

//! The server's end of TLS.

use super::client::key_error;
use super::error::{TlsError, TlsPeer};
use super::pem::Pem;
use super::stream::TlsStream;
use super::{ALPN_HTTP1, provider};
use crate::dial::Stream;
use rustls::ServerConfig;
use std::sync::Arc;

/// A server's configuration: TLS 1.2 and 1.3, ALPN `http/1.1`, no client certificates asked for.
///
/// `chain` holds the server's certificate, then those between it and an authority; `key` its private key (PKCS#8,
/// PKCS#1 or SEC1, not encrypted). Both may be in one file. The errors name the file and say what to do.
pub fn server_config(chain: impl Into<Pem>, key: impl Into<Pem>) -> Result<Arc<ServerConfig>, TlsError> {
    let (chain, key) = (chain.into(), key.into());
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Config)?
        .with_no_client_auth()
        .with_single_cert(chain.certificates()?, key.private_key()?)
        .map_err(|error| key_error(error, &chain, &key))?;
    config.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
    Ok(Arc::new(config))
}

/// The server's handshake over `stream`. It takes as long as the client lets it: set a timeout around it.
pub async fn accept(config: Arc<ServerConfig>, stream: impl Into<Stream>) -> Result<Stream, TlsError> {
    match tokio_rustls::TlsAcceptor::from(config).accept(stream.into()).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(TlsStream::new(stream.into())))),
        Err(error) => Err(TlsError::from_handshake(error, &TlsPeer::Client)),
    }
}

//! The client's end of TLS.

use super::error::{PemProblem, TlsError, TlsPeer};
use super::insecure::AcceptAny;
use super::pem::Pem;
use super::stream::TlsStream;
use super::{ALPN_HTTP1, provider};
use crate::dial::Stream;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, InconsistentKeys, RootCertStore};
use std::sync::Arc;

/// What a client trusts and how it proves who it is. The default trusts what the system trusts.
#[derive(Clone, Debug)]
pub struct TlsOptions {
    system_roots: bool,
    authorities: Vec<Pem>,
    identity: Option<(Pem, Pem)>,
    insecure: bool,
}

impl Default for TlsOptions {
    fn default() -> Self {
        Self { system_roots: true, authorities: Vec::new(), identity: None, insecure: false }
    }
}

impl TlsOptions {
    /// The same as [`TlsOptions::default`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether to trust the authorities that the system trusts. `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
    #[must_use]
    pub fn system_roots(mut self, trust: bool) -> Self {
        self.system_roots = trust;
        self
    }

    /// Trusts the certificates in `pem` as authorities, beside those of the system.
    #[must_use]
    pub fn authority(mut self, pem: impl Into<Pem>) -> Self {
        self.authorities.push(pem.into());
        self
    }

    /// Shows a client certificate to servers that ask for one: the chain, own certificate first, and its private key
    /// (PKCS#8, PKCS#1 or SEC1). Both may be in one file.
    #[must_use]
    pub fn client_certificate(mut self, chain: impl Into<Pem>, key: impl Into<Pem>) -> Self {
        self.identity = Some((chain.into(), key.into()));
        self
    }

    /// Takes any certificate from the server: whoever can redirect the connection can read and change it.
    #[must_use]
    pub fn insecure(mut self, insecure: bool) -> Self {
        self.insecure = insecure;
        self
    }

    /// Reads the files and makes the configuration: TLS 1.2 and 1.3, ALPN `http/1.1`.
    pub fn build(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let provider = provider();
        let algorithms = provider.signature_verification_algorithms;
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Config)?;
        let builder = if self.insecure {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(algorithms)))
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => builder
                .with_client_auth_cert(chain.certificates()?, key.private_key()?)
                .map_err(|error| key_error(error, chain, key))?,
        };
        config.alpn_protocols = vec![ALPN_HTTP1.to_vec()];
        Ok(Arc::new(config))
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for pem in &self.authorities {
            for certificate in pem.certificates()? {
                roots
                    .add(certificate)
                    .map_err(|error| pem.problem(PemProblem::Certificate(error.to_string())))?;
            }
        }
        let mut unread = Vec::new();
        if self.system_roots {
            // Systems carry a few certificates that can't be parsed; the others count.
            let system = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(system.certs);
            unread = system.errors.iter().map(ToString::to_string).collect();
        }
        if roots.is_empty() {
            return Err(TlsError::NoAuthorities { system: self.system_roots, errors: unread });
        }
        Ok(roots)
    }
}

/// What rustls says of a chain and key that it does not take.
pub(super) fn key_error(error: rustls::Error, chain: &Pem, key: &Pem) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            TlsError::KeyMismatch { certificate: chain.to_string(), key: key.to_string() }
        }
        rustls::Error::InvalidCertificate(error) => chain.problem(PemProblem::Certificate(error.to_string())),
        rustls::Error::General(error) => key.problem(PemProblem::Key(error)),
        error => TlsError::Config(error),
    }
}

/// The client's handshake over `stream`. `host` is the name or address, with or without brackets, that the server's
/// certificate must bear; names, not addresses, are sent as SNI (RFC 6066 §3).
pub async fn connect(
    config: Arc<ClientConfig>,
    host: &str,
    stream: impl Into<Stream>,
) -> Result<Stream, TlsError> {
    let name = server_name(host)?;
    match tokio_rustls::TlsConnector::from(config).connect(name, stream.into()).await {
        Ok(stream) => Ok(Stream::Tls(Box::new(TlsStream::new(stream.into())))),
        Err(error) => Err(TlsError::from_handshake(error, &TlsPeer::Server(host.to_owned()))),
    }
}

fn server_name(host: &str) -> Result<ServerName<'static>, TlsError> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    // The zone of a link-local address means something on this machine only (RFC 6874 §4).
    let name = match bare.split_once('%') {
        Some((address, _zone)) if address.contains(':') => address,
        _ => bare,
    };
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::ServerName { host: host.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// edge 10: no brackets reach the certificate check, and an address is an address.
    #[test]
    fn an_address_is_no_dns_name() {
        for host in ["[::1]", "::1", "127.0.0.1", "[fe80::1%eth0]", "fe80::1%25eth0"] {
            assert!(matches!(server_name(host), Ok(ServerName::IpAddress(_))), "{host}");
        }
        for host in ["localhost", "example.com", "example.com.", "xn--bcher-kva.example"] {
            assert!(matches!(server_name(host), Ok(ServerName::DnsName(_))), "{host}");
        }
        for host in ["", "a b", "bücher.example", "[]"] {
            assert!(matches!(server_name(host), Err(TlsError::ServerName { .. })), "{host}");
        }
    }
}
